/*
 * job_local.c - values that a job has for itself, destroyed as it ends.
 *
 * SPDX-License-Identifier: MIT
 *
 * They hang on the task, or the thread, that runs the job, the newest first.  A job that runs on
 * the stack of another, as a join does it, ends before that one goes on: so its values lie on top,
 * and each bears its job's name, to tell them from those below.  A job without any costs a look at
 * the list as it ends.
 *
 * A destructor may read what is not yet destroyed, and set values anew, which are destroyed in the
 * next round: so a mark is put on top as a round begins, and what is below it belongs to the round.
 *
 * Rejected: a slot a local in the job's descriptor (64 bytes, one cache line, that most jobs would
 * fill with nothing); nodes in the memory of who sets them, as urd_local_set() has them (a job's
 * own frames are gone before its destructors run, and nobody would expect it).
 */
#include <errno.h>

#include "base/check.h"
#include "base/os.h"
#include "core/task.h"
#include "core/worker.h"

struct urd__job_value {
    struct urd__job_value *next;
    const urd__job *job;        /* whose it is; NULL: of a thread that is no job */
    const urd_job_local *local; /* NULL: the mark of a round */
    void *value;
};

typedef struct urd__job_value job_value;

static bool owned(const urd__task *self, const job_value *v)
{
    return v && v->job == self->job;
}

/* Where the pointer to it is, or a pointer that is no value of this job. */
static job_value **find(urd__task *self, const urd_job_local *local)
{
    job_value **at = &self->values;
    while (owned(self, *at) && (*at)->local != local)
        at = &(*at)->next;
    return at;
}

static void *take(job_value **at)
{
    job_value *v = *at;
    void *value = v->value;
    *at = v->next;
    urd__os_free(v);
    return value;
}

void urd__job_values_destroy(urd__task *self)
{
    job_value mark = {.job = self->job};
    for (int round = 0; owned(self, self->values); round++) {
        if (round == URD_JOB_LOCAL_ROUNDS)
            urd__die("destructors of a urd_job_local have set values %d times over", round);
        mark.next = self->values;
        self->values = &mark;
        while (owned(self, mark.next)) {
            void (*destroy)(void *) = mark.next->local->destroy;
            void *value = take(&mark.next);
            if (destroy)
                destroy(value);
        }
        *find(self, NULL) = mark.next;
    }
}

static void end_of_thread(void *task)
{
    urd__job_values_destroy(task);
}

static int add(urd__task *self, const urd_job_local *local, void *value)
{
    int rc = self->job ? 0 : urd__os_at_thread_end(end_of_thread, self);
    if (rc)
        return rc;
    job_value *v = urd__os_alloc(sizeof *v);
    if (!v)
        return -ENOMEM;
    *v = (job_value){.next = self->values, .job = self->job, .local = local, .value = value};
    self->values = v;
    return 0;
}

int urd_job_local_set(const urd_job_local *local, void *value)
{
    urd__task *self = urd__task_self();
    job_value **at = find(self, local);
    if (!owned(self, *at))
        return value ? add(self, local, value) : 0;
    if (value)
        (*at)->value = value;
    else
        take(at);
    return 0;
}

void *urd_job_local_get(const urd_job_local *local)
{
    urd__task *self = urd__task_self();
    const job_value *v = *find(self, local);
    return owned(self, v) ? v->value : NULL;
}
