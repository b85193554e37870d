/*
 * mandelbrot.c - a picture by a pool, with the kind of its workers chosen by one word.
 *
 * SPDX-License-Identifier: MIT
 *
 *     mandelbrot tasks | threads | processes FILE.png [WIDTH HEIGHT]
 *
 * Each row of the picture is a job.  Rows in the middle take a hundred times longer than those at
 * the edge; whichever worker is free takes the next.
 *
 * Compiled with -DWITH_RANKS and urdume-mpi there is one more word, for workers on many machines:
 *
 *     mpirun -n 8 mandelbrot ranks FILE.png
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <urd.h>

#include <png.h>

#ifdef WITH_RANKS
#include <urd_mpi.h>
#define urd_run urd_mpi_run
#endif

enum { STEPS_MAX = 255, SIDE_MAX = 32768 };

typedef struct request {
    urd_kind kind;
    bool ranks; /* of threads, each */
    const char *file;
    int width, height;
} request;

typedef struct row {
    int y, width, height;
} row;

/* ---- A job ----------------------------------------------------------------------------------- */

/* How many steps until the point is seen to go away. */
static int steps_of(double cx, double cy)
{
    double x = 0, y = 0;
    int steps = 0;
    for (; steps < STEPS_MAX && x * x + y * y <= 4; steps++) {
        double next = x * x - y * y + cx;
        y = 2 * x * y + cy;
        x = next;
    }
    return steps;
}

static int draw_row(const void *in, void *out)
{
    const row *r = in;
    unsigned char *pixels = out;
    for (int x = 0; x < r->width; x++)
        pixels[x] =
            (unsigned char)steps_of(3.0 * x / r->width - 2.25, 2.5 * r->y / r->height - 1.25);
    return urd_cancelled() ? -ECANCELED : 0;
}

static int open_pool(urd_pool **p, const request *q)
{
#ifdef WITH_RANKS
    if (q->ranks)
        return urd_mpi_pool_open(p, q->kind, 0, NULL);
#endif
    return urd_pool_open(p, q->kind, 0, NULL);
}

/* ---- The picture ----------------------------------------------------------------------------- */

static int draw(const request *q, unsigned char *pixels, row *rows)
{
    for (int y = 0; y < q->height; y++)
        rows[y] = (row){.y = y, .width = q->width, .height = q->height};
    urd_pool *p;
    int rc = open_pool(&p, q);
    if (rc)
        return rc;
    rc = urd_pool_map_sized(p, draw_row, rows, sizeof *rows, pixels, (size_t)q->width,
                            (size_t)q->height);
    int closed = urd_pool_close(p);
    return rc ? rc : closed;
}

static int write_png(const request *q, const unsigned char *pixels)
{
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = (png_uint_32)q->width,
                       .height = (png_uint_32)q->height,
                       .format = PNG_FORMAT_GRAY};
    if (png_image_write_to_file(&image, q->file, 0, pixels, 0, NULL))
        return 0;
    fprintf(stderr, "mandelbrot: %s: %s\n", q->file, image.message);
    return -EIO;
}

static int run(void *arg)
{
    const request *q = arg;
    unsigned char *pixels = malloc((size_t)q->width * (size_t)q->height);
    row *rows = calloc((size_t)q->height, sizeof *rows);
    int rc = pixels && rows ? draw(q, pixels, rows) : -ENOMEM;
    if (rc == 0)
        rc = write_png(q, pixels);
    free(pixels);
    free(rows);
    return rc;
}

static bool parse_side(const char *text, int *side)
{
    char *end;
    long n = strtol(text, &end, 10);
    *side = (int)n;
    return end != text && *end == '\0' && n > 0 && n <= SIDE_MAX;
}

static bool parse(int argc, char **argv, request *q)
{
    static const char *const words[] = {"tasks", "threads", "processes", "ranks"};
    static const urd_kind kinds[] = {URD_TASK, URD_THREAD, URD_PROCESS, URD_THREAD};
    *q = (request){.width = 1200, .height = 1000};
    if (argc != 3 && argc != 5)
        return false;
    q->file = argv[2];
    if (argc == 5 && !(parse_side(argv[3], &q->width) && parse_side(argv[4], &q->height)))
        return false;
#ifdef WITH_RANKS
    const int n = 4;
#else
    const int n = 3;
#endif
    for (int i = 0; i < n; i++)
        if (strcmp(argv[1], words[i]) == 0) {
            q->kind = kinds[i];
            q->ranks = i == 3;
            return true;
        }
    return false;
}

int main(int argc, char **argv)
{
    request q;
    if (!parse(argc, argv, &q)) {
        fprintf(stderr, "usage: mandelbrot tasks|threads|processes FILE.png [WIDTH HEIGHT]\n");
        return 2;
    }
    int rc = urd_run(NULL, run, &q);
    if (rc < 0)
        fprintf(stderr, "mandelbrot: %s\n", strerror(-rc));
    return rc < 0;
}
