/*
 * hash_files.c - SHA-256 of every file below a folder: reads and computes.
 *
 * SPDX-License-Identifier: MIT
 *
 *     urd compare examples/compare/hash_files.c -- FOLDER [JOBS]
 *
 * The files are dealt out by size, so that every job has about as many bytes.  The sum of a job is
 * the exclusive or of its files' sums, which does not depend on who hashed what; so the first run
 * of the whole must agree with a second one in the check.
 */
/* urd-compare: libs=-lcrypto */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <urd_compare.h>

enum { SUM_BYTES = 32, BUFFER_BYTES = 1 << 17, DEPTH_MAX = 64, JOBS = 8 };

const char *const urd_compare_title = "hash_files: SHA-256 of every file below a folder";

struct file {
    char *path;
    off_t bytes;
    int job;
};

/* Filled by urd_compare_jobs, before the runtime starts: every model sees it. */
static struct file *files;
static size_t file_count;

static int add_file(const char *path, off_t bytes)
{
    if ((file_count & (file_count - 1)) == 0) {
        size_t room = file_count ? file_count * 2 : 1;
        struct file *more = realloc(files, room * sizeof *files);
        if (!more)
            return -ENOMEM;
        files = more;
    }
    char *copy = strdup(path);
    if (!copy)
        return -ENOMEM;
    files[file_count++] = (struct file){.path = copy, .bytes = bytes};
    return 0;
}

static int gather(const char *folder, int depth)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return depth == 0 ? -errno : 0; /* what we may not read below it is left out */
    struct dirent *entry;
    int rc = 0;
    while (rc == 0 && (entry = readdir(dir))) {
        char path[4096];
        struct stat info;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        int length = snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (length >= (int)sizeof path || lstat(path, &info) != 0)
            continue;
        if (S_ISDIR(info.st_mode) && depth < DEPTH_MAX)
            rc = gather(path, depth + 1);
        else if (S_ISREG(info.st_mode) && access(path, R_OK) == 0)
            rc = add_file(path, info.st_size);
    }
    closedir(dir);
    return rc;
}

static int larger_first(const void *left, const void *right)
{
    const struct file *a = left, *b = right;
    return (a->bytes < b->bytes) - (a->bytes > b->bytes);
}

/* Each file goes to the job that has the fewest bytes so far; a file costs an open, too. */
static void deal_out(int jobs)
{
    long long loads[1000] = {0};
    qsort(files, file_count, sizeof *files, larger_first);
    for (size_t i = 0; i < file_count; i++) {
        int least = 0;
        for (int job = 1; job < jobs; job++)
            if (loads[job] < loads[least])
                least = job;
        files[i].job = least;
        loads[least] += files[i].bytes + 20000;
    }
}

int urd_compare_jobs(int argc, char **argv)
{
    long jobs = argc > 1 ? strtol(argv[1], NULL, 10) : JOBS;
    if (argc < 1 || jobs < 1 || jobs > 1000) {
        fprintf(stderr, "hash_files: which folder?  usage: -- FOLDER [JOBS, at most 1000]\n");
        return -EINVAL;
    }
    int rc = gather(argv[0], 0);
    if (rc == 0 && file_count == 0) {
        fprintf(stderr, "hash_files: no files below %s\n", argv[0]);
        rc = -ENOENT;
    }
    if (rc < 0)
        return rc;
    deal_out((int)jobs);
    return (int)jobs;
}

/* Adds the file's sum to `sum`.  A file that is gone by now is an error: the sums would differ. */
static int hash_file(EVP_MD_CTX *context, unsigned char *buffer, const char *path,
                     unsigned char *sum)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int rc = EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 ? 0 : -EIO;
    ssize_t bytes = 0;
    while (rc == 0 && (bytes = read(fd, buffer, BUFFER_BYTES)) > 0)
        rc = EVP_DigestUpdate(context, buffer, (size_t)bytes) == 1 ? 0 : -EIO;
    if (bytes < 0)
        rc = -errno;
    close(fd);
    unsigned char one[EVP_MAX_MD_SIZE];
    if (rc == 0 && EVP_DigestFinal_ex(context, one, NULL) != 1)
        rc = -EIO;
    for (int i = 0; rc == 0 && i < SUM_BYTES; i++)
        sum[i] ^= one[i];
    return rc;
}

static int hash_part(int job, unsigned char *sum, int64_t *hashed)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    unsigned char *buffer = malloc(BUFFER_BYTES); /* too large for a task's stack */
    int rc = context && buffer ? 0 : -ENOMEM;
    for (size_t i = 0; rc == 0 && i < file_count; i++) {
        if (files[i].job != job)
            continue;
        rc = hash_file(context, buffer, files[i].path, sum);
        if (rc < 0)
            fprintf(stderr, "hash_files: %s: %s\n", files[i].path, strerror(-rc));
        *hashed += files[i].bytes;
    }
    free(buffer);
    EVP_MD_CTX_free(context);
    return rc;
}

int urd_compare_job(void *arg)
{
    struct urd_compare_job *job = arg;
    return hash_part(job->index, job->bytes, &job->result);
}

int urd_compare_check(const struct urd_compare_job *jobs, int n)
{
    unsigned char sum[SUM_BYTES] = {0}, again[SUM_BYTES] = {0};
    int64_t hashed = 0;
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < SUM_BYTES; j++)
            sum[j] ^= jobs[i].bytes[j];
        int rc = hash_part(i, again, &hashed);
        if (rc < 0)
            return rc;
    }
    for (int i = 0; i < SUM_BYTES; i++)
        printf("%02x", sum[i]);
    printf("\n");
    return memcmp(sum, again, SUM_BYTES) == 0 ? 0 : -EDOM;
}
