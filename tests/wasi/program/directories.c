/* directories.c: creating, removing and renaming directories, and paths that end with slashes. */
#include "check.h"

#define TYPE(name) __WASI_FILETYPE_##name

void
directories(void)
{
    __wasi_fd_t fd;

    put("file", "x");
    check("make", __wasi_path_create_directory(ROOT, "dir"), 0);
    check("is one", type_of("dir"), TYPE(DIRECTORY));
    check("make it again", __wasi_path_create_directory(ROOT, "dir"), E(EXIST));
    check("make over a file", __wasi_path_create_directory(ROOT, "file"), E(EXIST));
    check("make below nothing", __wasi_path_create_directory(ROOT, "none/dir"), E(NOENT));
    check("make below a file", __wasi_path_create_directory(ROOT, "file/dir"), E(NOTDIR));
    check("make an empty path", __wasi_path_create_directory(ROOT, ""), E(NOENT));
    check("make here", __wasi_path_create_directory(ROOT, "."), E(EXIST));
    check("make outside", __wasi_path_create_directory(ROOT, "../dir"), E(NOTCAPABLE));
    check("make with a slash", __wasi_path_create_directory(ROOT, "slash/"), 0);
    check("is one, too", type_of("slash"), TYPE(DIRECTORY));
    make_link("none", "dangling");
    check("make over a dangling link", __wasi_path_create_directory(ROOT, "dangling"), E(EXIST));
    check("nothing behind it", type_of("none"), -1);
    make_directory("dir/sub");

    check("remove a full one", __wasi_path_remove_directory(ROOT, "dir"), E(NOTEMPTY));
    check("remove a file so", __wasi_path_remove_directory(ROOT, "file"), E(NOTDIR));
    check("remove what is not there", __wasi_path_remove_directory(ROOT, "none"), E(NOENT));
    check("remove the root's parent", __wasi_path_remove_directory(ROOT, ".."), E(NOTCAPABLE));
    check("remove outside", __wasi_path_remove_directory(ROOT, "../x"), E(NOTCAPABLE));
    make_link("slash", "link");
    check("remove a link so", __wasi_path_remove_directory(ROOT, "link"), E(NOTDIR));
    check("remove an empty one", __wasi_path_remove_directory(ROOT, "dir/sub"), 0);
    check("and then the other", __wasi_path_remove_directory(ROOT, "dir"), 0);
    check("they are gone", type_of("dir"), -1);
    check("remove with a slash", __wasi_path_remove_directory(ROOT, "slash/"), 0);

    make_directory("dir");
    check("unlink a directory", __wasi_path_unlink_file(ROOT, "dir"), E(ISDIR));
    check("it stays", type_of("dir"), TYPE(DIRECTORY));
    check("unlink what is not there", __wasi_path_unlink_file(ROOT, "none"), E(NOENT));
    check("unlink outside", __wasi_path_unlink_file(ROOT, "../x"), E(NOTCAPABLE));
    check("unlink a link", __wasi_path_unlink_file(ROOT, "link"), 0);
    check("unlink a dangling link", __wasi_path_unlink_file(ROOT, "dangling"), 0);
    check("unlink", __wasi_path_unlink_file(ROOT, "file"), 0);
    check("it is gone", type_of("file"), -1);

    check("open one", open_as("dir", 0, DIRECTORY, LISTING | READING, 0, &fd), 0);
    check("remove it meanwhile", __wasi_path_remove_directory(ROOT, "dir"), 0);
    {
        uint8_t data[64];
        __wasi_size_t count = 99;
        __wasi_fd_t other;
        check("nothing is in it", __wasi_path_open(fd, 0, "x", 0, READING, 0, 0, &other), E(NOENT));
        check("it lists", __wasi_fd_readdir(fd, data, sizeof data, 0, &count), 0);
        check("nothing", count, 0);
    }
    check("close it", __wasi_fd_close(fd), 0);
}

void
renaming(void)
{
    __wasi_fd_t fd;

    put("a", "content of a");
    put("b", "content of b");
    check("over a file", __wasi_path_rename(ROOT, "a", ROOT, "b"), 0);
    check("is there", strcmp(content("b"), "content of a"), 0);
    check("and not there", type_of("a"), -1);
    check("what is not there", __wasi_path_rename(ROOT, "a", ROOT, "c"), E(NOENT));
    check("onto itself", __wasi_path_rename(ROOT, "b", ROOT, "b"), 0);
    check("is still there", strcmp(content("b"), "content of a"), 0);
    make_directory("dir");
    make_directory("full");
    put("full/file", "full");
    make_directory("empty");
    check("a file over a directory", __wasi_path_rename(ROOT, "b", ROOT, "dir"), E(ISDIR));
    check("a directory over a file", __wasi_path_rename(ROOT, "dir", ROOT, "b"), E(NOTDIR));
    check("over a full directory", __wasi_path_rename(ROOT, "dir", ROOT, "full"), E(NOTEMPTY));
    check("over an empty directory", __wasi_path_rename(ROOT, "full", ROOT, "empty"), 0);
    check("with what is in it", strcmp(content("empty/file"), "full"), 0);
    check("is gone", type_of("full"), -1);
    check("into itself", __wasi_path_rename(ROOT, "empty", ROOT, "empty/sub"), E(INVAL));
    check("into a directory", __wasi_path_rename(ROOT, "b", ROOT, "dir/b"), 0);
    check("there", strcmp(content("dir/b"), "content of a"), 0);
    check("outside", __wasi_path_rename(ROOT, "dir", ROOT, "../dir"), E(NOTCAPABLE));
    check("from outside", __wasi_path_rename(ROOT, "../x", ROOT, "x"), E(NOTCAPABLE));
    check("below nothing", __wasi_path_rename(ROOT, "dir", ROOT, "none/dir"), E(NOENT));
    make_link("dir", "link");
    check("a link", __wasi_path_rename(ROOT, "link", ROOT, "link2"), 0);
    check("is a link", type_of("link2"), TYPE(SYMBOLIC_LINK));
    make_link("none", "dangling");
    check("over a dangling link", __wasi_path_rename(ROOT, "dir/b", ROOT, "dangling"), 0);
    check("is the file", type_of("dangling"), TYPE(REGULAR_FILE));
    check("an open one", open_as("dangling", 0, 0, BOTH, 0, &fd), 0);
    check("moves", __wasi_path_rename(ROOT, "dangling", ROOT, "moved"), 0);
    check("is written", write_text(fd, "CONTENT", &(__wasi_size_t){0}), 0);
    check("close", __wasi_fd_close(fd), 0);
    check("where it is", strcmp(content("moved"), "CONTENT of a"), 0);
}

void
slashes(void)
{
    __wasi_filestat_t status;
    uint8_t data[8];
    __wasi_size_t count;

    put("file", "x");
    make_directory("dir");
    make_link("file", "link");
    make_link("dir", "dirlink");
    check("open a file", opens("file/", 0, 0, READING), E(NOTDIR));
    check("open a file, slashes", opens("file///", FOLLOW, 0, READING), E(NOTDIR));
    check("open a directory", opens("dir/", 0, DIRECTORY, LISTING), 0);
    check("open a directory, slashes", opens("dir///", 0, 0, LISTING), 0);
    check("open nothing", opens("none/", 0, 0, READING), E(NOENT));
    check("create over a file", opens("file/", 0, CREAT, WRITING), E(ISDIR));
    check("open a link to a file", opens("link/", FOLLOW, 0, READING), E(NOTDIR));
    check("open a link to a directory", opens("dirlink/", FOLLOW, DIRECTORY, LISTING), 0);
    check("a link to a directory, not followed", opens("dirlink/", 0, DIRECTORY, LISTING), 0);
    check("status of a file", __wasi_path_filestat_get(ROOT, 0, "file/", &status), E(NOTDIR));
    check("status of a directory", __wasi_path_filestat_get(ROOT, 0, "dir/", &status), 0);
    check("status of a link", __wasi_path_filestat_get(ROOT, 0, "dirlink/", &status), 0);
    check("is of a directory", status.filetype, TYPE(DIRECTORY));
    check("times of a file", __wasi_path_filestat_set_times(ROOT, 0, "file/", 0, 0, 0), E(NOTDIR));
    check("readlink", __wasi_path_readlink(ROOT, "link/", data, sizeof data, &count), E(NOTDIR));
    check("readlink of a directory's",
          __wasi_path_readlink(ROOT, "dirlink/", data, sizeof data, &count), E(INVAL));
    check("unlink a file", __wasi_path_unlink_file(ROOT, "file/"), E(NOTDIR));
    check("unlink a file, slashes", __wasi_path_unlink_file(ROOT, "file///"), E(NOTDIR));
    check("unlink a directory", __wasi_path_unlink_file(ROOT, "dir/"), E(ISDIR));
    check("unlink a link", __wasi_path_unlink_file(ROOT, "link/"), E(NOTDIR));
    check("unlink a link to a directory", __wasi_path_unlink_file(ROOT, "dirlink/"), E(NOTDIR));
    make_link("none", "dangling");
    check("make over a dangling link", __wasi_path_create_directory(ROOT, "dangling/"), E(NOTDIR));
    check("makes none", type_of("none"), -1);
    check("rename a link to a directory", __wasi_path_rename(ROOT, "dirlink/", ROOT, "new"),
          E(NOTDIR));
    check("rename over a link to a directory", __wasi_path_rename(ROOT, "dir", ROOT, "dirlink/"),
          E(NOTDIR));
    check("remove a file", __wasi_path_remove_directory(ROOT, "file/"), E(NOTDIR));
    check("remove a link to a directory", __wasi_path_remove_directory(ROOT, "dirlink/"),
          E(NOTDIR));
    check("rename a file", __wasi_path_rename(ROOT, "file/", ROOT, "new"), E(NOTDIR));
    check("rename a file to", __wasi_path_rename(ROOT, "file", ROOT, "new/"), E(NOTDIR));
    check("rename a directory", __wasi_path_rename(ROOT, "dir/", ROOT, "dir2"), 0);
    check("rename a directory to", __wasi_path_rename(ROOT, "dir2", ROOT, "dir/"), 0);
    check("both", __wasi_path_rename(ROOT, "dir///", ROOT, "dir3///"), 0);
    check("the file is there", type_of("file"), TYPE(REGULAR_FILE));
    check("the directory is there", type_of("dir3"), TYPE(DIRECTORY));
    check("the link is there", type_of("link"), TYPE(SYMBOLIC_LINK));
    check("the directory's link is there", type_of("dirlink"), TYPE(SYMBOLIC_LINK));
    check("remove a directory", __wasi_path_remove_directory(ROOT, "dir3///"), 0);
}
