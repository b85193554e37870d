/*
 * main.c - the command `urd`: finds the subcommand and calls it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "advise/advise.h"
#include "cli/ps.h"
#include "compare/compare.h"
#include "urd.h"

static const char help[] =
    "usage: urd COMMAND [OPTION]...\n"
    "\n"
    "  urd compare FILE.c   run jobs one after the other, as tasks, threads and processes;\n"
    "                       measure, and say which model suits them\n"
    "  urd advise COMMAND   watch any program, and say what binds it and which model fits\n"
    "  urd ps PID           what each job of a live process does or waits for, and who holds that\n"
    "  urd help COMMAND     the options of a command\n"
    "  urd --version        what this is, and what it found on this machine\n"
    "\n"
    "The manual is urd(1).\n";

static int print_version(void)
{
    urd_about about;
    urd_about_get(&about);
    printf("urd %s\n"
           "compiler     %s\n"
           "I/O backend  %s\n"
           "workers      %d\n"
           "task stack   %zu bytes\n"
           "stack guard  %s\n",
           about.version, about.compiler, about.io_backend, about.workers, about.stack_bytes,
           about.stack_guard);
    return fflush(stdout) == 0 ? EXIT_OK : EXIT_JOB;
}

static int print_help(const char *command)
{
    if (!command) {
        fputs(help, stdout);
        return EXIT_OK;
    }
    if (strcmp(command, "compare") == 0) {
        urd__compare_help(stdout);
        return EXIT_OK;
    }
    if (strcmp(command, "ps") == 0) {
        urd__ps_help(stdout);
        return EXIT_OK;
    }
    if (strcmp(command, "advise") == 0) {
        urd__advise_help(stdout);
        return EXIT_OK;
    }
    fprintf(stderr, "urd: there is no command \"%s\"; see: urd help\n", command);
    return EXIT_USAGE;
}

static bool asks_for_help(int argc, char **argv)
{
    bool advise = argc > 0 && strcmp(argv[0], "advise") == 0; /* options of its COMMAND follow */
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0 && !(advise && argv[i][0] != '-'); i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fputs(help, stderr);
        return EXIT_USAGE;
    }
    const char *command = argv[1];
    if (strcmp(command, URD__COMPARE_RUN) == 0)
        return urd__compare_run_main(argc - 1, argv + 1);
    if (strcmp(command, "--version") == 0 || strcmp(command, "version") == 0)
        return print_version();
    if (strcmp(command, "--help") == 0 || strcmp(command, "-h") == 0 ||
        strcmp(command, "help") == 0)
        return print_help(argc > 2 ? argv[2] : NULL);
    if (asks_for_help(argc - 1, argv + 1))
        return print_help(command);
    if (strcmp(command, "compare") == 0)
        return urd__compare_main(argc - 1, argv + 1);
    if (strcmp(command, "ps") == 0)
        return urd__ps_main(argc - 1, argv + 1);
    if (strcmp(command, "advise") == 0)
        return urd__advise_main(argc - 1, argv + 1);
    return print_help(command);
}
