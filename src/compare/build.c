/*
 * build.c - compile the user's file into a shared object.
 *
 * SPDX-License-Identifier: MIT
 *
 * The object's urd_ names are left undefined: the running urd, which exports them, provides them.
 * No shell is involved, so that names with spaces work and nothing in a file can run.
 */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compare/compare.h"
#include "ui/usage.h"

enum { DIRECTIVE_LINES = 30, PATH_BYTES = 4096 };

extern char **environ;

static void *must(void *p)
{
    if (!p) {
        fprintf(stderr, "urd compare: out of memory\n");
        exit(EXIT_JOB);
    }
    return p;
}

void urd__words_add(urd__words *words, const char *text, size_t bytes)
{
    size_t count = (size_t)words->count;
    words->list = must(realloc(words->list, (count + 2) * sizeof *words->list));
    words->list[count] = must(strndup(text, bytes));
    words->list[count + 1] = NULL;
    words->count++;
}

void urd__words_split(urd__words *words, const char *text)
{
    while (text && *text) {
        size_t blank = strspn(text, " \t\r\n");
        size_t bytes = strcspn(text + blank, " \t\r\n");
        if (bytes > 0)
            urd__words_add(words, text + blank, bytes);
        text += blank + bytes;
    }
}

void urd__words_free(urd__words *words)
{
    for (int i = 0; i < words->count; i++)
        free(words->list[i]);
    free(words->list);
    *words = (urd__words){0};
}

static void add(urd__words *words, const char *text)
{
    urd__words_add(words, text, strlen(text));
}

/* "urd-compare: cflags=-O3 libs=-lm -lz": the words after a key, up to the next key, are its. */
static void read_directive(const char *line, urd__words *cflags, urd__words *libs)
{
    urd__words words = {0};
    urd__words_split(&words, line);
    urd__words *into = NULL;
    for (int i = 0; i < words.count; i++) {
        const char *word = words.list[i];
        if (strcmp(word, "*/") == 0)
            break;
        if (strncmp(word, "cflags=", 7) == 0) {
            into = cflags;
            word += 7;
        } else if (strncmp(word, "libs=", 5) == 0) {
            into = libs;
            word += 5;
        }
        if (into && *word)
            add(into, word);
    }
    urd__words_free(&words);
}

static bool read_directives(const char *source, urd__words *cflags, urd__words *libs)
{
    FILE *file = fopen(source, "re");
    if (!file) {
        urd__complain("compare", "open", source);
        return false;
    }
    static const char mark[] = "urd-compare:";
    char line[1024];
    for (int i = 0; i < DIRECTIVE_LINES && fgets(line, sizeof line, file); i++) {
        const char *found = strstr(line, mark);
        if (found)
            read_directive(found + strlen(mark), cflags, libs);
    }
    fclose(file);
    return true;
}

static bool has_header(const char *folder)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/urd_compare.h", folder);
    return access(path, R_OK) == 0;
}

/* Where the headers are: beside the installed command, where they were installed, or, for a
 * command that was not, in the tree it was built from.  The compiler may know better than all. */
static void add_include(urd__words *words)
{
    char folder[PATH_BYTES];
    ssize_t bytes = readlink("/proc/self/exe", folder, sizeof folder - sizeof "/../include");
    if (bytes > 0) {
        folder[bytes] = '\0';
        char *slash = strrchr(folder, '/');
        if (slash)
            memcpy(slash, "/../include", sizeof "/../include");
    }
    const char *folders[] = {getenv("URD_INCLUDE"), bytes > 0 ? folder : NULL,
                             URD_INCLUDE_INSTALLED, URD_INCLUDE_SOURCE};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        if (folders[i] && has_header(folders[i])) {
            add(words, "-I");
            add(words, folders[i]);
            return;
        }
    }
}

static bool run_compiler(const urd__words *words, const char *source)
{
    pid_t pid;
    int failed = posix_spawnp(&pid, words->list[0], NULL, NULL, words->list, environ);
    if (failed) {
        fprintf(stderr, "urd compare: cannot run the compiler %s: %s\n", words->list[0],
                strerror(failed));
        return false;
    }
    int status;
    while (waitpid(pid, &status, 0) < 0)
        ; /* only a signal can interrupt it, and then the compiler ends too */
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    fprintf(stderr, "urd compare: %s does not compile\n", source);
    return false;
}

bool urd__compare_build(const char *source, const char *object, const char *cflags)
{
    urd__words file_cflags = {0}, file_libs = {0}, words = {0};
    if (!read_directives(source, &file_cflags, &file_libs))
        return false;
    const char *compiler = getenv("CC");
    urd__words_split(&words, compiler);
    if (words.count == 0)
        add(&words, "cc");
    static const char *const fixed[] = {"-std=gnu17", "-O2", "-g", "-Wall", "-fPIC", "-shared"};
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        add(&words, fixed[i]);
    add_include(&words);
    add(&words, "-o");
    add(&words, object);
    add(&words, source);
    for (int i = 0; i < file_cflags.count; i++)
        add(&words, file_cflags.list[i]);
    urd__words_split(&words, cflags); /* after the source, so that a -l in it works too */
    for (int i = 0; i < file_libs.count; i++)
        add(&words, file_libs.list[i]);
    bool good = run_compiler(&words, source);
    urd__words_free(&words);
    urd__words_free(&file_cflags);
    urd__words_free(&file_libs);
    return good;
}
