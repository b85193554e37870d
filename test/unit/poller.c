/*
 * poller.c - which backend is used: as asked, or the one that this system allows.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <sys/resource.h>

#include "backends.h"
#include "refuse.h"

static int ends[2];

static int read_letter(void *arg)
{
    char letter;
    return (int)urd_read(*(const int *)arg, &letter, 1) - 1;
}

/* Waits for I/O, and says with which backend. */
static int use(void *arg)
{
    urd_about about;
    urd_scope s;
    make_pair(ends);
    urd_scope_open(&s);
    urd_go(&s, read_letter, &ends[0]);
    CHECK_EQ(urd_yield(), 0);
    CHECK_EQ(urd_sleep(1), 0);
    CHECK_EQ(urd_write(ends[1], "x", 1), 1);
    int rc = urd_scope_join(&s);
    close_pair(ends);
    urd_about_get(&about);
    *(const char **)arg = about.io_backend;
    return rc;
}

static int run_with(urd_io io, const char **backend)
{
    urd_config config = {.workers = 1, .processes = URD_PROCESSES_NONE, .io = io};
    return urd_run(&config, use, backend);
}

static void refuse_rings(int error)
{
    if (!refuse_call(SYS_io_uring_setup, error))
        SKIP("no filter of system calls can be set here");
}

TEST(the_environment_says_which_one)
{
    const char *backend = NULL;
    CHECK_EQ(setenv("URD_IO", "epoll", 1), 0);
    CHECK_EQ(run_with(URD_IO_AUTO, &backend), 0);
    CHECK_STR(backend, "epoll");
    CHECK_EQ(setenv("URD_IO", "auto", 1), 0);
    CHECK_EQ(run_with(URD_IO_EPOLL, &backend), 0);
    CHECK(backend != NULL);
    CHECK_EQ(setenv("URD_IO", "kqueue", 1), 0);
    CHECK_EQ(run_with(URD_IO_AUTO, &backend), -EINVAL);
}

TEST(without_a_runtime_it_says_what_would_be_used)
{
    urd_about about;
    CHECK_EQ(setenv("URD_IO", "epoll", 1), 0);
    urd_about_get(&about);
    CHECK_STR(about.io_backend, "epoll");
}

TEST(where_rings_are_refused_it_is_epoll)
{
    static const int errors[] = {EPERM, ENOSYS, ENOMEM};
    const char *backend = NULL;
    refuse_rings(errors[0]);
    CHECK_EQ(run_with(URD_IO_AUTO, &backend), 0);
    CHECK_STR(backend, "epoll");
    for (size_t i = 1; i < sizeof errors / sizeof *errors; i++) {
        refuse_rings(errors[i]);
        CHECK_EQ(run_with(URD_IO_AUTO, &backend), 0);
        CHECK_STR(backend, "epoll");
    }
}

static void ask_for_a_ring(void)
{
    const char *backend = NULL;
    refuse_rings(EPERM);
    CHECK_EQ(run_with(URD_IO_URING, &backend), -ENOSYS);
}

TEST(a_ring_that_is_asked_for_and_refused_is_an_error)
{
    struct test_child child;
    enum { SKIPPED = 77 };
    test_fork(&child, ask_for_a_ring);
    if (child.code == SKIPPED)
        SKIP("no filter of system calls can be set here");
    CHECK_EQ(child.code, 0);
    CHECK_CONTAINS(child.err, "io_uring");
}

static int out_of_descriptors(void *arg)
{
    (void)arg;
    char letter;
    make_pair(ends);
    struct rlimit none = {.rlim_cur = (rlim_t)ends[1] + 1, .rlim_max = 1024};
    if (setrlimit(RLIMIT_NOFILE, &none) != 0)
        SKIP("the limit of descriptors cannot be set here");
    CHECK_EQ(urd_read(ends[0], &letter, 1), -EMFILE);
    none.rlim_cur = none.rlim_max;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_deadline(&s, urd_now() + URD_MS);
    CHECK_EQ(urd_read(ends[0], &letter, 1), -ECANCELED); /* now it waits */
    CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
    close_pair(ends);
    return 0;
}

TEST(without_a_descriptor_for_the_poller_a_wait_fails_and_a_later_one_does_not)
{
    run_real(1, out_of_descriptors);
}
