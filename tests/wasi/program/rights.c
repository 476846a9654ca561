/* rights.c: rights of descriptors, fd_renumber, and numbers that mean nothing. */
#include "check.h"

void
rights(void)
{
    __wasi_fd_t fd = make("file", "0123"), directory;
    __wasi_fdstat_t status;
    __wasi_size_t count;
    char data[4];

    check("fdstat", __wasi_fd_fdstat_get(fd, &status), 0);
    check("it may read and write",
          (status.fs_rights_base & (R(FD_READ) | R(FD_WRITE))) == (R(FD_READ) | R(FD_WRITE)), 1);
    check("a file opens nothing", (status.fs_rights_base & R(PATH_OPEN)) != 0, 0);
    check("fewer", __wasi_fd_fdstat_set_rights(fd, R(FD_READ), 0), 0);
    check("fewer: fdstat", __wasi_fd_fdstat_get(fd, &status), 0);
    check("fewer: so many", status.fs_rights_base, R(FD_READ));
    check("read", read_some(fd, data, 4, &count), 0);
    check("write", write_text(fd, "x", &count), E(NOTCAPABLE));
    check("size", __wasi_fd_filestat_set_size(fd, 0), E(NOTCAPABLE));
    check("status", __wasi_fd_filestat_get(fd, &(__wasi_filestat_t){0}), E(NOTCAPABLE));
    check("tell", __wasi_fd_tell(fd, &(__wasi_filesize_t){0}), E(NOTCAPABLE));
    check("seek", __wasi_fd_seek(fd, 0, __WASI_WHENCE_SET, &(__wasi_filesize_t){0}), E(NOTCAPABLE));
    check("sync", __wasi_fd_sync(fd), E(NOTCAPABLE));
    check("more again", __wasi_fd_fdstat_set_rights(fd, R(FD_READ) | R(FD_WRITE), 0),
          E(NOTCAPABLE));
    check("more to inherit", __wasi_fd_fdstat_set_rights(fd, R(FD_READ), R(FD_READ)),
          E(NOTCAPABLE));
    check("all there are", __wasi_fd_fdstat_set_rights(fd, UINT64_MAX, UINT64_MAX), E(NOTCAPABLE));
    check("none", __wasi_fd_fdstat_set_rights(fd, 0, 0), 0);
    check("read no more", read_some(fd, data, 4, &count), E(NOTCAPABLE));
    check("close", __wasi_fd_close(fd), 0);
    check("unchanged", strcmp(content("file"), "0123"), 0);

    make_directory("sub");
    put("sub/file", "x");
    check("open a directory", open_as("sub", 0, DIRECTORY, LISTING, 0, &directory), 0);
    check("it gives no right to write",
          __wasi_path_open(directory, 0, "file", 0, R(FD_READ) | R(FD_WRITE), 0, 0, &fd),
          E(NOTCAPABLE));
    check("nor to create", __wasi_path_open(directory, 0, "new", CREAT, 0, 0, 0, &fd),
          E(NOTCAPABLE));
    check("nor to cut", __wasi_path_open(directory, 0, "file", TRUNC, 0, 0, 0, &fd), E(NOTCAPABLE));
    check("nor to set times", __wasi_path_filestat_set_times(directory, 0, "file", 0, 0, 0),
          E(NOTCAPABLE));
    check("nor to make a symlink", __wasi_path_symlink("x", directory, "new"), E(NOTCAPABLE));
    check("nor to read one", __wasi_path_readlink(directory, "x", (uint8_t *)data, 1, &count),
          E(NOTCAPABLE));
    check("nor to make a directory", __wasi_path_create_directory(directory, "new"), E(NOTCAPABLE));
    check("nor to remove", __wasi_path_unlink_file(directory, "file"), E(NOTCAPABLE));
    check("nor to remove a directory", __wasi_path_remove_directory(directory, "x"), E(NOTCAPABLE));
    check("nor to rename", __wasi_path_rename(directory, "file", ROOT, "new"), E(NOTCAPABLE));
    check("nor to link", __wasi_path_link(directory, 0, "file", ROOT, "new"), E(NOTCAPABLE));
    check("close that", __wasi_fd_close(directory), 0);
    check("it is there", strcmp(content("sub/file"), "x"), 0);
}

void
renumbering(void)
{
    __wasi_fd_t a = make("a", "content of a"), b = make("b", "content of b");
    __wasi_prestat_t name;
    __wasi_size_t count;
    char data[32] = "";

    check("onto another", __wasi_fd_renumber(a, b), 0);
    check("the old number", read_some(a, data, 8, &count), E(BADF));
    check("the new number", read_some(b, data, 12, &count), 0);
    check("is the file", memcmp(data, "content of a", 12), 0);
    check("onto itself", __wasi_fd_renumber(b, b), 0);
    check("is still there", position(b), 12);
    check("onto nothing", __wasi_fd_renumber(b, NOBODY), E(BADF));
    check("still there", position(b), 12);
    check("from nothing", __wasi_fd_renumber(NOBODY, b), E(BADF));
    check("and still", position(b), 12);
    check("close", __wasi_fd_close(b), 0);

    make_directory("sub");
    put("sub/inner", "content of inner");
    check("prestat", __wasi_fd_prestat_get(ROOT, &name), 0);
    check("prestat: a directory", name.tag, __WASI_PREOPENTYPE_DIR);
    check("prestat: size of the name", name.u.dir.pr_name_len, 1);
    check("prestat: name", __wasi_fd_prestat_dir_name(ROOT, (uint8_t *)data, 1), 0);
    check("prestat: it is", data[0], '/');
    check("prestat: no room", __wasi_fd_prestat_dir_name(ROOT, (uint8_t *)data, 0), E(INVAL));
    check("prestat of a stream", __wasi_fd_prestat_get(1, &name), E(BADF));
    check("open a directory", open_as("sub", 0, DIRECTORY, LISTING | READING, 0, &a), 0);
    check("prestat of what was opened", __wasi_fd_prestat_get(a, &name), E(BADF));
    check("onto the preopened", __wasi_fd_renumber(a, ROOT), 0);
    check("it is preopened no more", __wasi_fd_prestat_get(ROOT, &name), E(BADF));
    check("nor has it a name", __wasi_fd_prestat_dir_name(ROOT, (uint8_t *)data, 1), E(BADF));
    check("it is the other", strcmp(content("inner"), "content of inner"), 0);
    check("and not the one", strcmp(content("a"), "(44)"), 0);
    check("close the preopened", __wasi_fd_close(ROOT), 0);
    check("closed", __wasi_fd_prestat_get(ROOT, &name), E(BADF));
    check("nothing opens there", opens("inner", 0, 0, READING), E(BADF));
}

/* Numbers that mean nothing: some runtimes trap. */
void
meaningless(void)
{
    __wasi_fd_t fd = make("file", "0123"), other;
    __wasi_filesize_t at;
    __wasi_timestamp_t time;

    check("whence", __wasi_fd_seek(fd, 0, 7, &at), E(INVAL));
    check("advice", __wasi_fd_advise(fd, 0, 0, 77), E(INVAL));
    check("clock", __wasi_clock_time_get(77, 0, &time), E(INVAL));
    check("resolution", __wasi_clock_res_get(77, &time), E(INVAL));
    check("times", __wasi_fd_filestat_set_times(fd, 0, 0, 1 << 4), E(INVAL));
    check("times by path", __wasi_path_filestat_set_times(ROOT, 0, "file", 0, 0, 1 << 15),
          E(INVAL));
    check("flags of opening", __wasi_path_open(ROOT, 0, "file", 1 << 4, READING, 0, 0, &other),
          E(INVAL));
    check("flags of an opened one",
          __wasi_path_open(ROOT, 0, "file", 0, READING, 0, 1 << 5, &other), E(INVAL));
    check("flags to set", __wasi_fd_fdstat_set_flags(fd, 1 << 5), E(INVAL));
    check("flags of a directory to make",
          __wasi_path_open(ROOT, 0, "new", CREAT | DIRECTORY, READING, 0, 0, &other), E(INVAL));
    check("makes nothing", type_of("new"), -1);
    check("close", __wasi_fd_close(fd), 0);
}
