/*
 * urd_mpi.h - pools whose workers are on many machines: ranks of MPI.
 *
 * SPDX-License-Identifier: MIT
 *
 * A library of its own, on MPI: `pkg-config --libs urdume-mpi`.
 *
 *     static int run(void *arg)                    at rank 0 alone; the others serve
 *     {
 *         urd_pool *p;
 *         int rc = urd_mpi_pool_open(&p, URD_PROCESS, 0, NULL);
 *         rc = urd_pool_map(p, fn, in, out, n);    and all other calls of pool.h
 *         urd_pool_close(p);
 *     }
 *
 *     int main(void) { return urd_mpi_run(NULL, run, NULL) != 0; }
 *
 *     mpirun -n 8 ./prog
 *
 * Rank 0 runs the program, and all ranks, 0 too, run the jobs of its pools, each by a pool of its
 * own.  Arguments and results go as bytes: a pointer among them means nothing elsewhere.  A
 * function is found by the build id of its program or library and its place there, so all ranks
 * must run the same build, linked with one (-Wl,--build-id); addresses may differ.
 *
 * A worker that dies loses its job alone, as in any pool: with workers that are processes a crash
 * reaches no rank.  A rank that dies is another thing.  By default mpirun and srun end all ranks
 * then, and say which it was.  Started by `mpirun --enable-recovery` on one machine, the others
 * live on: who is not heard of for 10 s (URD_MPI_LOST_MS, in milliseconds) is taken as lost, what
 * it had is run elsewhere where `retries_max` allows it, and fails with -ECHILD where not.  Between
 * machines MPI itself may end all ranks when a connection breaks.
 */
#ifndef URD_MPI_H
#define URD_MPI_H

#include "urd.h"

URD_BEGIN_DECLS

/*
 * Run fn(arg) at rank 0 as urd_run() does, and serve its pools at the others until it returns.  To
 * be called once, by all ranks, in place of urd_run, MPI_Init and MPI_Finalize; without mpirun
 * there is one rank.  The result of fn, at every rank; -ENOEXEC the ranks do not run the same
 * build, or it has no build id, and stderr says which; -EIO MPI could not be set up; errors of
 * urd_run.
 *
 * All calls of MPI are made by one thread of this library, which asks MPI for MPI_THREAD_FUNNELED:
 * no other may call MPI.  MPI has no "ready" to wait for, so that thread looks, and sleeps in
 * between, from 20 us on when something goes on up to 1 ms when nothing does.
 */
int urd_mpi_run(const urd_config *cfg, urd_fn *fn, void *arg) URD_MUST_USE;

/* How many ranks there are, and which this is; in a worker process 0 and -1. */
int urd_mpi_ranks(void);
int urd_mpi_rank(void);

/*
 * Open a pool at every rank: `workers` workers of the kind at each; 0: as many as there are
 * processors for each rank of its machine.  At rank 0, in urd_mpi_run().  Waits until all have
 * opened theirs.  Every rank gets one more load than it has workers, so that none waits for the
 * next; small jobs go many at once, as many as take a millisecond.
 *
 * Of the options, `name`, `begin`, `end`, jobs_max, retries_max, restarts_max and restart_duration
 * are those of the pools at the ranks; `arg` must be NULL, and workers_min, idle_duration,
 * process and carrier 0.  The detail of a job that failed begins with its rank: "rank 3: killed by
 * SIGKILL".
 * A cancel of the scope, or its deadline, reaches the jobs at all ranks.
 *
 * 0; -EINVAL as urd_pool_open, an option of which there is none here, or a function of no object
 * with a build id; -ECANCELED; -ECHILD a rank was lost; the error of the first rank that could not
 * open its pool.  *p is NULL then.  Of the calls: besides what pool.h says -EMSGSIZE, an argument
 * or result is larger than 1 GiB; -ENOEXEC a rank has not loaded the library that fn is in.
 */
int urd_mpi_pool_open(urd_pool **p, urd_kind kind, int workers, const urd_pool_options *o)
    URD_MUST_USE;

URD_END_DECLS

#endif
