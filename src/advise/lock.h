/*
 * lock.h - is a futex a lock that somebody holds, and who is it?
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_ADVISE_LOCK_H
#define URD_ADVISE_LOCK_H

#include "advise/advise.h"
#include "advise/call.h"
#include "advise/python.h"

/* What a thread that waits on a futex waits for; makes a note of a lock.  *place gets the name of
 * the function where that is known anyway. */
urd__state urd__lock_look(urd__watched *w, urd__thread *thread, const urd__wait *wait, char *place);

/* The note on the lock a thread waits for; NULL: none. */
urd__lock_seen *urd__lock_note(urd__watched *w, pid_t pid, uint64_t address);

/* "function (file:line)" of a Python frame. */
void urd__lock_frame_text(const urd__python_frame *frame, char *out, size_t size);

#endif
