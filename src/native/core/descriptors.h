/* descriptors.h: descriptors of POSIX systems that are no standard streams.
 *
 * A process may have closed its own standard streams, as daemons do. The numbers 0 to 2 are then
 * the lowest free ones, which every system call takes first. But they still stand for the standard
 * streams: WAMR gives a program the rights of a terminal there, and whatever the host prints, or a
 * C library of it, would be written into our file.
 */
#ifndef WPY_DESCRIPTORS_H
#define WPY_DESCRIPTORS_H

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* A close-on-exec duplicate above 2; -1 with errno. */
static inline int
wpy_duplicate_above_stdio(int descriptor)
{
    return descriptor < 0 ? -1 : fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
}

/* Returns the new descriptor, or a duplicate above 2 in its place; -1 with errno. */
static inline int
wpy_above_stdio(int descriptor)
{
    int above, error;

    if (descriptor < 0 || descriptor > 2)
        return descriptor;
    above = wpy_duplicate_above_stdio(descriptor);
    error = errno;
    close(descriptor);
    errno = error;
    return above;
}

#endif
