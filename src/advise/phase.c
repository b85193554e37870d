/*
 * phase.c - part the time where a program changes its nature.
 *
 * SPDX-License-Identifier: MIT
 *
 * Each window is a point: how active the program was, on how many cores, and what it waited for.
 * A stretch is cut in two where that makes its windows most alike on both sides, if the two sides
 * then differ enough; and so on.  A program that computes and waits in turns faster than a
 * phase may be short is one mixture: its windows do not differ enough from each other on average.
 */
#include <string.h>

#include "advise/advise.h"
#include "urd.h"

enum { POINTS_MAX = WINDOWS_MAX, AXES = 3 + STATES };

static const double differ = 0.45;         /* distance of two phases' means */
static const double shortest_share = 0.06; /* of the whole time */
static const double shortest = 150e6;      /* ns */
static const double cores_most = 2;        /* more do not make a phase more different */

typedef struct point {
    double axis[AXES];
} point;

static double at_most(double value, double most)
{
    return value < most ? value : most;
}

static point point_of(const urd__sum *s)
{
    point p = {0};
    double span = s->span > 0 ? s->span : 1;
    double own = s->ran + s->span - s->active; /* without the time that others had the cores */
    double cores = (s->in[STATE_RUN] + s->in[STATE_READY]) / span;
    p.axis[0] = own > 0 ? s->ran / own : 0;
    p.axis[1] = at_most(cores > 1 ? (cores - 1) / 2 : 0, cores_most);
    p.axis[2] = at_most((s->in[STATE_LOCK] + s->in[STATE_GIL]) / span, 1);
    for (int i = 0; i < STATES; i++)
        p.axis[3 + i] = own > 0 ? s->wait[i] / own : 0;
    return p;
}

/* Sums of points and their squares up to each index, so that any stretch is a subtraction. */
typedef struct sums {
    int count;
    double span[POINTS_MAX + 1];
    double axis[POINTS_MAX + 1][AXES];
} sums;

static double distance(const sums *s, int from, int cut, int to)
{
    double square = 0;
    for (int i = 0; i < AXES; i++) {
        double left = (s->axis[cut][i] - s->axis[from][i]) / (s->span[cut] - s->span[from]);
        double right = (s->axis[to][i] - s->axis[cut][i]) / (s->span[to] - s->span[cut]);
        square += (left - right) * (left - right);
    }
    return square;
}

/* The best cut of a stretch, and what it gains; 0: none that is good enough. */
static int best_cut(const sums *s, int from, int to, double *gain)
{
    double least = s->span[s->count] * shortest_share;
    least = least > shortest ? least : shortest;
    int best = 0;
    *gain = 0;
    for (int cut = from + 1; cut < to; cut++) {
        double left = s->span[cut] - s->span[from], right = s->span[to] - s->span[cut];
        if (left < least || right < least)
            continue;
        double square = distance(s, from, cut, to);
        double gained = square * left * right / (left + right);
        if (square >= differ * differ && gained > *gain) {
            *gain = gained;
            best = cut;
        }
    }
    return best;
}

int urd__phases(const urd__sum *windows, int count, int *ends)
{
    static sums s;
    s.count = count;
    for (int i = 0; i < count; i++) {
        point p = point_of(&windows[i]);
        s.span[i + 1] = s.span[i] + windows[i].span;
        for (int a = 0; a < AXES; a++)
            s.axis[i + 1][a] = s.axis[i][a] + p.axis[a] * windows[i].span;
    }
    int phases = 1;
    ends[0] = count;
    while (phases < PHASES_MAX) {
        int cut = 0, which = 0;
        double most = 0;
        for (int i = 0; i < phases; i++) {
            double gain;
            int found = best_cut(&s, i ? ends[i - 1] : 0, ends[i], &gain);
            if (found && gain > most) {
                most = gain;
                cut = found;
                which = i;
            }
        }
        if (!cut)
            break;
        memmove(ends + which + 1, ends + which, (size_t)(phases - which) * sizeof *ends);
        ends[which] = cut;
        phases++;
    }
    return phases;
}
