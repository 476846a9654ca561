/* memfd.h: files in memory that nobody can change. */
#ifndef WPY_MEMFD_H
#define WPY_MEMFD_H

#include "core/core.h"

typedef struct {
    uint8_t *bytes; /* a read-only mapping; NULL until it is sealed */
    uint64_t size;
    int fd; /* -1: none */
} wpy_memfd;

/* Makes a file of zeros. False: the system has no such files, or no room. */
bool wpy_memfd_open(wpy_memfd *file, uint64_t size);
/* Overwrites a part of it. False: no room. */
bool wpy_memfd_write(wpy_memfd *file, uint64_t at, const uint8_t *bytes, uint64_t size);
/* Makes it unchangeable, and maps it. False: no room, and the file is to be closed. */
bool wpy_memfd_seal(wpy_memfd *file);
void wpy_memfd_close(wpy_memfd *file);
/* Maps the file at an address of a reserved range, privately. */
bool wpy_memfd_map(const wpy_memfd *file, uint8_t *base);

#endif
