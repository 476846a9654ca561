/* memfd.c: files in memory that nobody can change: the memfds of Linux, sealed.
 *
 * Other systems have none, and image.c does without.
 */
#include "core/memfd.h"

#if defined(__linux__)
#include "core/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Older C libraries lack these. */
#if !defined(MFD_CLOEXEC)
#define MFD_CLOEXEC 1u
#define MFD_ALLOW_SEALING 2u
#endif
#define NO_EXECUTION 8u /* MFD_NOEXEC_SEAL, which vm.memfd_noexec may require */
#if !defined(F_ADD_SEALS)
#define F_ADD_SEALS 1033
#define F_SEAL_SEAL 1
#define F_SEAL_SHRINK 2
#define F_SEAL_GROW 4
#define F_SEAL_WRITE 8
#endif

static int
open_memfd(void)
{
    const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    int fd = (int)syscall(SYS_memfd_create, "wamr-snapshot", flags | NO_EXECUTION);

    if (fd < 0)
        fd = (int)syscall(SYS_memfd_create, "wamr-snapshot", flags);
    return wpy_above_stdio(fd);
}

bool
wpy_memfd_open(wpy_memfd *file, uint64_t size)
{
    file->bytes = NULL;
    file->size = size;
    if ((file->fd = open_memfd()) < 0)
        return false;
    if (ftruncate(file->fd, (off_t)size) == 0)
        return true;
    wpy_memfd_close(file);
    return false;
}

/* By a system call, since in a mapping each page is a page fault. */
bool
wpy_memfd_write(wpy_memfd *file, uint64_t at, const uint8_t *bytes, uint64_t size)
{
    while (size) {
        ssize_t written = pwrite(file->fd, bytes, (size_t)size, (off_t)at);

        if (written <= 0) {
            if (written < 0 && errno == EINTR)
                continue;
            return false;
        }
        bytes += written;
        at += (uint64_t)written;
        size -= (uint64_t)written;
    }
    return true;
}

bool
wpy_memfd_seal(wpy_memfd *file)
{
    void *bytes = MAP_FAILED;

    if (!wpy_take_mappings(1))
        return false;
    if (fcntl(file->fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        bytes = mmap(NULL, file->size, PROT_READ, MAP_SHARED, file->fd, 0);
    if (bytes == MAP_FAILED) {
        wpy_return_mappings(1);
        return false;
    }
    file->bytes = bytes;
    return true;
}

void
wpy_memfd_close(wpy_memfd *file)
{
    if (file->bytes) {
        munmap(file->bytes, file->size);
        wpy_return_mappings(1);
    }
    if (file->fd >= 0)
        close(file->fd);
    file->bytes = NULL;
    file->fd = -1;
}

bool
wpy_memfd_map(const wpy_memfd *file, uint8_t *base)
{
    return mmap(base, file->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE,
                file->fd, 0) != MAP_FAILED;
}
#else
bool
wpy_memfd_open(wpy_memfd *file, uint64_t size)
{
    *file = (wpy_memfd){.size = size, .fd = -1};
    return false;
}

bool
wpy_memfd_write(wpy_memfd *file, uint64_t at, const uint8_t *bytes, uint64_t size)
{
    (void)file;
    (void)at;
    (void)bytes;
    (void)size;
    return false;
}

bool
wpy_memfd_seal(wpy_memfd *file)
{
    (void)file;
    return false;
}

void
wpy_memfd_close(wpy_memfd *file)
{
    (void)file;
}

bool
wpy_memfd_map(const wpy_memfd *file, uint8_t *base)
{
    (void)file;
    (void)base;
    return false;
}
#endif
