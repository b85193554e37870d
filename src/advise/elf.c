/*
 * elf.c - find a symbol in the files that a process has mapped.
 *
 * SPDX-License-Identifier: MIT
 *
 * Written out, since the command must not need libelf for the one symbol it asks for.  Every
 * offset from the file is checked against its size: the file may be anything.
 */
#include "advise/elf.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

typedef struct image {
    const unsigned char *bytes;
    size_t size;
} image;

static const void *at(const image *file, uint64_t offset, uint64_t size)
{
    return offset <= file->size && size <= file->size - offset ? file->bytes + offset : NULL;
}

static bool find_in_table(const image *file, const Elf64_Shdr *table, const Elf64_Shdr *strings,
                          const char *symbol, urd__elf_place *out)
{
    const Elf64_Sym *symbols = at(file, table->sh_offset, table->sh_size);
    const char *names = at(file, strings->sh_offset, strings->sh_size);
    size_t bytes = strlen(symbol) + 1;
    for (size_t i = 0; symbols && names && i < table->sh_size / sizeof *symbols; i++) {
        const Elf64_Sym *s = &symbols[i];
        if (s->st_shndx != SHN_UNDEF && s->st_name < strings->sh_size &&
            strings->sh_size - s->st_name >= bytes &&
            memcmp(names + s->st_name, symbol, bytes) == 0) {
            *out = (urd__elf_place){s->st_value, s->st_size};
            return true;
        }
    }
    return false;
}

static bool find_symbol(const image *file, const char *symbol, urd__elf_place *out)
{
    const Elf64_Ehdr *head = at(file, 0, sizeof *head);
    if (!head || memcmp(head->e_ident, ELFMAG, SELFMAG) != 0 ||
        head->e_ident[EI_CLASS] != ELFCLASS64)
        return false;
    const Elf64_Shdr *sections =
        at(file, head->e_shoff, (uint64_t)head->e_shnum * sizeof *sections);
    for (int i = 0; sections && i < head->e_shnum; i++) {
        const Elf64_Shdr *table = &sections[i];
        if ((table->sh_type == SHT_DYNSYM || table->sh_type == SHT_SYMTAB) &&
            table->sh_link < head->e_shnum &&
            find_in_table(file, table, &sections[table->sh_link], symbol, out))
            return true;
    }
    return false;
}

/* What is to be added to the addresses in the file; its first page is mapped at `start`. */
static uint64_t bias_of(const image *file, uint64_t start)
{
    const Elf64_Ehdr *head = at(file, 0, sizeof *head);
    const Elf64_Phdr *parts = at(file, head->e_phoff, (uint64_t)head->e_phnum * sizeof *parts);
    if (head->e_type == ET_EXEC)
        return 0;
    for (int i = 0; parts && i < head->e_phnum; i++)
        if (parts[i].p_type == PT_LOAD)
            return start - (parts[i].p_vaddr & ~(uint64_t)0xfff);
    return start;
}

static bool find_in_file(const char *path, uint64_t start, const char *symbol, urd__elf_place *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat info;
    if (fd < 0)
        return false;
    void *bytes = fstat(fd, &info) == 0 && info.st_size > 0
                      ? mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0)
                      : MAP_FAILED;
    close(fd);
    if (bytes == MAP_FAILED)
        return false;
    image file = {bytes, (size_t)info.st_size};
    bool found = find_symbol(&file, symbol, out);
    if (found)
        out->address += bias_of(&file, start);
    munmap(bytes, file.size);
    return found;
}

static bool name_fits(const char *path, const char *const *files)
{
    const char *slash = strrchr(path, '/');
    for (; slash && *files; files++)
        if (strncmp(slash + 1, *files, strlen(*files)) == 0)
            return true;
    return false;
}

bool urd__elf_find(pid_t pid, const char *const *files, const char *symbol, urd__elf_place *out)
{
    char path[64], line[PATH_BYTES], last[PATH_BYTES] = "";
    snprintf(path, sizeof path, "/proc/%d/maps", pid);
    FILE *maps = fopen(path, "re");
    bool found = false;
    while (maps && !found && fgets(line, sizeof line, maps)) {
        unsigned long start, offset;
        int name = 0;
        line[strcspn(line, "\n")] = '\0';
        if (sscanf(line, "%lx-%*x %*s %lx %*s %*s %n", &start, &offset, &name) < 2 || name == 0 ||
            offset != 0 || !name_fits(line + name, files) || strcmp(last, line + name) == 0)
            continue;
        snprintf(last, sizeof last, "%s", line + name);
        char file[PATH_BYTES + 32];
        snprintf(file, sizeof file, "/proc/%d/root%s", pid, line + name);
        found = find_in_file(file, start, symbol, out);
    }
    if (maps)
        fclose(maps);
    return found;
}
