/*
 * symbol.c - names and lines from the symbol tables and debug information of this program.
 *
 * SPDX-License-Identifier: MIT
 *
 * dladdr() knows only exported functions, which in most programs is not one of the user's.  The
 * rest is asked from libdw (elfutils), which is loaded when the first report is made: programs that
 * report nothing do not carry it, and where it is not installed reports are shorter.
 */
#include "core/symbol.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/lock.h"
#include "base/os.h"
#include "core/worker.h"

static const char *file_name(const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;
    return slash ? slash + 1 : path;
}

static urd__symbol from_loader(const void *address)
{
    urd__symbol symbol = {0};
    Dl_info at = {0};
    if (!dladdr(address, &at) || !at.dli_fname)
        return symbol;
    symbol.name = at.dli_sname;
    symbol.module = file_name(at.dli_fname);
    const void *from = at.dli_sname ? at.dli_saddr : at.dli_fbase;
    symbol.offset = (size_t)((const char *)address - (const char *)from);
    return symbol;
}

const char *urd__symbol_exported(const void *address)
{
    Dl_info at = {0};
    return dladdr(address, &at) ? at.dli_sname : NULL;
}

#ifdef HAVE_LIBDW
#include <elfutils/libdwfl.h>

/* The functions of libdw that are called; their types are those of the header. */
#define LIBDW_CALLS(X)                                                                             \
    X(dwfl_begin)                                                                                  \
    X(dwfl_end)                                                                                    \
    X(dwfl_linux_proc_find_elf)                                                                    \
    X(dwfl_standard_find_debuginfo)                                                                \
    X(dwfl_linux_proc_report)                                                                      \
    X(dwfl_report_end)                                                                             \
    X(dwfl_addrmodule)                                                                             \
    X(dwfl_module_addrinfo)                                                                        \
    X(dwfl_module_getsrc)                                                                          \
    X(dwfl_lineinfo)

enum { STACK_BYTES_NEEDED = 512 * 1024 };

static struct {
    int lock; /* guards what follows */
    bool tried;
    Dwfl *dwfl; /* open until the runtime ends: the names it returned are in use */
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
    dw.dwfl = dw.dwfl_begin(&dw.callbacks);
    return dw.dwfl && dw.dwfl_linux_proc_report(dw.dwfl, getpid()) == 0 &&
           dw.dwfl_report_end(dw.dwfl, NULL, NULL) == 0;
}

static void look_up(urd__symbol *symbol, const void *address)
{
    Dwarf_Addr at = (uintptr_t)address;
    urd__lock(&dw.lock);
    if (!dw.tried && !load())
        dw.dwfl = NULL;
    dw.tried = true;
    Dwfl_Module *module = dw.dwfl ? dw.dwfl_addrmodule(dw.dwfl, at) : NULL;
    if (module) {
        GElf_Off offset;
        GElf_Sym entry;
        const char *name = dw.dwfl_module_addrinfo(module, at, &offset, &entry, NULL, NULL, NULL);
        if (name) {
            symbol->name = name;
            symbol->offset = offset;
        }
        Dwfl_Line *line = dw.dwfl_module_getsrc(module, at);
        if (line)
            symbol->file = file_name(dw.dwfl_lineinfo(line, NULL, &symbol->line, NULL, NULL, NULL));
    }
    urd__unlock(&dw.lock);
}
typedef struct request {
    urd__symbol *symbol;
    const void *address;
} request;

static void *look_up_main(void *arg)
{
    const request *r = arg;
    look_up(r->symbol, r->address);
    return NULL;
}

/* libdw takes some 250 KB of stack, which no task has: a thread does it then. */
static void add_from_debug(urd__symbol *symbol, const void *address)
{
    const urd__stack *stack = &urd__task_self()->stack;
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    bool short_of_room =
        here >= stack->low && here < stack->high && here - stack->low < STACK_BYTES_NEEDED;
    if (!short_of_room) {
        look_up(symbol, address);
        return;
    }
    request r = {symbol, address};
    pthread_t thread;
    if (urd__os_thread_start(&thread, (size_t)2 * STACK_BYTES_NEEDED, look_up_main, &r) == 0)
        urd__os_thread_join(thread);
}

void urd__symbols_close(void)
{
    urd__lock(&dw.lock);
    if (dw.dwfl)
        dw.dwfl_end(dw.dwfl);
    dw.dwfl = NULL;
    dw.tried = false;
    urd__unlock(&dw.lock);
}
#else
void urd__symbols_close(void)
{
}

static void add_from_debug(urd__symbol *symbol, const void *address)
{
    (void)symbol;
    (void)address;
}
#endif

urd__symbol urd__symbol_at(const void *address)
{
    urd__symbol symbol = from_loader(address);
    add_from_debug(&symbol, address);
    return symbol;
}
