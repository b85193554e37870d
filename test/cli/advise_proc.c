/*
 * advise_proc.c - the kernel's lines taken apart: threads, calls, descriptors, sockets, Python.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "advise/call.h"
#include "advise/fd.h"
#include "advise/proc.h"
#include "advise/python.h"
#include "test.h"
#include "urd.h"

TEST(schedstat_is_three_numbers)
{
    urd__schedstat s;
    CHECK(urd__proc_schedstat("4900372 16250 41\n", &s));
    CHECK_EQ(s.cpu, 4900372);
    CHECK_EQ(s.ready, 16250);
    CHECK_EQ(s.slices, 41);
    CHECK(!urd__proc_schedstat("", &s));
}

TEST(a_call_has_a_number_and_arguments)
{
    urd__call call;
    urd__proc_call("0 0x3 0x7fa13c08d000 0x20000 0x0 0xffffffff 0x1 0x7ffcae55d378 0x7fa2ad\n",
                   &call);
    CHECK_EQ(call.kind, CALL_SYSTEM);
    CHECK_EQ(call.number, 0);
    CHECK_EQ(call.args[0], 3);
    CHECK_EQ(call.args[2], 0x20000);
    CHECK_EQ(call.args[5], 1);
    CHECK_EQ(call.sp, 0x7ffcae55d378);
    CHECK_EQ(call.pc, 0x7fa2ad);
    urd__proc_call("running\n", &call);
    CHECK_EQ(call.kind, CALL_RUNNING);
    urd__proc_call("-1 0x7ffc 0x55aa\n", &call);
    CHECK_EQ(call.kind, CALL_NONE);
    CHECK_EQ(call.sp, 0x7ffc);
    urd__proc_call("", &call);
    CHECK_EQ(call.kind, CALL_HIDDEN);
}

TEST(a_name_in_stat_may_hold_parentheses)
{
    urd__stat stat;
    CHECK(urd__proc_stat("12 (a) b) c) S 7 12 12 0 -1 4194304 98 0 5 0 1 2 0 0 20 0 3 0 99 "
                         "3100000 408 18446744073709551615",
                         &stat));
    CHECK_STR(stat.name, "a) b) c");
    CHECK_EQ(stat.state, 'S');
    CHECK_EQ(stat.parent, 7);
    CHECK_EQ(stat.minor_faults, 98);
    CHECK_EQ(stat.major_faults, 5);
    CHECK_EQ(stat.threads, 3);
    CHECK_EQ(stat.resident_pages, 408);
    CHECK(!urd__proc_stat("12 no name", &stat));
}

TEST(links_tell_what_a_descriptor_is)
{
    CHECK_EQ(urd__fd_kind_of_link("pipe:[881]"), FD_PIPE);
    CHECK_EQ(urd__fd_kind_of_link("socket:[881]"), FD_SOCKET);
    CHECK_EQ(urd__fd_kind_of_link("/dev/pts/3"), FD_TERMINAL);
    CHECK_EQ(urd__fd_kind_of_link("/dev/null"), FD_NULL);
    CHECK_EQ(urd__fd_kind_of_link("/home/a/pipe:"), FD_FILE);
    CHECK_EQ(urd__fd_kind_of_link("anon_inode:[eventfd]"), FD_EVENT);
    CHECK_EQ(urd__fd_kind_of_link("anon_inode:[timerfd]"), FD_TIMER);
    CHECK_EQ(urd__fd_kind_of_link("anon_inode:[pidfd]"), FD_CHILD);
    CHECK_EQ(urd__fd_kind_of_link("anon_inode:[other]"), FD_OTHER);
}

TEST(an_epoll_instance_lists_what_it_watches)
{
    int fds[4];
    const char *text = "pos:\t0\nflags:\t02\ntfd:        5 events:       19 data: 5\n"
                       "tfd:       17 events: 1 data: 0\n";
    CHECK_EQ(urd__fd_parse_epoll(text, fds, 4), 2);
    CHECK_EQ(fds[0], 5);
    CHECK_EQ(fds[1], 17);
    CHECK_EQ(urd__fd_parse_epoll(text, fds, 1), 1);
    CHECK_EQ(urd__fd_parse_epoll("", fds, 4), 0);
}

TEST(sockets_are_asked_what_they_are)
{
    urd__process process = {.pid = getpid()};
    int net = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), pair[2];
    CHECK_EQ(urd__fd_of(&process, net, 1)->kind, FD_SOCKET);
    CHECK_EQ(listen(net, 1), 0);
    CHECK_EQ(urd__fd_of(&process, net, URD_SECOND)->kind, FD_LISTENING); /* asked again, later */
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    CHECK_EQ(urd__fd_of(&process, pair[0], 1)->kind, FD_PIPE_OWN);
    close(net);
    pid_t child = fork();
    if (child == 0)
        for (;;)
            pause();
    urd__process of_child = {.pid = child, .parent = getpid()}; /* by its parent, who made it */
    CHECK_EQ(urd__fd_of(&of_child, pair[1], 1)->kind, FD_PIPE_OWN);
    of_child.parent = 1; /* by a stranger */
    CHECK_EQ(urd__fd_of(&of_child, pair[1], URD_SECOND)->kind, FD_LOCAL);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    close(pair[0]);
    close(pair[1]);
}

TEST(what_an_event_loop_waits_for_is_what_it_watches)
{
    urd__interest own = {0}, net = {0};
    own.count[FD_EVENT] = own.count[FD_PIPE_OWN] = 1; /* to wake itself */
    CHECK_EQ(urd__call_interest(&own, true), STATE_TIMER);
    CHECK_EQ(urd__call_interest(&own, false), STATE_WORK);
    net = own;
    net.count[FD_SOCKET] = 1;
    CHECK_EQ(urd__call_interest(&net, true), STATE_NET);
    own.count[FD_LISTENING] = 1; /* clients that do not come */
    CHECK_EQ(urd__call_interest(&own, false), STATE_WORK);
    CHECK_EQ(urd__call_interest(&own, true), STATE_WORK);
    own.count[FD_TERMINAL] = 1;
    CHECK_EQ(urd__call_interest(&own, false), STATE_TERMINAL);
}

/* Of this very process, as if it were another. */
static urd__state state_of(long number, uint64_t first, uint64_t second, uint64_t third)
{
    urd__process process = {.pid = getpid()};
    urd__call call = {.kind = CALL_SYSTEM, .number = number, .args = {first, second, third}};
    urd__wait wait;
    urd__call_wait(&process, &call, 1000, &wait);
    return wait.state;
}

TEST(calls_are_told_by_their_descriptors)
{
    int ends[2];
    CHECK_EQ(pipe(ends), 0);
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    CHECK_EQ(state_of(SYS_read, (uint64_t)file, 0, 0), STATE_DISK);
    CHECK_EQ(state_of(SYS_read, (uint64_t)ends[0], 0, 0), STATE_WORK); /* both ends are its own */
    close(ends[1]);
    CHECK_EQ(state_of(SYS_clock_nanosleep, 0, 0, 0), STATE_TIMER);
    CHECK_EQ(state_of(SYS_wait4, 0, 0, 0), STATE_JOIN);
    CHECK_EQ(state_of(SYS_fsync, (uint64_t)file, 0, 0), STATE_DISK);
    CHECK_EQ(state_of(SYS_flock, (uint64_t)file, 0, 0), STATE_LOCK);
    CHECK_EQ(state_of(SYS_getpid, 0, 0, 0), STATE_UNKNOWN);
    close(ends[0]);
    close(file);
}

TEST(a_poll_of_nothing_is_a_sleep)
{
#ifdef SYS_poll
    CHECK_EQ(state_of(SYS_poll, 0, 0, 1000), STATE_TIMER);
    CHECK_EQ(state_of(SYS_poll, 0, 0, (uint64_t)-1), STATE_WORK);
#else
    SKIP("there is no poll here");
#endif
}

TEST(lines_of_python_code_are_counted_from_the_table)
{
    /* def f():        first line 3
     *     x = g()     short form, 3 units, + 1 by a form of one line
     *     return x    2 units, + 1
     * and one that belongs to no line. */
    const unsigned char table[] = {0x80 | (10 << 3) | 0, 0,    0, /* 1 unit of line 3 */
                                   0x80 | (11 << 3) | 2, 4,    8, /* 3 units, the next line */
                                   0x80 | (13 << 3) | 1, 0x02,    /* 2 units, + 1 as signed */
                                   0x80 | (15 << 3) | 0};
    int bytes = (int)sizeof table;
    CHECK_EQ(urd__python_line(table, bytes, 3, 0), 3);
    CHECK_EQ(urd__python_line(table, bytes, 3, 1), 4);
    CHECK_EQ(urd__python_line(table, bytes, 3, 3), 4);
    CHECK_EQ(urd__python_line(table, bytes, 3, 4), 5);
    CHECK_EQ(urd__python_line(table, bytes, 3, 6), 0);
    CHECK_EQ(urd__python_line(table, bytes, 3, 99), 0);
    CHECK_EQ(urd__python_line(table, 0, 3, 0), 0);
}

TEST(a_map_grows_and_forgets)
{
    urd__map *map = urd__map_new();
    for (int i = 1; i <= 5000; i++)
        CHECK(urd__map_put(map, i * 7, i));
    for (int i = 1; i <= 5000; i += 2)
        urd__map_remove(map, i * 7);
    for (int i = 1; i <= 5000; i++)
        CHECK_EQ(urd__map_get(map, i * 7), i % 2 ? -1 : i);
    CHECK_EQ(urd__map_get(map, 3), -1);
    urd__map_free(map);
}
