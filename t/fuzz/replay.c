/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * Runs a fuzz target on its seeds, whole, cut and with bytes changed, built by any compiler:
 * fuzz_NAME reads the folder NAME in FUZZ_SEEDS, or the files that it is given, as they are.
 */
#include <dirent.h>
#include <limits.h>

#include "fuzz.h"

enum { SEED_MAX = 64 * 1024, CHANGES = 500 };

static size_t read_file(const char *path, uint8_t *data)
{
    FILE *file = fopen(path, "rb");
    size_t size;

    if (!file) {
        perror(path);
        exit(1);
    }
    size = fread(data, 1, SEED_MAX, file);
    fclose(file);
    return size;
}

/** In a block of its own size, so that a sanitizer sees each byte read beyond it. */
static void run(const uint8_t *data, size_t size)
{
    uint8_t *block = malloc(size ? size : 1);

    if (!block) {
        exit(1);
    }
    memcpy(block, data, size);
    LLVMFuzzerTestOneInput(block, size);
    free(block);
}

static void run_changed(uint8_t *data, size_t size)
{
    static const uint8_t masks[] = {0x01, 0x20, 0x80, 0xff};
    size_t step = size / CHANGES + 1, at, i;

    for (at = 0; at < size; at += step) {
        run(data, at);
        for (i = 0; i < sizeof(masks); i++) {
            data[at] ^= masks[i];
            run(data, size);
            data[at] ^= masks[i];
        }
    }
}

static int run_folder(const char *folder)
{
    static uint8_t data[SEED_MAX];
    DIR *dir = opendir(folder);
    struct dirent *entry;
    int seeds = 0;

    if (!dir) {
        perror(folder);
        return 1;
    }
    while ((entry = readdir(dir))) {
        char path[PATH_MAX];
        size_t size;

        if (entry->d_name[0] == '.') {
            continue;
        }
        if (snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name) >= (int)sizeof(path)) {
            fprintf(stderr, "%s: a name too long\n", folder);
            exit(1);
        }
        size = read_file(path, data);
        run(data, size);
        run_changed(data, size);
        seeds++;
    }
    closedir(dir);
    printf("%s: %d seeds\n", folder, seeds);
    return seeds ? 0 : 1;
}

int main(int argc, char **argv)
{
    static uint8_t data[SEED_MAX];
    const char *name = strstr(strrchr(argv[0], '/') ? strrchr(argv[0], '/') : argv[0], "fuzz_");
    const char *seeds = getenv("FUZZ_SEEDS");
    char folder[PATH_MAX];
    int i;

    for (i = 1; i < argc; i++) {
        run(data, read_file(argv[i], data));
    }
    if (argc > 1) {
        return 0;
    }
    if (!name || !seeds ||
        snprintf(folder, sizeof(folder), "%s/%s", seeds, name + 5) >= (int)sizeof(folder)) {
        fprintf(stderr, "FUZZ_SEEDS must name the folder of all seeds\n");
        return 1;
    }
    return run_folder(folder);
}
