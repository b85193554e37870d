/*
 * ps_find.c - look through the files that a process has mapped for the section .urd.layout.
 *
 * SPDX-License-Identifier: MIT
 *
 * The section's header says where it lies in the file's own addresses; where the file lies in the
 * process, its map says.  So a stripped program will do, and nothing is asked of the process.
 */
#include "cli/ps_find.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/os.h"
#include "watch/layout.h"

enum { PATH_BYTES = 4200, LINE_BYTES = 4400, PARTS_MAX = 64 };

static bool read_at(int fd, void *to, size_t size, uint64_t offset)
{
    return pread(fd, to, size, (off_t)offset) == (ssize_t)size;
}

/* The section's address as the file has it; 0: it has none. */
static uint64_t section_in(int fd, const ElfW(Ehdr) * head)
{
    ElfW(Shdr) names, section;
    char name[sizeof URD__LAYOUT_SECTION];
    uint64_t size = sizeof section;
    if (!read_at(fd, &names, sizeof names, head->e_shoff + head->e_shstrndx * size))
        return 0;
    for (unsigned i = 0; i < head->e_shnum; i++) {
        if (read_at(fd, &section, sizeof section, head->e_shoff + i * size) &&
            read_at(fd, name, sizeof name, names.sh_offset + section.sh_name) &&
            memcmp(name, URD__LAYOUT_SECTION, sizeof name) == 0)
            return section.sh_addr;
    }
    return 0;
}

/* What to add to the file's addresses, when its bytes from `offset` lie at `start`. */
static bool bias_of(int fd, const ElfW(Ehdr) * head, uint64_t offset, uint64_t start,
                    uint64_t *bias)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    for (unsigned i = 0; i < head->e_phnum && i < PARTS_MAX; i++) {
        ElfW(Phdr) part;
        if (!read_at(fd, &part, sizeof part, head->e_phoff + i * sizeof part))
            return false;
        if (part.p_type != PT_LOAD || part.p_offset / page * page != offset)
            continue;
        *bias = start - part.p_vaddr / page * page;
        return true;
    }
    return false;
}

static bool look_in(const char *path, uint64_t offset, uint64_t start, uintptr_t *layout)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ElfW(Ehdr) head;
    uint64_t bias = 0, section = 0;
    if (fd < 0)
        return false;
    if (read_at(fd, &head, sizeof head, 0) && memcmp(head.e_ident, ELFMAG, SELFMAG) == 0 &&
        head.e_ident[EI_CLASS] == ELFCLASS64)
        section = section_in(fd, &head);
    bool found = section && bias_of(fd, &head, offset, start, &bias);
    close(fd);
    *layout = section + bias;
    return found;
}

int urd__ps_find(pid_t pid, uintptr_t *layout)
{
    char path[PATH_BYTES], line[LINE_BYTES];
    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    long rc = urd__os_read_file(path, line, sizeof line);
    if (rc <= 0)
        return rc == -ENOENT ? -ESRCH : rc == 0 ? -EACCES : (int)rc;
    FILE *maps = fopen(path, "re");
    if (!maps)
        return -EACCES;
    rc = -ENOENT;
    while (rc != 0 && fgets(line, sizeof line, maps)) {
        char *end, *name = strchr(line, '/');
        if (!name)
            continue;
        /* start-end rights offset device inode /path */
        uint64_t start = strtoull(line, &end, 16), until = strtoull(end + 1, &end, 16);
        uint64_t offset = strtoull(end + strlen(" rwxp "), NULL, 16);
        /* By the map itself, which also leads to files that were deleted or are elsewhere. */
        snprintf(path, sizeof path, "/proc/%d/map_files/%lx-%lx", (int)pid, (unsigned long)start,
                 (unsigned long)until);
        if (look_in(path, offset, start, layout)) {
            rc = 0;
            break;
        }
        name[strcspn(name, "\n")] = '\0';
        snprintf(path, sizeof path, "/proc/%d/root%.4096s", (int)pid, name);
        if (look_in(path, offset, start, layout))
            rc = 0;
    }
    fclose(maps);
    return (int)rc;
}
