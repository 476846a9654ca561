/* files.c: descriptors of files: reading, writing, positions, sizes, times, flags. */
#include "check.h"

/* Each function, called with a descriptor that is not open. */
void
descriptors(void)
{
    char data[64];
    __wasi_iovec_t in = {(uint8_t *)data, sizeof data};
    __wasi_ciovec_t out = {(const uint8_t *)"x", 1};
    __wasi_size_t count;
    __wasi_filesize_t at;
    __wasi_filestat_t status;
    __wasi_fdstat_t kind;
    __wasi_prestat_t name;
    __wasi_fd_t fd;
    const __wasi_fd_t none[] = {NOBODY, UINT32_MAX, 1u << 31};
    size_t i;

    for (i = 0; i < sizeof none / sizeof *none; i++) {
        __wasi_fd_t no = none[i];
#define BAD(call)                                                     \
    do {                                                              \
        char what[100];                                               \
        snprintf(what, sizeof what, "%s on %u", #call, (unsigned)no); \
        *strchr(what, '(') = ' ';                                     \
        check(what, call, E(BADF));                                   \
    } while (0)
        BAD(__wasi_fd_advise(no, 0, 0, __WASI_ADVICE_NORMAL));
        BAD(__wasi_fd_allocate(no, 0, 1));
        BAD(__wasi_fd_close(no));
        BAD(__wasi_fd_datasync(no));
        BAD(__wasi_fd_sync(no));
        BAD(__wasi_fd_fdstat_get(no, &kind));
        BAD(__wasi_fd_fdstat_set_flags(no, 0));
        BAD(__wasi_fd_fdstat_set_rights(no, 0, 0));
        BAD(__wasi_fd_filestat_get(no, &status));
        BAD(__wasi_fd_filestat_set_size(no, 0));
        BAD(__wasi_fd_filestat_set_times(no, 0, 0, 0));
        BAD(__wasi_fd_pread(no, &in, 1, 0, &count));
        BAD(__wasi_fd_pwrite(no, &out, 1, 0, &count));
        BAD(__wasi_fd_prestat_get(no, &name));
        BAD(__wasi_fd_prestat_dir_name(no, (uint8_t *)data, sizeof data));
        BAD(__wasi_fd_read(no, &in, 1, &count));
        BAD(__wasi_fd_write(no, &out, 1, &count));
        BAD(__wasi_fd_readdir(no, (uint8_t *)data, sizeof data, 0, &count));
        BAD(__wasi_fd_renumber(no, ROOT));
        BAD(__wasi_fd_renumber(ROOT, no));
        BAD(__wasi_fd_seek(no, 0, __WASI_WHENCE_SET, &at));
        BAD(__wasi_fd_tell(no, &at));
        BAD(__wasi_path_create_directory(no, "d"));
        BAD(__wasi_path_filestat_get(no, 0, "d", &status));
        BAD(__wasi_path_filestat_set_times(no, 0, "d", 0, 0, 0));
        BAD(__wasi_path_link(no, 0, "a", ROOT, "b"));
        BAD(__wasi_path_open(no, 0, "a", 0, R(FD_READ), 0, 0, &fd));
        BAD(__wasi_path_readlink(no, "a", (uint8_t *)data, sizeof data, &count));
        BAD(__wasi_path_remove_directory(no, "a"));
        BAD(__wasi_path_rename(no, "a", ROOT, "b"));
        BAD(__wasi_path_symlink("a", no, "b"));
        BAD(__wasi_path_unlink_file(no, "a"));
    }
    put("file", "x");
    check("a link to no directory", __wasi_path_link(ROOT, 0, "file", NOBODY, "b"), E(BADF));
    check("a rename to no directory", __wasi_path_rename(ROOT, "file", NOBODY, "b"), E(BADF));
    check("open", open_as("file", 0, 0, READING, 0, &fd), 0);
    check("close", __wasi_fd_close(fd), 0);
    check("close again", __wasi_fd_close(fd), E(BADF));
    check("closed: read", read_some(fd, data, 1, &count), E(BADF));
}

void
positions(void)
{
    char a[8] = "", b[8] = "";
    __wasi_fd_t fd = make("file", "0123456789"), append;
    __wasi_iovec_t in[3] = {{(uint8_t *)a, 3}, {NULL, 0}, {(uint8_t *)b, 4}};
    __wasi_ciovec_t out[3] = {{(const uint8_t *)"ab", 2}, {NULL, 0}, {(const uint8_t *)"cd", 2}};
    __wasi_size_t count;
    __wasi_filesize_t at;

    check("at the beginning", position(fd), 0);
    check("read a vector", __wasi_fd_read(fd, in, 3, &count), 0);
    check("read so many", count, 7);
    check("read the first", memcmp(a, "012", 3), 0);
    check("read the last", memcmp(b, "3456", 4), 0);
    check("the position moves", position(fd), 7);
    check("read beyond the end", __wasi_fd_read(fd, in, 3, &count), 0);
    check("what is left", count, 3);
    check("read at the end", __wasi_fd_read(fd, in, 3, &count), 0);
    check("is nothing", count, 0);

    check("pread", __wasi_fd_pread(fd, in, 3, 2, &count), 0);
    check("pread so many", count, 7);
    check("pread from there", memcmp(a, "234", 3), 0);
    check("pread does not move", position(fd), 10);
    check("pread beyond the end", __wasi_fd_pread(fd, in, 3, 100, &count), 0);
    check("pread nothing there", count, 0);
    check("pread far beyond", __wasi_fd_pread(fd, in, 3, UINT64_MAX, &count), E(INVAL));

    check("pwrite", __wasi_fd_pwrite(fd, out, 3, 1, &count), 0);
    check("pwrite so many", count, 4);
    check("pwrite does not move", position(fd), 10);
    check("pwrite far beyond", __wasi_fd_pwrite(fd, out, 3, UINT64_MAX, &count), E(INVAL));
    check("pwritten", strcmp(content("file"), "0abcd56789"), 0);
    check("no vector: read", __wasi_fd_read(fd, in, 0, &count), 0);
    check("no vector: read so many", count, 0);
    check("no vector: write", __wasi_fd_write(fd, out, 0, &count), 0);
    check("no vector: written so many", count, 0);
    check("no vector: pread", __wasi_fd_pread(fd, in, 0, 0, &count), 0);
    check("no vector: pwrite", __wasi_fd_pwrite(fd, out, 0, 0, &count), 0);
    check("an empty one: pread", __wasi_fd_pread(fd, in + 1, 1, 0, &count), 0);
    check("an empty one: pread so many", count, 0);
    check("an empty one: pwrite", __wasi_fd_pwrite(fd, out + 1, 1, 0, &count), 0);
    check("an empty one: pwritten so many", count, 0);

#define SEEK(what, offset, whence, wanted, where)                                         \
    at = 99;                                                                              \
    check("seek " what, __wasi_fd_seek(fd, offset, __WASI_WHENCE_##whence, &at), wanted); \
    check("seek " what ": answer", at, wanted ? 99 : where);                              \
    check("seek " what ": tell", position(fd), where)
    SEEK("to the start", 0, SET, 0, 0);
    SEEK("on", 4, CUR, 0, 4);
    SEEK("back", -1, CUR, 0, 3);
    SEEK("nowhere", 0, CUR, 0, 3);
    SEEK("before the start", -4, CUR, E(INVAL), 3);
    SEEK("before the start, set", -1, SET, E(INVAL), 3);
    SEEK("from the end", -2, END, 0, 8);
    SEEK("beyond the end", 10, END, 0, 20);
    check("write behind a gap", write_text(fd, "x", &count), 0);
    check("the gap counts", size_of("file"), 21);
    check("the gap is zeros", __wasi_fd_pread(fd, in, 3, 12, &count) || a[0] || b[3], 0);
    check("close", __wasi_fd_close(fd), 0);

    put("file", "0123");
    check("open to append", open_as("file", 0, 0, BOTH, __WASI_FDFLAGS_APPEND, &append), 0);
    check("append", write_text(append, "45", &count), 0);
    check("seek before appending", __wasi_fd_seek(append, 0, __WASI_WHENCE_SET, &at), 0);
    check("append all the same", write_text(append, "67", &count), 0);
    check("appended", strcmp(content("file"), "01234567"), 0);
    check("it moves to the end", position(append), 8);
    check("pwrite while appending", __wasi_fd_pwrite(append, out, 3, 0, &count), 0);
    check("appends, too", strcmp(content("file"), "01234567abcd"), 0);
    check("close that", __wasi_fd_close(append), 0);
    put("file", "01234567");

    check("open to write", open_as("file", 0, 0, WRITING, 0, &fd), 0);
    check("reading is not allowed", read_some(fd, a, 1, &count), E(NOTCAPABLE));
    check("pread is not allowed", __wasi_fd_pread(fd, in, 1, 0, &count), E(NOTCAPABLE));
    check("close the writer", __wasi_fd_close(fd), 0);
    check("open to read", open_as("file", 0, 0, READING, 0, &fd), 0);
    check("writing is not allowed", write_text(fd, "x", &count), E(NOTCAPABLE));
    check("pwrite is not allowed", __wasi_fd_pwrite(fd, out, 1, 0, &count), E(NOTCAPABLE));
    check("close the reader", __wasi_fd_close(fd), 0);
    check("nothing was written", strcmp(content("file"), "01234567"), 0);
}

void
sizes(void)
{
    __wasi_fd_t fd = make("file", "0123456789"), reader, directory;
    __wasi_filestat_t status, other;
    __wasi_size_t count;

    check("filestat", __wasi_fd_filestat_get(fd, &status), 0);
    check("a file", status.filetype, __WASI_FILETYPE_REGULAR_FILE);
    check("its size", status.size, 10);
    check("its links", status.nlink, 1);
    check("by path", __wasi_path_filestat_get(ROOT, 0, "file", &other), 0);
    check("the same device", other.dev == status.dev, 1);
    check("the same file", other.ino == status.ino, 1);
    put("other", "");
    check("another", __wasi_path_filestat_get(ROOT, 0, "other", &other), 0);
    check("is another file", other.ino != status.ino, 1);
    check("a directory", __wasi_path_filestat_get(ROOT, 0, ".", &other), 0);
    check("is one", other.filetype, __WASI_FILETYPE_DIRECTORY);
    check("what is not there", __wasi_path_filestat_get(ROOT, 0, "none", &other), E(NOENT));

    check("smaller", __wasi_fd_filestat_set_size(fd, 4), 0);
    check("is cut", strcmp(content("file"), "0123"), 0);
    check("larger", __wasi_fd_filestat_set_size(fd, 100), 0);
    check("is longer", size_of("file"), 100);
    check("the position stays", position(fd), 0);
    check("too large", __wasi_fd_filestat_set_size(fd, UINT64_MAX), E(INVAL));
    check("stays as it is", size_of("file"), 100);

    check("allocate within", __wasi_fd_allocate(fd, 10, 50), 0);
    check("changes no size", size_of("file"), 100);
    check("allocate beyond", __wasi_fd_allocate(fd, 90, 20), 0);
    check("makes it longer", size_of("file"), 110);
    check("allocate nothing", __wasi_fd_allocate(fd, 0, 0), E(INVAL));
    check("allocate far too much", __wasi_fd_allocate(fd, 0, UINT64_MAX), E(INVAL));
    check("keeps its size", size_of("file"), 110);

    check("advise", __wasi_fd_advise(fd, 0, 10, __WASI_ADVICE_WILLNEED), 0);
    check("advise all", __wasi_fd_advise(fd, 0, 0, __WASI_ADVICE_DONTNEED), 0);
    check("advise random", __wasi_fd_advise(fd, 0, 0, __WASI_ADVICE_RANDOM), 0);
    check("advise sequential", __wasi_fd_advise(fd, 0, 0, __WASI_ADVICE_SEQUENTIAL), 0);
    check("advise no reuse", __wasi_fd_advise(fd, 0, 0, __WASI_ADVICE_NOREUSE), 0);
    check("sync", __wasi_fd_sync(fd), 0);
    check("datasync", __wasi_fd_datasync(fd), 0);
    check("close", __wasi_fd_close(fd), 0);

    check("open to read", open_as("file", 0, 0, READING, 0, &reader), 0);
    check("a reader can't cut", __wasi_fd_filestat_set_size(reader, 0), E(NOTCAPABLE));
    check("a reader can't allocate", __wasi_fd_allocate(reader, 0, 1000), E(NOTCAPABLE));
    check("size as before", size_of("file"), 110);
    check("close that", __wasi_fd_close(reader), 0);

    check("open to cut", open_as("file", 0, TRUNC, WRITING, 0, &fd), 0);
    check("cut by opening", size_of("file"), 0);
    check("write", write_text(fd, "abc", &count), 0);
    check("written so many", count, 3);
    check("close it", __wasi_fd_close(fd), 0);

    check("open the directory", open_as(".", 0, DIRECTORY, LISTING, 0, &directory), 0);
    check("directory: status", __wasi_fd_filestat_get(directory, &status), 0);
    check("directory: type", status.filetype, __WASI_FILETYPE_DIRECTORY);
    check("directory: size", __wasi_fd_filestat_set_size(directory, 0), E(NOTCAPABLE));
    check("directory: allocate", __wasi_fd_allocate(directory, 0, 1), E(NOTCAPABLE));
    check("directory: advise", __wasi_fd_advise(ROOT, 0, 0, __WASI_ADVICE_NORMAL), E(BADF));
    check("directory: write", write_text(directory, "x", &count), E(NOTCAPABLE));
    {
        char data[4];
        __wasi_filesize_t at;
        check("directory: read", read_some(directory, data, 4, &count), E(NOTCAPABLE));
        check("directory: seek", __wasi_fd_seek(directory, 1, __WASI_WHENCE_SET, &at),
              E(NOTCAPABLE));
        check("directory: tell", __wasi_fd_tell(directory, &at), E(NOTCAPABLE));
    }
    check("directory: close", __wasi_fd_close(directory), 0);
}

#define SECOND 1000000000ull
#define ATIM __WASI_FSTFLAGS_ATIM
#define MTIM __WASI_FSTFLAGS_MTIM
#define ATIM_NOW __WASI_FSTFLAGS_ATIM_NOW
#define MTIM_NOW __WASI_FSTFLAGS_MTIM_NOW

void
timestamps(void)
{
    __wasi_fd_t fd = make("file", "x");
    __wasi_filestat_t status, target;
    const int wrong[] = {ATIM | ATIM_NOW, MTIM | MTIM_NOW, ATIM | ATIM_NOW | MTIM};
    char what[60];
    size_t i;

#define TIMES(path, a, m)                                                         \
    check(what " is there", __wasi_path_filestat_get(ROOT, 0, path, &status), 0); \
    check(what ": accessed", status.atim, a);                                     \
    check(what ": modified", status.mtim, m)
#define what "both"
    check("set both", __wasi_fd_filestat_set_times(fd, 5 * SECOND, 7 * SECOND + 9, ATIM | MTIM), 0);
    TIMES("file", 5 * SECOND, 7 * SECOND + 9);
#undef what
#define what "one"
    check("set one", __wasi_fd_filestat_set_times(fd, 6 * SECOND, 8 * SECOND, ATIM), 0);
    TIMES("file", 6 * SECOND, 7 * SECOND + 9);
#undef what
#define what "the other, by path"
    check("set the other", __wasi_path_filestat_set_times(ROOT, 0, "file", 1, 11 * SECOND, MTIM),
          0);
    TIMES("file", 6 * SECOND, 11 * SECOND);
#undef what
#define what "none"
    check("set none", __wasi_fd_filestat_set_times(fd, 1, 1, 0), 0);
    TIMES("file", 6 * SECOND, 11 * SECOND);
#undef what
    check("set to now", __wasi_fd_filestat_set_times(fd, 0, 0, ATIM_NOW | MTIM_NOW), 0);
    check("now", __wasi_fd_filestat_get(fd, &status), 0);
    check("now is later", status.atim > 1600000000 * SECOND && status.mtim > 1600000000 * SECOND,
          1);

    for (i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        snprintf(what, sizeof what, "flags %d", wrong[i]);
        check(what, __wasi_fd_filestat_set_times(fd, 0, 0, wrong[i]), E(INVAL));
        snprintf(what, sizeof what, "flags %d, by path", wrong[i]);
        check(what, __wasi_path_filestat_set_times(ROOT, 0, "file", 0, 0, wrong[i]), E(INVAL));
    }

    make_link("file", "link");
#define what "through a link"
    check("set through a link",
          __wasi_path_filestat_set_times(ROOT, FOLLOW, "link", SECOND, SECOND, ATIM | MTIM), 0);
    TIMES("file", SECOND, SECOND);
#undef what
#define what "the link itself"
    check("set the link's",
          __wasi_path_filestat_set_times(ROOT, 0, "link", 3 * SECOND, 4 * SECOND, ATIM | MTIM), 0);
    TIMES("link", 3 * SECOND, 4 * SECOND);
#undef what
    check("the file", __wasi_path_filestat_get(ROOT, FOLLOW, "link", &target), 0);
    check("kept its own", target.mtim, SECOND);
    check("of what is not there", __wasi_path_filestat_set_times(ROOT, 0, "none", 0, 0, ATIM),
          E(NOENT));
    check("close", __wasi_fd_close(fd), 0);
}

/* Of an open file. -1: an errno. */
static int
flags_of(__wasi_fd_t fd)
{
    __wasi_fdstat_t status;

    return __wasi_fd_fdstat_get(fd, &status) ? -1 : status.fs_flags;
}

void
flags(void)
{
    __wasi_fd_t fd = make("file", "0123"), other;
    __wasi_fdstat_t status;
    __wasi_filesize_t at;
    __wasi_size_t count;

    check("fdstat", __wasi_fd_fdstat_get(fd, &status), 0);
    check("a file", status.fs_filetype, __WASI_FILETYPE_REGULAR_FILE);
    check("no flags", status.fs_flags, 0);
    check("a directory", __wasi_fd_fdstat_get(ROOT, &status), 0);
    check("is one", status.fs_filetype, __WASI_FILETYPE_DIRECTORY);
    check("set to append", __wasi_fd_fdstat_set_flags(fd, __WASI_FDFLAGS_APPEND), 0);
    check("it shows", flags_of(fd), __WASI_FDFLAGS_APPEND);
    check("go to the start", __wasi_fd_seek(fd, 0, __WASI_WHENCE_SET, &at), 0);
    check("write", write_text(fd, "45", &count), 0);
    check("appended", strcmp(content("file"), "012345"), 0);
    check("set to none", __wasi_fd_fdstat_set_flags(fd, 0), 0);
    check("none shows", flags_of(fd), 0);
    check("back to the start", __wasi_fd_seek(fd, 0, __WASI_WHENCE_SET, &at), 0);
    check("write there", write_text(fd, "ab", &count), 0);
    check("overwritten", strcmp(content("file"), "ab2345"), 0);
    check("not to block", __wasi_fd_fdstat_set_flags(fd, __WASI_FDFLAGS_NONBLOCK), 0);
    check("that shows", flags_of(fd), __WASI_FDFLAGS_NONBLOCK);
    check("close", __wasi_fd_close(fd), 0);

    check("open to append", open_as("file", 0, 0, BOTH, __WASI_FDFLAGS_APPEND, &fd), 0);
    check("opened so", flags_of(fd), __WASI_FDFLAGS_APPEND);
    check("open again", open_as("file", 0, 0, BOTH, 0, &other), 0);
    check("has its own flags", flags_of(other), 0);
    check("close this", __wasi_fd_close(fd), 0);
    check("close that", __wasi_fd_close(other), 0);
    check("open not to block", open_as("file", 0, 0, BOTH, __WASI_FDFLAGS_NONBLOCK, &fd), 0);
    check("opened not to block", flags_of(fd), __WASI_FDFLAGS_NONBLOCK);
    check("close the last", __wasi_fd_close(fd), 0);
    check("open to write through", open_as("file", 0, 0, BOTH, __WASI_FDFLAGS_SYNC, &fd), 0);
    check("opened to write through", (flags_of(fd) & __WASI_FDFLAGS_SYNC) != 0, 1);
    check("close what writes through", __wasi_fd_close(fd), 0);
    check("open to write data through", open_as("file", 0, 0, BOTH, __WASI_FDFLAGS_DSYNC, &fd), 0);
    check("opened to write data through", (flags_of(fd) & __WASI_FDFLAGS_DSYNC) != 0, 1);
    check("close that, too", __wasi_fd_close(fd), 0);
    check("a directory, not to block", open_as(".", 0, 0, LISTING, __WASI_FDFLAGS_NONBLOCK, &fd),
          0);
    check("close it", __wasi_fd_close(fd), 0);
}
