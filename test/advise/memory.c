/*
 * memory.c - one thread that runs through more memory than the caches hold.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

/* memory MIB TIMES */
int main(int argc, char **argv)
{
    size_t n = (argc > 1 ? strtoull(argv[1], NULL, 10) : 256) * 1024 * 1024 / sizeof(double);
    int times = argc > 2 ? atoi(argv[2]) : 40;
    double *a = malloc(n * sizeof *a), sum = 0;
    if (!a)
        return 1;
    for (size_t i = 0; i < n; i++)
        a[i] = 1;
    for (int t = 0; t < times; t++)
        for (size_t i = 0; i < n; i += 8)
            sum += a[i];
    free(a);
    return sum < 0;
}
