/*
 * dw.c - load libdw when it is first needed, and ask it.
 *
 * SPDX-License-Identifier: MIT
 *
 * Programs that report nothing do not carry it, and where it is not installed, or was not there
 * when this library was built, reports are shorter.
 */
#include "core/dw.h"

#include <stddef.h>

#ifdef HAVE_LIBDW
#include <dlfcn.h>
#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/lock.h"
#include "base/os.h"

/* The functions of libdw that are called; their types are those of the header. */
#define LIBDW_CALLS(X)                                                                             \
    X(dwfl_begin)                                                                                  \
    X(dwfl_end)                                                                                    \
    X(dwfl_linux_proc_find_elf)                                                                    \
    X(dwfl_standard_find_debuginfo)                                                                \
    X(dwfl_linux_proc_report)                                                                      \
    X(dwfl_linux_proc_maps_report)                                                                 \
    X(dwfl_report_end)                                                                             \
    X(dwfl_addrmodule)                                                                             \
    X(dwfl_module_addrinfo)                                                                        \
    X(dwfl_module_getsrc)                                                                          \
    X(dwfl_lineinfo)                                                                               \
    X(dwfl_module_info)                                                                            \
    X(dwfl_attach_state)                                                                           \
    X(dwfl_getthread_frames)                                                                       \
    X(dwfl_frame_pc)                                                                               \
    X(dwfl_thread_state_registers)                                                                 \
    X(dwfl_thread_state_register_pc)

static struct {
    int lock; /* guards the loading; nothing changes afterwards */
    bool tried, loaded;
    Dwfl_Callbacks callbacks;
    char *debuginfo_path;
#define FIELD(name) __typeof__(&name) name;
    LIBDW_CALLS(FIELD)
#undef FIELD
} dw;

/* libdw's own leaves the file open for programs that are executed later. */
static int find_elf(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base,
                    char **file, Elf **elf)
{
    int fd = dw.dwfl_linux_proc_find_elf(module, data, name, base, file, elf);
    if (fd >= 0)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    return fd;
}

/* Under dw.lock. */
static bool load(void)
{
    void *lib = dlopen("libdw.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!lib)
        return false;
#define LOAD(name)                                                                                 \
    void *name##_found = dlsym(lib, #name);                                                        \
    memcpy(&dw.name, &name##_found, sizeof dw.name);                                               \
    if (!dw.name)                                                                                  \
        return false;
    LIBDW_CALLS(LOAD)
#undef LOAD
    dw.callbacks = (Dwfl_Callbacks){.find_elf = find_elf,
                                    .find_debuginfo = dw.dwfl_standard_find_debuginfo,
                                    .debuginfo_path = &dw.debuginfo_path};
    return true;
}

static bool have(void)
{
    urd__lock(&dw.lock);
    if (!dw.tried)
        dw.loaded = load();
    dw.tried = true;
    urd__unlock(&dw.lock);
    return dw.loaded;
}

struct Dwfl *urd__dw_open(pid_t pid)
{
    Dwfl *dwfl = have() ? dw.dwfl_begin(&dw.callbacks) : NULL;
    if (!dwfl)
        return NULL;
    if (dw.dwfl_linux_proc_report(dwfl, pid) == 0 && dw.dwfl_report_end(dwfl, NULL, NULL) == 0)
        return dwfl;
    dw.dwfl_end(dwfl);
    return NULL;
}

struct Dwfl *urd__dw_open_maps(const char *maps)
{
    Dwfl *dwfl = have() ? dw.dwfl_begin(&dw.callbacks) : NULL;
    FILE *file = dwfl ? fmemopen((void *)(uintptr_t)maps, strlen(maps), "r") : NULL;
    bool good = file && dw.dwfl_linux_proc_maps_report(dwfl, file) == 0 &&
                dw.dwfl_report_end(dwfl, NULL, NULL) == 0;
    if (file)
        fclose(file);
    if (!good && dwfl)
        dw.dwfl_end(dwfl);
    return good ? dwfl : NULL;
}

void urd__dw_close(struct Dwfl *dwfl)
{
    if (dwfl)
        dw.dwfl_end(dwfl);
}

static const char *file_name(const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;
    return slash ? slash + 1 : path;
}

/* Variables without a value in the file may lie in pages behind those that libdw knows as the
 * module's. */
static Dwfl_Module *module_before(Dwfl *dwfl, uint64_t address)
{
    enum { PAGE = 4096, PAGES = 256 };
    Dwfl_Module *module = dw.dwfl_addrmodule(dwfl, address);
    for (uint64_t n = 1; !module && n <= PAGES && n * PAGE < address; n++)
        module = dw.dwfl_addrmodule(dwfl, address - n * PAGE);
    return module;
}

void urd__dw_look_up(struct Dwfl *dwfl, urd__symbol *symbol, uint64_t address)
{
    Dwfl_Module *module = dwfl ? module_before(dwfl, address) : NULL;
    if (!module)
        return;
    GElf_Off offset;
    GElf_Sym entry;
    const char *name = dw.dwfl_module_addrinfo(module, address, &offset, &entry, NULL, NULL, NULL);
    bool inside = module == dw.dwfl_addrmodule(dwfl, address);
    if (name && (inside || offset < entry.st_size)) {
        symbol->name = name;
        symbol->offset = offset;
    }
    Dwfl_Line *line = dw.dwfl_module_getsrc(module, address);
    if (line)
        symbol->file = file_name(dw.dwfl_lineinfo(line, NULL, &symbol->line, NULL, NULL, NULL));
    if (!symbol->module)
        symbol->module =
            file_name(dw.dwfl_module_info(module, NULL, NULL, NULL, NULL, NULL, NULL, NULL));
}

/* ---- stacks ---- */

/* libdw wants threads; it is told of one, which is the stack to walk. */
enum { ONLY_THREAD = 1 };

static pid_t next_thread(Dwfl *dwfl, void *arg, void **thread)
{
    (void)dwfl;
    bool first = *thread == NULL;
    *thread = arg;
    return first ? ONLY_THREAD : 0;
}

static bool get_thread(Dwfl *dwfl, pid_t number, void *arg, void **thread)
{
    (void)dwfl;
    *thread = arg;
    return number == ONLY_THREAD;
}

static bool read_word(Dwfl *dwfl, Dwarf_Addr address, Dwarf_Word *result, void *arg)
{
    (void)dwfl;
    const urd__dw_stack *stack = *(urd__dw_stack *const *)arg;
    uint64_t word;
    if (!stack->read(stack->arg, address, &word))
        return false;
    *result = word;
    return true;
}

static bool set_registers(Dwfl_Thread *thread, void *arg)
{
    const urd__dw_stack *stack = *(urd__dw_stack *const *)arg;
#if defined(__x86_64__)
    enum { NUMBER = 17 };
#else
    enum { NUMBER = 32 };
#endif
    if (!dw.dwfl_thread_state_registers(thread, 0, NUMBER, stack->registers))
        return false;
    dw.dwfl_thread_state_register_pc(thread, stack->pc);
    return true;
}

static const Dwfl_Thread_Callbacks one_stack = {.next_thread = next_thread,
                                                .get_thread = get_thread,
                                                .memory_read = read_word,
                                                .set_initial_registers = set_registers};

typedef struct walk {
    uint64_t *pcs;
    int n, max;
} walk;

static int take_frame(Dwfl_Frame *frame, void *arg)
{
    walk *w = arg;
    Dwarf_Addr pc;
    bool exact;
    if (w->n == w->max || !dw.dwfl_frame_pc(frame, &pc, &exact) || pc == 0)
        return DWARF_CB_ABORT;
    w->pcs[w->n++] = pc;
    return DWARF_CB_OK;
}

int urd__dw_unwind(struct Dwfl *dwfl, urd__dw_stack *stack, uint64_t *pcs, int max)
{
    /* A Dwfl is attached to once; what it then asks is which stack is walked now. */
    static int lock;
    static urd__dw_stack *now;
    walk w = {.pcs = pcs, .max = max};
    urd__lock(&lock);
    now = stack;
    dw.dwfl_attach_state(dwfl, NULL, getpid(), &one_stack, &now); /* fails if it is already */
    dw.dwfl_getthread_frames(dwfl, ONLY_THREAD, take_frame, &w);
    urd__unlock(&lock);
    return w.n;
}
#else
struct Dwfl *urd__dw_open(pid_t pid)
{
    (void)pid;
    return NULL;
}

struct Dwfl *urd__dw_open_maps(const char *maps)
{
    (void)maps;
    return NULL;
}

void urd__dw_close(struct Dwfl *dwfl)
{
    (void)dwfl;
}

void urd__dw_look_up(struct Dwfl *dwfl, urd__symbol *symbol, uint64_t address)
{
    (void)dwfl, (void)symbol, (void)address;
}

int urd__dw_unwind(struct Dwfl *dwfl, urd__dw_stack *stack, uint64_t *pcs, int max)
{
    (void)dwfl, (void)stack, (void)pcs, (void)max;
    return 0;
}
#endif
