/*
 * loop.c - an event loop that has something to do all the time.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

/* loop SECONDS: a byte goes around through a pair of pipes, with some work on each turn. */
int main(int argc, char **argv)
{
    time_t end = time(NULL) + (argc > 1 ? atoi(argv[1]) : 2) + 1;
    int ends[2], epoll = epoll_create1(0);
    if (pipe(ends) != 0 || epoll < 0)
        return 1;
    struct epoll_event event = {.events = EPOLLIN};
    epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event);
    uint64_t x = 1;
    char byte = 0;
    while (time(NULL) < end) {
        if (write(ends[1], &byte, 1) != 1 || epoll_wait(epoll, &event, 1, -1) != 1 ||
            read(ends[0], &byte, 1) != 1)
            return 1;
        for (int i = 0; i < 20000; i++)
            x = x * 6364136223846793005u + 1442695040888963407u;
    }
    return x == 1;
}
