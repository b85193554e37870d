/*
 * arm.h - arms of a select that a layer beside sync brings: descriptors.
 *
 * SPDX-License-Identifier: MIT
 *
 * urd_op_fd() puts these into the arm that it makes, so that sync need not know io.  A select calls
 * them so, for as long as it finds that nothing has happened:
 *
 *     begin   enqueue dequeue   enqueue dequeue ...   end
 *             |---- a wait ---|
 */
#ifndef URD_CORE_ARM_H
#define URD_CORE_ARM_H

#include "core/task.h"

typedef struct urd__arm_ops {
    /* What holds now, or an error; -EAGAIN: nothing. */
    int (*attempt)(urd_op *op);
    /* Before the first wait: for all of this kind among the n.  0, or -errno: nothing to end. */
    int (*begin)(urd__task *self, urd_op *ops, unsigned n, urd__polled *polled);
    /* From here on it may claim the wait of op->waiter, which has begun.  0; or it may not: -EAGAIN
     * is to be attempted again, else the result of the arm. */
    int (*enqueue)(urd__task *self, urd_op *op);
    /* The wait is over, and nobody knows it any more when this returns. */
    void (*dequeue)(urd__task *self, urd_op *op);
    void (*end)(urd__task *self, urd_op *ops, unsigned n, urd__polled *polled);
} urd__arm_ops;

#endif
