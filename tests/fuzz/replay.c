/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * Main program of a fuzz target without a fuzzer: runs it over the files and
 * folders of files that are named, so that what fuzzing found stays found.
 */

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static size_t replay_path(const char *path);


static void
replay_die(const char *path)
{
    (void) fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
    exit(2);
}


static size_t
replay_file(const char *path, size_t size)
{
    FILE     *file;
    size_t    n;
    uint8_t  *data;

    file = fopen(path, "rb");
    if (file == NULL) {
        replay_die(path);
    }

    /* Exactly as long as the input, so that an overrun is an error. */

    data = malloc(size ? size : 1);
    if (data == NULL) {
        replay_die(path);
    }

    n = fread(data, 1, size, file);
    (void) fclose(file);

    /* Said before: the name is needed when the target does not return. */

    (void) fprintf(stderr, "%s\n", path);
    (void) LLVMFuzzerTestOneInput(data, n);

    free(data);

    return 1;
}


static size_t
replay_folder(const char *path)
{
    DIR            *dir;
    char            name[PATH_MAX];
    size_t          n;
    struct dirent  *entry;

    dir = opendir(path);
    if (dir == NULL) {
        replay_die(path);
    }

    n = 0;

    while ((entry = readdir(dir)) != NULL) {

        if (entry->d_name[0] == '.') {
            continue;
        }

        if ((size_t) snprintf(name, sizeof(name), "%s/%s", path,
                              entry->d_name) >= sizeof(name))
        {
            errno = ENAMETOOLONG;
            replay_die(path);
        }

        n += replay_path(name);
    }

    (void) closedir(dir);

    return n;
}


static size_t
replay_path(const char *path)
{
    struct stat  st;

    if (stat(path, &st) != 0) {
        replay_die(path);
    }

    if (S_ISDIR(st.st_mode)) {
        return replay_folder(path);
    }

    return replay_file(path, (size_t) st.st_size);
}


int
main(int argc, char **argv)
{
    int     i;
    size_t  n;

    (void) LLVMFuzzerTestOneInput((const uint8_t *) "", 0);

    n = 0;

    for (i = 1; i < argc; i++) {
        n += replay_path(argv[i]);
    }

    (void) printf("%zu inputs\n", n);

    return 0;
}
