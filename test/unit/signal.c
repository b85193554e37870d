/*
 * signal.c - signals arrive as values, and Ctrl-C ends a program in order.
 *
 * SPDX-License-Identifier: MIT
 */
#include "io/signal.h"

#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "backends.h"

static urd_signal signals;

/* A shell starts what it runs in the background with an ignored Ctrl-C. */
__attribute__((constructor)) static void as_in_the_foreground(void)
{
    static const int signals_used[] = {SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
    const struct sigaction action = {.sa_handler = SIG_DFL};
    for (size_t i = 0; i < sizeof signals_used / sizeof *signals_used; i++)
        CHECK_EQ(sigaction(signals_used[i], &action, NULL), 0);
}

static void send_signal(int sig)
{
    CHECK_EQ(kill(getpid(), sig), 0);
}

static void open_two(urd_signal *s)
{
    static const int numbers[] = {SIGUSR1, SIGUSR2};
    CHECK_EQ(urd_signal_open(s, numbers, 2), 0);
}

/* ---- Values ---------------------------------------------------------------------------------- */

static int receive(void *number)
{
    CHECK_EQ(urd_signal_recv(&signals), *(const int *)number);
    return 0;
}

/* The first job sends: ThreadSanitizer keeps a signal that strikes its thread while it sleeps. */
static int wait_for_signal(void *arg)
{
    static int number = SIGUSR1;
    (void)arg;
    open_two(&signals);
    for (int kind = URD_TASK; kind <= URD_THREAD; kind++) {
        urd_time start = urd_now();
        urd_scope s;
        urd_scope_open(&s);
        urd_spawn(&s, (urd_kind)kind, receive, &number, 0);
        CHECK_EQ(urd_sleep(URD_SECOND), 0);
        send_signal(number);
        CHECK_EQ(urd_scope_join(&s), 0);
        CHECK_EQ(urd_now(), start + URD_SECOND);
    }
    urd_signal_close(&signals);
    return 0;
}

TEST(a_task_or_thread_waits_for_a_signal_and_gets_its_number)
{
    run_io(4, wait_for_signal);
}

static void own_handler(int sig)
{
    (void)sig;
}

static int put_in_force_between(void *arg)
{
    (void)arg;
    const struct sigaction own = {.sa_handler = own_handler};
    struct sigaction now;
    urd_signal others;
    open_two(&signals);
    CHECK_EQ(sigaction(SIGUSR1, &own, NULL), 0);
    open_two(&others);
    urd_signal_close(&signals);
    urd_signal_close(&others);
    CHECK_EQ(sigaction(SIGUSR1, NULL, &now), 0);
    CHECK(now.sa_handler == own_handler);
    return 0;
}

TEST(a_handler_put_in_force_between_two_receivers_comes_back)
{
    run_io(1, put_in_force_between);
}

static int from_outside(void *arg)
{
    (void)arg;
    open_two(&signals);
    pid_t parent = getpid(), child = fork();
    if (child == 0)
        _exit(kill(parent, SIGUSR2) != 0);
    CHECK_GT(child, 0);
    CHECK_EQ(urd_signal_recv(&signals), SIGUSR2);
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    urd_signal_close(&signals);
    return 0;
}

TEST(another_program_wakes_one_that_sleeps)
{
    if (test_under_slow_tool())
        SKIP("ThreadSanitizer keeps a signal that strikes a thread while it sleeps");
    run_io(4, from_outside);
}

static int several(void *arg)
{
    (void)arg;
    urd_signal others;
    open_two(&signals);
    open_two(&others);
    CHECK_EQ(urd_signal_tryrecv(&signals), -EAGAIN);
    send_signal(SIGUSR2);
    send_signal(SIGUSR1);
    send_signal(SIGUSR1);
    CHECK_EQ(urd_signal_recv(&signals), SIGUSR1);
    CHECK_EQ(urd_signal_recv(&signals), SIGUSR2);
    CHECK_EQ(urd_signal_tryrecv(&signals), -EAGAIN);
    CHECK_EQ(urd_signal_tryrecv(&others), SIGUSR1);
    urd_signal_close(&signals);
    send_signal(SIGUSR1);
    CHECK_EQ(urd_signal_recv(&others), SIGUSR1);
    CHECK_EQ(urd_signal_recv(&others), SIGUSR2);
    urd_signal_close(&others);
    return 0;
}

TEST(each_that_has_it_open_gets_a_signal_once_lowest_number_first)
{
    run_io(1, several);
}

static int receive_any(void *got)
{
    *(int *)got = urd_signal_recv(&signals);
    return 0;
}

static int two_at_once(void *arg)
{
    int got[2];
    (void)arg;
    open_two(&signals);
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, receive_any, &got[0]);
    urd_spawn(&s, URD_THREAD, receive_any, &got[1], 0);
    CHECK_EQ(urd_sleep(URD_SECOND), 0); /* both wait for one event, which one of them clears */
    send_signal(SIGUSR2);
    send_signal(SIGUSR1);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(got[0] + got[1], SIGUSR1 + SIGUSR2);
    urd_signal_close(&signals);
    return 0;
}

TEST(what_one_receiver_leaves_the_next_finds)
{
    run_io(4, two_at_once);
}

static int receive_cancelled(void *arg)
{
    (void)arg;
    CHECK_EQ(urd_signal_recv(&signals), -ECANCELED);
    return 0;
}

static int cancelled(void *arg)
{
    (void)arg;
    open_two(&signals);
    for (int kind = URD_TASK; kind <= URD_THREAD; kind++) {
        urd_scope s;
        urd_scope_open(&s);
        urd_scope_deadline(&s, urd_now() + URD_SECOND);
        urd_spawn(&s, (urd_kind)kind, receive_cancelled, NULL, 0);
        CHECK_EQ(urd_scope_wait(&s), -ETIMEDOUT);
        send_signal(SIGUSR1);
        CHECK_EQ(urd_signal_recv(&signals), -ECANCELED); /* it stays there */
        CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
        CHECK_EQ(urd_signal_recv(&signals), SIGUSR1);
    }
    urd_signal_close(&signals);
    return 0;
}

TEST(a_cancelled_wait_takes_no_signal)
{
    run_io(1, cancelled);
}

static int close_late(void *arg)
{
    (void)arg;
    CHECK_EQ(urd_sleep(URD_SECOND), 0);
    urd_signal_close(&signals);
    return 0;
}

static int closed(void *arg)
{
    (void)arg;
    for (int kind = URD_TASK; kind <= URD_THREAD; kind++) {
        urd_scope s;
        urd_scope_open(&s);
        open_two(&signals);
        urd_spawn(&s, (urd_kind)kind, receive_cancelled, NULL, 0);
        urd_go(&s, close_late, NULL);
        CHECK_EQ(urd_scope_join(&s), 0);
        urd_signal_close(&signals); /* once more does no harm */
    }
    return 0;
}

TEST(closing_wakes_who_waits)
{
    run_io(1, closed);
}

static int refused(void *arg)
{
    static const int bad[] = {0, -1, 65, SIGKILL, SIGSTOP, SIGSEGV, SIGABRT, SIGSTKFLT};
    (void)arg;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const int numbers[] = {SIGUSR1, bad[i]};
        CHECK_EQ(urd_signal_open(&signals, numbers, 2), -EINVAL);
    }
    CHECK_EQ(urd_signal_open(&signals, bad, 0), -EINVAL);
    const int internal[] = {SIGUSR1, 32}; /* the C library's own */
    CHECK_EQ(urd_signal_open(&signals, internal, 2), -EINVAL);
    struct sigaction now;
    CHECK_EQ(sigaction(SIGUSR1, NULL, &now), 0);
    CHECK(now.sa_handler == SIG_DFL);
    return 0;
}

TEST(signals_that_cannot_be_values_are_refused)
{
    run_io(1, refused);
}

/* ---- Handlers of the program ----------------------------------------------------------------- */

static int handled; /* atomic */

static void count_signal(int sig)
{
    (void)sig;
    urd__add_ar(&handled, 1);
}

static int around_a_handler(void *arg)
{
    (void)arg;
    int before = urd__load_acq(&handled);
    urd_signal other;
    send_signal(SIGUSR1);
    CHECK_EQ(urd__load_acq(&handled), before + 1);
    open_two(&signals);
    open_two(&other);
    urd_signal_close(&signals);
    send_signal(SIGUSR1);
    CHECK_EQ(urd_signal_recv(&other), SIGUSR1);
    CHECK_EQ(urd__load_acq(&handled), before + 1);
    urd_signal_close(&other);
    send_signal(SIGUSR1);
    CHECK_EQ(urd__load_acq(&handled), before + 2);
    return 0;
}

TEST(a_handler_of_the_program_is_in_force_again_after_the_last_close)
{
    if (test_under_valgrind())
        SKIP("after a handler it takes the frame that runs for memory below the stack");
    struct sigaction action = {.sa_handler = count_signal};
    CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
    run_io(1, around_a_handler);
}

static int set_meanwhile(void *arg)
{
    (void)arg;
    open_two(&signals);
    struct sigaction action = {.sa_handler = count_signal};
    CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
    urd_signal_close(&signals);
    struct sigaction now;
    CHECK_EQ(sigaction(SIGUSR1, NULL, &now), 0);
    CHECK(now.sa_handler == count_signal);
    return 0;
}

TEST(a_handler_that_was_set_meanwhile_stays)
{
    run_real(1, set_meanwhile);
}

/* ---- Ctrl-C ---------------------------------------------------------------------------------- */

static urd_config config(urd_interrupt interrupt)
{
    return (urd_config){.workers = 2, .processes = URD_PROCESSES_NONE, .interrupt = interrupt};
}

static int until_interrupted(void *arg)
{
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, wait_for_ever, NULL);
    urd_spawn(&s, URD_THREAD, wait_for_ever, NULL, 0);
    send_signal(*(const int *)arg);
    CHECK_EQ(urd_scope_join(&s), -ECANCELED);
    puts("unwound");
    fflush(stdout);
    return -ECANCELED;
}

static int number = SIGINT;

static void interrupted_once(void)
{
    urd_config cfg = config(number == SIGINT ? URD_INTERRUPT_CANCEL : URD_INTERRUPT_TERM);
    CHECK_EQ(urd_run(&cfg, until_interrupted, &number), -EINTR);
    CHECK_EQ(urd_run(&cfg, until_interrupted, &number), -EINTR); /* each run has its first one */
}

TEST(an_interrupt_cancels_all_jobs_and_urd_run_returns_EINTR)
{
    struct test_child child;
    for (int i = 0; i < 2; i++) {
        number = i ? SIGTERM : SIGINT;
        test_fork(&child, interrupted_once);
        CHECK_EQ(child.code, 0);
        CHECK_STR(child.out, "unwound\nunwound\n");
        struct sigaction now;
        CHECK_EQ(sigaction(number, NULL, &now), 0);
        CHECK(now.sa_handler == SIG_DFL);
    }
}

static int does_not_listen(void *arg)
{
    (void)arg;
    send_signal(SIGINT);
    while (!urd_cancelled()) /* a job that computes can ask */
        ;
    puts("cancelled");
    fflush(stdout);
    send_signal(SIGINT);
    for (;;)
        pause();
    return 0;
}

static void interrupted_twice(void)
{
    urd_config cfg = config(URD_INTERRUPT_CANCEL);
    CHECK_EQ(urd_run(&cfg, does_not_listen, NULL), 0);
}

TEST(a_second_interrupt_ends_the_program)
{
    struct test_child child;
    test_fork(&child, interrupted_twice);
    CHECK_STR(child.out, "cancelled\n");
    CHECK_EQ(child.signal, SIGINT);
}

static pthread_key_t key;

static void send_late(void *value)
{
    send_signal(*(const int *)value);
}

/* The helper's thread ends, and calls that, when the root scope has been joined. */
static int leave_it_to_the_thread(void *arg)
{
    CHECK_EQ(pthread_setspecific(key, arg), 0);
    return 0;
}

static int interrupted_by_its_helper(void *arg)
{
    return urd_block(leave_it_to_the_thread, arg);
}

static void interrupted_late(void)
{
    urd_config cfg = config(number == SIGINT ? URD_INTERRUPT_CANCEL : URD_INTERRUPT_TERM);
    CHECK_EQ(pthread_key_create(&key, send_late), 0);
    CHECK_EQ(urd_run(&cfg, interrupted_by_its_helper, &number), 0);
    puts("went on");
}

TEST(an_interrupt_that_comes_when_all_jobs_have_ended_ends_the_program)
{
    struct test_child child;
    for (int i = 0; i < 2; i++) {
        number = i ? SIGTERM : SIGINT;
        test_fork(&child, interrupted_late);
        CHECK_STR(child.out, "");
        CHECK_EQ(child.signal, number);
    }
}

static int send_number(void *arg)
{
    (void)arg;
    send_signal(number);
    return urd_sleep(URD_MS);
}

static void not_taken(void)
{
    urd_config cfg = config(number == SIGINT ? URD_INTERRUPT_OFF : URD_INTERRUPT_CANCEL);
    CHECK_EQ(urd_run(&cfg, send_number, NULL), 0);
}

TEST(what_is_not_asked_for_ends_the_program_as_ever)
{
    struct test_child child;
    for (int i = 0; i < 2; i++) {
        number = i ? SIGTERM : SIGINT;
        test_fork(&child, not_taken);
        CHECK_EQ(child.signal, number);
    }
}

TEST(an_interrupt_that_the_program_handles_or_ignores_is_its_own)
{
    urd_config cfg = config(URD_INTERRUPT_TERM);
    struct sigaction action = {.sa_handler = count_signal};
    CHECK_EQ(sigaction(SIGINT, &action, NULL), 0);
    action.sa_handler = SIG_IGN;
    CHECK_EQ(sigaction(SIGTERM, &action, NULL), 0);
    for (int i = 0; i < 2; i++) {
        number = i ? SIGTERM : SIGINT;
        CHECK_EQ(urd_run(&cfg, send_number, NULL), 0);
    }
    CHECK_EQ(urd__load_acq(&handled), 1);
}

static int as_a_value(void *arg)
{
    (void)arg;
    static const int interrupt[] = {SIGINT};
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(urd_signal_open(&signals, interrupt, 1), 0);
        send_signal(SIGINT);
        CHECK_EQ(urd_signal_recv(&signals), SIGINT);
        urd_signal_close(&signals);
    }
    CHECK(!urd_cancelled());
    send_signal(SIGINT);
    CHECK_EQ(urd_sleep(URD_FOREVER), -ECANCELED);
    return 0;
}

TEST(an_open_interrupt_is_a_value_and_cancels_nothing)
{
    if (test_under_valgrind())
        SKIP("after a handler it takes the frame that runs for memory below the stack");
    urd_config cfg = config(URD_INTERRUPT_CANCEL);
    CHECK_EQ(urd_run(&cfg, as_a_value, NULL), -EINTR);
}

static void in_a_fork(void)
{
    send_signal(SIGUSR1);
    for (;;)
        pause();
}

static int fork_inside(void *arg)
{
    (void)arg;
    struct test_child child;
    open_two(&signals);
    test_fork(&child, in_a_fork);
    CHECK_EQ(child.signal, SIGUSR1);
    CHECK_EQ(urd_signal_tryrecv(&signals), -EAGAIN);
    urd_signal_close(&signals);
    return 0;
}

TEST(a_process_made_by_fork_does_what_it_did_before)
{
    if (test_under_slow_tool())
        SKIP("ThreadSanitizer delivers no signal in a fork of a program with threads");
    run_real(1, fork_inside);
}

/* ---- Process jobs ---------------------------------------------------------------------------- */

/* As a terminal sends it to all processes in the foreground. */
static int ctrl_c(void *arg)
{
    (void)arg;
    siginfo_t info = {.si_signo = SIGINT, .si_code = SI_KERNEL};
    CHECK_EQ(syscall(SYS_rt_sigqueueinfo, getpid(), SIGINT, &info), 0);
    CHECK(!urd_cancelled());
    send_signal(SIGINT); /* one that is meant for it */
    CHECK_EQ(urd_sleep(URD_FOREVER), -ECANCELED);
    return -ECANCELED;
}

static int start_job(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_scope_open(&s);
    urd_spawn(&s, URD_PROCESS, ctrl_c, NULL, 0);
    CHECK_EQ(urd_scope_join(&s), -EINTR);
    return 0;
}

TEST(a_ctrl_c_to_a_whole_program_leaves_its_process_jobs_to_their_parent)
{
    if (test_under_slow_tool())
        SKIP("the tool changes where a signal says it comes from");
    urd_config cfg = {.workers = 1};
    test_run_with(&cfg, start_job, NULL);
}
