/*
 * mpi.c - how near to the ideal does a map over ranks come, when its jobs are large?
 *
 * SPDX-License-Identifier: MIT
 *
 *     bench_mpi [ROUNDS]
 *
 * The ideal: as many processes as there are processors, each with its equal part of the jobs and
 * nothing to say to anybody.  Ours: as many ranks.  Both are started by mpirun, since the kernel
 * may give what that starts a share of its own; what it takes to start is not counted.
 *
 * Sketch: 200 jobs of 10 ms.  A rank has its next job already, so it never waits; what is lost is
 * the uneven end, half a job in 100, and the look of the thread at MPI each millisecond, 1 %.
 */
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "urd_mpi.h"

enum { JOBS = 200, STEPS = 5000000 };

static int jobs = JOBS;

__attribute__((noinline)) static int job(const void *in, void *out)
{
    unsigned x = *(const unsigned *)in;
    for (int i = 0; i < STEPS; i++)
        x = x * 1664525 + 1013904223;
    *(unsigned *)out = x;
    return 0;
}

/* This process's equal part, and how many seconds it took. */
static int run_part(void)
{
    const char *rank = getenv("OMPI_COMM_WORLD_RANK"), *ranks = getenv("OMPI_COMM_WORLD_SIZE");
    unsigned sum = 0, parts = ranks ? (unsigned)atoi(ranks) : 1;
    urd_time start = urd_now();
    for (unsigned i = rank ? (unsigned)atoi(rank) : 0; i < (unsigned)jobs; i += parts) {
        unsigned out;
        job(&i, &out);
        sum += out;
    }
    printf("%.6f\n", (double)(urd_now() - start) / URD_SECOND);
    return sum == 1;
}

/* At rank 0: prints how many seconds the map took. */
static int run_map(void *unused)
{
    static unsigned in[JOBS], out[JOBS];
    urd_pool *p;
    (void)unused;
    for (unsigned i = 0; i < JOBS; i++)
        in[i] = i;
    bench_must(urd_mpi_pool_open(&p, URD_THREAD, 1, NULL), "urd_mpi_pool_open");
    urd_time start = urd_now();
    bench_must(urd_pool_map(p, job, in, out, (size_t)jobs), "urd_pool_map");
    printf("%.6f\n", (double)(urd_now() - start) / URD_SECOND);
    return urd_pool_close(p);
}

/* The longest of the times that are printed. */
static double run(const char *program, const char *how, int ranks)
{
    char command[1024], line[64] = "";
    double most = 0;
    snprintf(command, sizeof command, "mpirun --oversubscribe --allow-run-as-root -n %d '%s' %s %d",
             ranks, program, how, jobs);
    FILE *file = popen(command, "r");
    bench_must(file ? 0 : -1, command);
    while (fgets(line, sizeof line, file))
        most = strtod(line, NULL) > most ? strtod(line, NULL) : most;
    bench_must(pclose(file) == 0 && most > 0 ? 0 : -1, command);
    return most;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--ranks") == 0) {
        jobs = atoi(argv[2]);
        return urd_mpi_run(NULL, run_map, NULL) != 0;
    }
    if (argc == 3 && strcmp(argv[1], "--part") == 0) {
        jobs = atoi(argv[2]);
        return run_part();
    }
    int rounds = bench_rounds(argc, argv), n = (int)sysconf(_SC_NPROCESSORS_ONLN);
    double ideal = 0, ours = 0;
    jobs = rounds == 1 ? 4 * n : JOBS;
    for (int round = 0; round < rounds; round++) {
        double a = run(argv[0], "--part", n), b = run(argv[0], "--ranks", n);
        ideal = round == 0 || a < ideal ? a : ideal;
        ours = round == 0 || b < ours ? b : ours;
    }
    printf("%d jobs, %d processors\n", jobs, n);
    printf("%-44s %8.1f ms\n", "processes that share nothing: the ideal", ideal * 1e3);
    printf("%-44s %8.1f ms   %6.2f of the ideal\n", "a map over ranks", ours * 1e3, ideal / ours);
    return 0;
}
