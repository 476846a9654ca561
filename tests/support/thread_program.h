/* thread_program.h: checks and the loading of modules, for threads.c and throwing_threads.c. */
#ifndef THREAD_PROGRAM_H
#define THREAD_PROGRAM_H

#include "include/wpy.h"

#include <stdio.h>
#include <stdlib.h>

#define CHECK(what)                                            \
    do {                                                       \
        if (!(what)) {                                         \
            fprintf(stderr, "line %d: %s\n", __LINE__, #what); \
            exit(1);                                           \
        }                                                      \
    } while (0)

static wpy_module *
load(const char *path)
{
    static uint8_t bytes[65536];
    char error[256];
    FILE *file = fopen(path, "rb");
    size_t size = file ? fread(bytes, 1, sizeof bytes, file) : 0;
    wpy_module *module = wpy_module_new(bytes, (uint32_t)size, error, sizeof error);

    if (file)
        fclose(file);
    if (!module)
        fprintf(stderr, "%s: %s\n", path, error);
    CHECK(module);
    return module;
}

#endif
