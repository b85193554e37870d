/*
 * link.h - messages between ranks, and who does what with them.
 *
 * SPDX-License-Identifier: MIT
 *
 * This library uses urd.h and MPI alone, as any program could.
 *
 *     rank 0: a worker of the pool, a task     any rank
 *        carry()   JOB  ->  link  - - - ->  link  ->  keeper of the pool  ->  a task for each load
 *                 DONE  <-  link  <- - - -  link  <-                           urd_pool_submit
 *
 * The link is one thread a rank, which makes all calls of MPI and owns all that is said to be its
 * own below: so nothing here has a lock.  Others give it messages through `out`; a message belongs
 * to who has it.  Rank 0 sends to itself by the same way, without MPI.
 */
#ifndef URD_MPI_LINK_H
#define URD_MPI_LINK_H

#include <mpi.h>

#include "urd_mpi.h"

typedef enum urd__mpi_what {
    URD__MPI_BEAT,   /* I live */
    URD__MPI_OPEN,   /* to all: open a pool */
    URD__MPI_OPENED, /* result, and n workers */
    URD__MPI_JOB,    /* n elements, the arguments behind */
    URD__MPI_DONE,   /* result, failed, text, n that were begun; the results behind */
    URD__MPI_CANCEL, /* to all: of a pool */
    URD__MPI_CLOSE,  /* to all */
    URD__MPI_CLOSED, /* result */
    URD__MPI_STOP    /* to all: rank 0 has ended with the result */
} urd__mpi_what;

/* A function: a hash of the build id of its object, and where it is there.  0: none. */
typedef struct urd__mpi_name {
    uint64_t object, offset;
} urd__mpi_name;

/* On the way as it is: all ranks run the same build. */
typedef struct urd__mpi_head {
    urd__mpi_what what;
    int result;
    uint64_t pool; /* its address at rank 0 */
    uint64_t call; /* the same of a call */
    urd__mpi_name fn, begin, end;
    uint64_t in_bytes, out_bytes, n, failed;
    int kind, workers, jobs_max, retries_max, restarts_max;
    urd_time restart_duration;
    char text[48]; /* the name of a pool; the detail of an error */
} urd__mpi_head;

typedef struct urd__mpi_message {
    struct urd__mpi_message *next; /* of the link */
    int rank;                      /* to which, or from which */
    MPI_Request request;           /* of the link */
    bool sending;                  /* of the link: MPI reads it */
    bool kept;                     /* of the link: not to be freed when it is sent */
    size_t bytes;                  /* behind the head */
    urd__mpi_head head;
    unsigned char data[];
} urd__mpi_message;

enum { URD__MPI_BYTES_MAX = 1 << 30, URD__MPI_RANKS_MAX = 4096 };

/* ---- link.c ---- */

/* NULL: there is no memory. */
urd__mpi_message *urd__mpi_make(urd__mpi_what what, size_t bytes);

/* One without which another rank would wait for ever: if there is no memory, the program ends. */
urd__mpi_message *urd__mpi_must_make(urd__mpi_what what, size_t bytes);

/* Give it to the link, at any time, by any job but the link.  Does not wait for the other end. */
void urd__mpi_post(urd__mpi_message *m);

/* By the link alone: send a message to its rank; when it is gone it is freed, unless it is kept. */
void urd__mpi_send(urd__mpi_message *m);

/* By the link alone. */
bool urd__mpi_is_lost(int rank);

/* Wait for the event, whatever is cancelled. */
void urd__mpi_await(urd_event *e);

/* ---- carry.c: at rank 0 ---- */

/* By the link: a message that one of its jobs has posted; an answer; a rank is lost. */
void urd__mpi_ask(urd__mpi_message *m);
void urd__mpi_answer(urd__mpi_message *m);
void urd__mpi_lose(int rank);

/* ---- serve.c: at every rank ---- */

/* By the link: a message of rank 0, which goes with it.  Jobs are started in the scope. */
void urd__mpi_serve(urd_scope *s, urd__mpi_message *m);

/* How many workers a pool has if it is not said. */
void urd__mpi_serve_begin(int workers);

/* ---- name.c ---- */

/* -EINVAL: it is in no object with a build id. */
int urd__mpi_name_of(uintptr_t address, urd__mpi_name *out);

/* 0: no object with that build id is loaded. */
uintptr_t urd__mpi_find(const urd__mpi_name *name);

/* The build id of the program, hashed; 0: it has none. */
uint64_t urd__mpi_program(void);

#endif
