/* memfd.h: files in memory that nobody can change. */
#ifndef WPY_MEMFD_H
#define WPY_MEMFD_H

#include "core/core.h"

typedef struct {
    uint8_t
        *bytes; /* a mapping: writable until it is sealed, then read-only; NULL: there is none */
    uint64_t size;
    int fd; /* -1: none */
} wpy_memfd;

/* Makes a file of zeros, and maps it. False: the system has no such files, or no room. */
bool wpy_memfd_open(wpy_memfd *file, uint64_t size);
/* Makes it unchangeable. False: no room, and the file is to be closed. */
bool wpy_memfd_seal(wpy_memfd *file);
void wpy_memfd_close(wpy_memfd *file);
/* Maps the file at an address of a reserved range, privately. */
bool wpy_memfd_map(const wpy_memfd *file, uint8_t *base);
/* Gives up the private pages of such a mapping: it shows the file again. */
bool wpy_memfd_drop_pages(uint8_t *base, uint64_t size);

#endif
