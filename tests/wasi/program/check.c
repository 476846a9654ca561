/* check.c: the helpers of check.h, and main: `program GROUP`. */
#include "check.h"

#include <stdlib.h>

void
check(const char *what, long long got, long long wanted)
{
    printf("%s = %lld / %lld\n", what, got, wanted);
}

static void
must(const char *what, const char *path, int error)
{
    if (error) {
        printf("can't %s %s: errno %d\n", what, path, error);
        exit(2);
    }
}

int
open_as(const char *path, int lookup, int oflags, uint64_t rights, int flags, __wasi_fd_t *fd)
{
    *fd = NOBODY;
    return __wasi_path_open(ROOT, lookup, path, oflags, rights, rights, flags, fd);
}

int
opens(const char *path, int lookup, int oflags, uint64_t rights)
{
    __wasi_fd_t fd;
    int error = open_as(path, lookup, oflags, rights, 0, &fd);

    if (!error)
        must("close", path, __wasi_fd_close(fd));
    return error;
}

__wasi_fd_t
make(const char *path, const char *text)
{
    __wasi_fd_t fd;
    __wasi_size_t count;
    __wasi_filesize_t at;

    must("create", path, open_as(path, 0, CREAT | TRUNC, BOTH, 0, &fd));
    must("write", path, write_text(fd, text, &count));
    must("rewind", path, __wasi_fd_seek(fd, 0, __WASI_WHENCE_SET, &at));
    return fd;
}

void
put(const char *path, const char *text)
{
    must("close", path, __wasi_fd_close(make(path, text)));
}

void
make_directory(const char *path)
{
    must("make", path, __wasi_path_create_directory(ROOT, path));
}

void
make_link(const char *target, const char *path)
{
    must("link", path, __wasi_path_symlink(target, ROOT, path));
}

const char *
content(const char *path)
{
    static char data[256];
    __wasi_fd_t fd;
    __wasi_size_t count = 0;
    int error = open_as(path, FOLLOW, 0, READING, 0, &fd);

    if (!error) {
        error = read_some(fd, data, sizeof data - 1, &count);
        error = error ? error : __wasi_fd_close(fd);
    }
    data[count] = 0;
    if (error)
        snprintf(data, sizeof data, "(%d)", error);
    return data;
}

long long
size_of(const char *path)
{
    __wasi_filestat_t status;

    return __wasi_path_filestat_get(ROOT, 0, path, &status) ? -1 : (long long)status.size;
}

int
type_of(const char *path)
{
    __wasi_filestat_t status;

    return __wasi_path_filestat_get(ROOT, 0, path, &status) ? -1 : status.filetype;
}

int
read_some(__wasi_fd_t fd, char *data, size_t size, __wasi_size_t *count)
{
    __wasi_iovec_t item = {(uint8_t *)data, size};

    *count = 0;
    return __wasi_fd_read(fd, &item, 1, count);
}

int
write_text(__wasi_fd_t fd, const char *text, __wasi_size_t *count)
{
    __wasi_ciovec_t item = {(const uint8_t *)text, strlen(text)};

    *count = 0;
    return __wasi_fd_write(fd, &item, 1, count);
}

long long
position(__wasi_fd_t fd)
{
    __wasi_filesize_t at;

    return __wasi_fd_tell(fd, &at) ? -1 : (long long)at;
}

/* ---- the groups ---- */

/* clang-format off */
#define GROUPS(X) \
    X(descriptors) X(positions) X(sizes) X(timestamps) X(flags) X(rights) X(renumbering) \
    X(listing) X(opening) X(creating) X(following) X(links) X(directories) X(renaming) \
    X(slashes) X(clocks) X(polling) X(sockets) X(libc) X(meaningless) X(wrong)
/* clang-format on */

#define DECLARE(name) void name(void);
GROUPS(DECLARE)

int
main(int argc, char **argv)
{
#define CALL(name)                              \
    if (argc == 2 && !strcmp(argv[1], #name)) { \
        name();                                 \
        return 0;                               \
    }
    GROUPS(CALL)
    if (argc == 3 && !strcmp(argv[1], "exit"))
        __wasi_proc_exit(strtoul(argv[2], NULL, 10));
    printf("there is no such group\n");
    return 2;
}

/* What the tests see if the runtime answers wrongly. */
void
wrong(void)
{
    __wasi_fdstat_t status;

    check("right", __wasi_fd_fdstat_get(ROOT, &status), 0);
    check("wrong", __wasi_fd_fdstat_get(NOBODY, &status), 0);
}
