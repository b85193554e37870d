/*
 * python.c - CPython's structures, by the offsets that each version has.
 *
 * SPDX-License-Identifier: MIT
 *
 * All that is needed hangs on one symbol, _PyRuntime.  From 3.13 on it begins with a table of
 * offsets, made for readers like this one; those of 3.11 and 3.12 are written down here.  In all
 * versions since 3.7 the GIL of the main interpreter lies within that symbol, so that a thread
 * whose futex does waits for the GIL.
 *
 * The program runs on while it is read, so a structure may be gone or half written: each step reads
 * through the kernel, which refuses what is not there, and all loops are bounded.
 */
#include "advise/python.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "advise/advise.h"
#include "advise/elf.h"
#include "advise/proc.h"
#include "urd.h"

enum { STATES_MAX = 1 << 16, FRAMES_MAX = 64, TABLE_BYTES = 8192, OWNED_BY_C = 3 };

static const int64_t list_every = 100 * URD_MS;
static const int64_t list_cost = 200; /* pause after a listing, times what it took */

/* Offsets, in bytes. */
typedef struct layout {
    unsigned interpreters;             /* in the runtime: the first interpreter */
    unsigned threads;                  /* in an interpreter: the first thread */
    unsigned gil;                      /* in an interpreter; in 3.11 in the runtime */
    unsigned gil_holder, gil_locked;   /* in the GIL */
    unsigned next, native_id, frame;   /* in a thread; frame: 3.13 */
    unsigned c_frame, c_frame_current; /* in a thread before 3.13, and what it points to */
    unsigned code, previous, instruction, owner;   /* in a frame */
    unsigned file, name, first_line, lines, bytes; /* in a code object */
    unsigned text;                                 /* in a string of ASCII */
} layout;

static const layout layout_3_11 = {.interpreters = 40,
                                   .threads = 16,
                                   .gil = 360,
                                   .gil_holder = 8,
                                   .gil_locked = 16,
                                   .next = 8,
                                   .native_id = 160,
                                   .c_frame = 56,
                                   .c_frame_current = 8,
                                   .code = 32,
                                   .previous = 48,
                                   .instruction = 56,
                                   .owner = 69,
                                   .file = 112,
                                   .name = 120,
                                   .first_line = 72,
                                   .lines = 136,
                                   .bytes = 184,
                                   .text = 48};

static const layout layout_3_12 = {.interpreters = 40,
                                   .threads = 72,
                                   .gil = 384,
                                   .gil_holder = 8,
                                   .gil_locked = 16,
                                   .next = 8,
                                   .native_id = 144,
                                   .c_frame = 56,
                                   .c_frame_current = 0,
                                   .code = 0,
                                   .previous = 8,
                                   .instruction = 56,
                                   .owner = 70,
                                   .file = 112,
                                   .name = 120,
                                   .first_line = 68,
                                   .lines = 136,
                                   .bytes = 192,
                                   .text = 40};

struct urd__python {
    pid_t pid;
    unsigned version; /* 0x030b: 3.11 */
    uint64_t runtime, runtime_bytes;
    bool known; /* the layout */
    layout at;
    urd__map *map; /* thread numbers to indices into states; NULL: not yet */
    uint64_t *states;
    int64_t next_listing; /* a time: to list all threads costs too much to do it at once again */
};

static const char *const files[] = {"libpython", "python", NULL};

/* The table's entries, in words of 8 bytes from the start of the runtime. */
static bool read_offsets(urd__python *p)
{
    uint64_t words[64];
    if (!urd__proc_peek(p->pid, p->runtime, words, sizeof words) ||
        memcmp(words, "xdebugpy", 8) != 0 || words[1] >> 16 != 0x030d)
        return false;
    const uint64_t *interpreter = words + 6, *thread = interpreter + 13, *frame = thread + 9,
                   *code = frame + 6;
    p->at = (layout){.interpreters = (unsigned)words[5],
                     .threads = (unsigned)interpreter[3],
                     .gil = (unsigned)interpreter[8],
                     .gil_holder = 8,
                     .gil_locked = 16,
                     .next = (unsigned)thread[2],
                     .frame = (unsigned)thread[4],
                     .native_id = (unsigned)thread[6],
                     .previous = (unsigned)frame[1],
                     .code = (unsigned)frame[2],
                     .instruction = (unsigned)frame[3],
                     .owner = (unsigned)frame[5],
                     .file = (unsigned)code[1],
                     .name = (unsigned)code[2],
                     .lines = (unsigned)code[4],
                     .first_line = (unsigned)code[5],
                     .bytes = (unsigned)code[9],
                     .text = 40};
    return true;
}

urd__python *urd__python_open(pid_t pid)
{
    urd__elf_place runtime, version;
    if (!urd__elf_find(pid, files, "_PyRuntime", &runtime))
        return NULL;
    urd__python *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->pid = pid;
    p->runtime = runtime.address;
    p->runtime_bytes = runtime.size;
    uint64_t number = 0;
    if (urd__elf_find(pid, files, "Py_Version", &version) &&
        urd__proc_peek(pid, version.address, &number, sizeof number))
        p->version = (unsigned)(number >> 16);
    p->known = p->version == 0x030b || p->version == 0x030c || read_offsets(p);
    if (p->version == 0x030b)
        p->at = layout_3_11;
    if (p->version == 0x030c)
        p->at = layout_3_12;
    return p;
}

void urd__python_free(urd__python *python)
{
    if (!python)
        return;
    urd__map_free(python->map);
    free(python->states);
    free(python);
}

bool urd__python_is_gil(const urd__python *python, uint64_t futex)
{
    return python && futex >= python->runtime && futex - python->runtime < python->runtime_bytes;
}

/* The pointer at an address; 0: none. */
static uint64_t pointer(const urd__python *p, uint64_t address)
{
    uint64_t value = 0;
    return address && urd__proc_peek(p->pid, address, &value, sizeof value) ? value : 0;
}

static pid_t native_id(const urd__python *p, uint64_t state)
{
    return state ? (pid_t)pointer(p, state + p->at.native_id) : 0;
}

pid_t urd__python_gil_holder(urd__python *p)
{
    if (!p || !p->known)
        return 0;
    uint64_t gil = p->version == 0x030b
                       ? p->runtime + p->at.gil
                       : pointer(p, pointer(p, p->runtime + p->at.interpreters) + p->at.gil);
    int locked = 0;
    if (!gil || !urd__proc_peek(p->pid, gil + p->at.gil_locked, &locked, sizeof locked) ||
        locked != 1)
        return 0;
    return native_id(p, pointer(p, gil + p->at.gil_holder));
}

static void list_threads(urd__python *p)
{
    int64_t begun = urd_now();
    urd__map_free(p->map);
    p->map = urd__map_new();
    if (!p->states)
        p->states = calloc(STATES_MAX, sizeof *p->states);
    uint64_t interpreter = pointer(p, p->runtime + p->at.interpreters);
    uint64_t state = interpreter ? pointer(p, interpreter + p->at.threads) : 0;
    for (int i = 0; state && p->map && p->states && i < STATES_MAX; i++) {
        p->states[i] = state;
        urd__map_put(p->map, native_id(p, state), i);
        state = pointer(p, state + p->at.next);
    }
    int64_t took = urd_now() - begun;
    p->next_listing = urd_now() + (took * list_cost > list_every ? took * list_cost : list_every);
}

static uint64_t find_thread(urd__python *p, pid_t tid)
{
    for (int attempt = 0; attempt < 2; attempt++) {
        int index = p->map ? urd__map_get(p->map, tid) : -1;
        if (index >= 0 && native_id(p, p->states[index]) == tid)
            return p->states[index];
        if (attempt == 1 || urd_now() < p->next_listing)
            return 0;
        list_threads(p);
    }
    return 0;
}

/* Of a string that is ASCII, as names and paths are; others are shown as "?". */
static void read_text(const urd__python *p, uint64_t object, char *out, size_t size)
{
    uint64_t length = pointer(p, object + 16);
    size_t bytes = length < size - 1 ? (size_t)length : size - 1;
    if (!object || !urd__proc_peek(p->pid, object + p->at.text, out, bytes))
        bytes = 0;
    out[bytes] = '\0';
    for (size_t i = 0; i < bytes; i++)
        if (out[i] < ' ' || out[i] > '~')
            out[i] = '?';
}

static int read_varint(const unsigned char **at, const unsigned char *end)
{
    unsigned value = 0, shift = 0;
    while (*at < end && shift < 30) {
        unsigned byte = *(*at)++;
        value |= (byte & 63) << shift;
        shift += 6;
        if (!(byte & 64))
            break;
    }
    return (int)value;
}

static int read_signed(const unsigned char **at, const unsigned char *end)
{
    int value = read_varint(at, end);
    return value & 1 ? -(value >> 1) : value >> 1;
}

int urd__python_line(const unsigned char *table, int bytes, int first_line, int instruction)
{
    const unsigned char *at = table, *end = table + bytes;
    int line = first_line, done = 0;
    while (at < end) {
        int code = *at >> 3 & 15, length = (*at & 7) + 1;
        at++;
        if (code == 13 || code == 14)
            line += read_signed(&at, end);
        else if (code >= 10 && code <= 12)
            line += code - 10;
        done += length;
        if (instruction < done)
            return code == 15 ? 0 : line;
        while (at < end && !(*at & 128)) /* columns; an entry begins with the bit set */
            at++;
    }
    return 0;
}

static int line_of(const urd__python *p, uint64_t code, uint64_t instruction)
{
    unsigned char table[TABLE_BYTES];
    int first = 0;
    uint64_t lines = pointer(p, code + p->at.lines);
    uint64_t bytes = pointer(p, lines + 16), begin = code + p->at.bytes;
    if (!urd__proc_peek(p->pid, code + p->at.first_line, &first, sizeof first) || !lines ||
        bytes > sizeof table || instruction < begin ||
        !urd__proc_peek(p->pid, lines + 32, table, (size_t)bytes))
        return first;
    return urd__python_line(table, (int)bytes, first, (int)((instruction - begin) / 2));
}

static bool read_frame(const urd__python *p, uint64_t frame, urd__python_frame *out)
{
    uint64_t code = pointer(p, frame + p->at.code);
    read_text(p, pointer(p, code + p->at.file), out->path, sizeof out->path);
    read_text(p, pointer(p, code + p->at.name), out->function, sizeof out->function);
    if (!code || !out->path[0] || !out->function[0])
        return false;
    const char *slash = strrchr(out->path, '/');
    snprintf(out->file, sizeof out->file, "%.47s", slash ? slash + 1 : out->path);
    out->library = strstr(out->path, "/lib/python3") != NULL || out->path[0] == '<';
    out->line = line_of(p, code, pointer(p, frame + p->at.instruction));
    return true;
}

int urd__python_frames(urd__python *p, pid_t tid, urd__python_frame *out, int max)
{
    if (!p || !p->known)
        return 0;
    uint64_t state = find_thread(p, tid);
    uint64_t frame = !state ? 0
                     : p->at.frame
                         ? pointer(p, state + p->at.frame)
                         : pointer(p, pointer(p, state + p->at.c_frame) + p->at.c_frame_current);
    int count = 0;
    for (int i = 0; frame && i < FRAMES_MAX && count < max; i++) {
        unsigned char owner = 0;
        urd__proc_peek(p->pid, frame + p->at.owner, &owner, 1);
        if (owner != OWNED_BY_C && read_frame(p, frame, &out[count]))
            count++;
        frame = pointer(p, frame + p->at.previous);
    }
    return count;
}
