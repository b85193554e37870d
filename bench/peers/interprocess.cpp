/*
 * interprocess.cpp - the rows of the comparison in Boost.Interprocess.
 *
 * SPDX-License-Identifier: MIT
 */
#include <new>
#include <string>

#include <sys/mman.h>
#include <sys/wait.h>

#include <boost/interprocess/ipc/message_queue.hpp>
#include <boost/interprocess/sync/interprocess_mutex.hpp>

#include "peer.h"

namespace ipc = boost::interprocess;

static void chan_process(peer_args a)
{
    std::string name = "urdume-peers-" + std::to_string(getpid());
    ipc::message_queue queue(ipc::create_only, name.c_str(), 1024, sizeof(peer_message));
    ipc::message_queue::remove(name.c_str()); /* it stays until both have let go of it */
    pid_t child = fork();
    if (child == 0) {
        peer_message m = {};
        for (; m.number < a.times; m.number++)
            queue.send(&m, sizeof m, 0);
        _exit(0);
    }
    long sum = 0;
    int64_t start = 0;
    for (long i = 0; i < a.times; i++) {
        peer_message m;
        ipc::message_queue::size_type bytes;
        unsigned priority;
        queue.receive(&m, sizeof m, bytes, priority);
        sum += m.number;
        if (i == 0)
            start = peer_now();
    }
    peer_say_messages(start, a.times, sum);
    waitpid(child, nullptr, 0);
}

static void mutex_process(peer_args a)
{
    void *at = mmap(nullptr, sizeof(ipc::interprocess_mutex), PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        peer_fail("mmap");
    auto *mutex = new (at) ipc::interprocess_mutex;
    long counter = 0;
    for (int round = 0; round < 2; round++) {
        int64_t start = peer_now();
        for (long i = 0; i < a.times; i++) {
            mutex->lock();
            counter++;
            mutex->unlock();
        }
        if (round)
            peer_say_each("mutex-process", start, counter / 2);
    }
}

int main(int argc, char **argv)
{
    static const peer_row rows[] = {
        {"chan-process", chan_process}, {"mutex-process", mutex_process}, {nullptr, nullptr}};
    return peer_main(argc, argv, rows);
}
