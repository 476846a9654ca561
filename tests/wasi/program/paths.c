/* paths.c: resolving paths: opening, creating, following links, making links. */
#include "check.h"

#define TYPE(name) __WASI_FILETYPE_##name

void
opening(void)
{
    __wasi_fd_t fd, directory;
    __wasi_fdstat_t status;

    put("file", "0123");
    make_directory("dir");
    put("dir/inner", "inner");

    check("read", opens("file", 0, 0, READING), 0);
    check("write", opens("file", 0, 0, WRITING), 0);
    check("both", opens("file", 0, 0, BOTH), 0);
    check("no right", opens("file", 0, 0, 0), 0);
    check("it stays", strcmp(content("file"), "0123"), 0);
    check("as a directory", opens("file", 0, DIRECTORY, LISTING), E(NOTDIR));
    check("as what is below", opens("file/x", 0, 0, READING), E(NOTDIR));
    check("as its parent", opens("file/..", 0, 0, LISTING), E(NOTDIR));
    check("what is not there", opens("none", 0, 0, READING), E(NOENT));
    check("what is not there, below", opens("none/x", 0, 0, READING), E(NOENT));
    check("an empty path", opens("", 0, 0, READING), E(NOENT));
    check("a dot", opens(".", 0, DIRECTORY, LISTING), 0);
    check("a dot without asking for a directory", opens(".", 0, 0, LISTING), 0);
    check("dots", opens("././dir/.././dir/./inner", 0, 0, READING), 0);
    check("slashes", opens("dir//inner", 0, 0, READING), 0);
    check("the parent", opens("..", 0, DIRECTORY, LISTING), E(NOTCAPABLE));
    check("the parent, behind", opens("dir/../..", 0, DIRECTORY, LISTING), E(NOTCAPABLE));
    check("out and in again", opens("../work/file", 0, 0, READING), E(NOTCAPABLE));
    check("the root", opens("/", 0, DIRECTORY, LISTING), E(NOTCAPABLE));
    check("absolute", opens("/file", 0, 0, READING), E(NOTCAPABLE));
    check("a directory", opens("dir", 0, DIRECTORY, LISTING), 0);
    check("a directory, not asked for", opens("dir", 0, 0, LISTING), 0);
    check("a directory to write to", opens("dir", 0, 0, WRITING), E(ISDIR));
    check("a directory to cut", opens("dir", 0, TRUNC, WRITING), E(ISDIR));

    check("open the directory", open_as("dir", 0, DIRECTORY, LISTING | READING, 0, &directory), 0);
    check("its type",
          __wasi_fd_fdstat_get(directory, &status) || status.fs_filetype != TYPE(DIRECTORY), 0);
    check("in it", __wasi_path_open(directory, 0, "inner", 0, READING, 0, 0, &fd), 0);
    check("close that", __wasi_fd_close(fd), 0);
    check("beside it", __wasi_path_open(directory, 0, "../file", 0, READING, 0, 0, &fd),
          E(NOTCAPABLE));
    check("itself", __wasi_path_open(directory, 0, ".", DIRECTORY, LISTING, 0, 0, &fd), 0);
    check("close itself", __wasi_fd_close(fd), 0);
    check("close it", __wasi_fd_close(directory), 0);

    check("open a file", open_as("file", 0, 0, READING, 0, &fd), 0);
    check("a file is no directory", __wasi_path_open(fd, 0, "x", 0, READING, 0, 0, &directory),
          E(NOTDIR));
    check("nor with a dot", __wasi_path_open(fd, 0, ".", 0, READING, 0, 0, &directory), E(NOTDIR));
    check("nor does it hold any", __wasi_path_create_directory(fd, "x"), E(NOTDIR));
    check("close the file", __wasi_fd_close(fd), 0);
}

void
creating(void)
{
    __wasi_fd_t fd;

    check("create", opens("new", 0, CREAT, WRITING), 0);
    check("it is there", size_of("new"), 0);
    put("new", "content");
    check("create what is there", opens("new", 0, CREAT, WRITING), 0);
    check("leaves it", strcmp(content("new"), "content"), 0);
    check("create what is there, alone", opens("new", 0, CREAT | EXCL, WRITING), E(EXIST));
    check("leaves it, too", strcmp(content("new"), "content"), 0);
    check("alone, not to create", opens("new", 0, EXCL, READING), 0);
    check("create and cut", opens("new", 0, CREAT | TRUNC, WRITING), 0);
    check("cut", size_of("new"), 0);
    check("cut what is not there", opens("none", 0, TRUNC, WRITING), E(NOENT));
    check("create alone", opens("alone", 0, CREAT | EXCL, WRITING), 0);
    check("create to read", opens("reader", 0, CREAT, READING), 0);
    check("is there", size_of("reader"), 0);
    check("create a directory so", opens("dir", 0, CREAT | DIRECTORY, LISTING), E(INVAL));
    check("makes nothing", type_of("dir"), -1);
    make_directory("dir");
    check("create a directory that is there", opens("dir", 0, CREAT | DIRECTORY, LISTING),
          E(INVAL));
    check("create over a directory", opens("dir", 0, CREAT, WRITING), E(ISDIR));
    check("create over a directory, alone", opens("dir", 0, CREAT | EXCL, WRITING), E(EXIST));
    check("create where no directory is", opens("none/new", 0, CREAT, WRITING), E(NOENT));
    check("create below a file", opens("new/new", 0, CREAT, WRITING), E(NOTDIR));
    check("create with a slash", opens("slash/", 0, CREAT, WRITING), E(ISDIR));
    check("makes no slash", type_of("slash"), -1);
    check("create a dot", opens(".", 0, CREAT, WRITING), E(ISDIR));
    check("create the parent", opens("..", 0, CREAT, WRITING), E(NOTCAPABLE));
    check("create outside", opens("../outside", 0, CREAT, WRITING), E(NOTCAPABLE));
    check("create within", opens("dir/../dir/inner", 0, CREAT, WRITING), 0);
    check("is within", type_of("dir/inner"), TYPE(REGULAR_FILE));

    check("open what is removed then", open_as("alone", 0, 0, BOTH, 0, &fd), 0);
    check("remove it", __wasi_path_unlink_file(ROOT, "alone"), 0);
    check("it can be used", write_text(fd, "x", &(__wasi_size_t){0}), 0);
    check("closed", __wasi_fd_close(fd), 0);
    check("then it is gone", type_of("alone"), -1);
}

void
following(void)
{
    __wasi_filestat_t status;
    uint8_t data[16];
    __wasi_size_t count;

    put("file", "content");
    make_directory("dir");
    put("dir/inner", "inner");
    make_link("file", "link");
    make_link("link", "chain");
    make_link("dir", "dirlink");
    make_link("../file", "dir/up");
    make_link("none", "dangling");
    make_link("loop2", "loop1");
    make_link("loop1", "loop2");
    make_link("self", "self");
    make_link("../outside", "out");
    make_link(".", "here");

    check("follow", strcmp(content("link"), "content"), 0);
    check("follow a chain", strcmp(content("chain"), "content"), 0);
    check("follow in the middle", strcmp(content("dirlink/inner"), "inner"), 0);
    check("follow upwards", strcmp(content("dir/up"), "content"), 0);
    check("follow both ways", strcmp(content("dirlink/up"), "content"), 0);
    check("follow to here", strcmp(content("here/here/here/file"), "content"), 0);
    check("don't follow", opens("link", 0, 0, READING), E(LOOP));
    check("don't follow a chain", opens("chain", 0, 0, READING), E(LOOP));
    check("don't follow, in the middle", opens("dirlink/inner", 0, 0, READING), 0);
    check("don't follow to a directory", opens("dirlink", 0, 0, LISTING), E(LOOP));
    check("don't follow to a directory, asked for", opens("dirlink", 0, DIRECTORY, LISTING),
          E(LOOP));
    check("follow to a directory", opens("dirlink", FOLLOW, DIRECTORY, LISTING), 0);
    check("follow to no directory", opens("link", FOLLOW, DIRECTORY, LISTING), E(NOTDIR));
    check("dangling", opens("dangling", FOLLOW, 0, READING), E(NOENT));
    check("dangling, not followed", opens("dangling", 0, 0, READING), E(LOOP));
    check("dangling, as a directory", opens("dangling", FOLLOW, DIRECTORY, LISTING), E(NOENT));
    check("dangling, in the middle", opens("dangling/x", FOLLOW, 0, READING), E(NOENT));
    check("loop", opens("loop1", FOLLOW, 0, READING), E(LOOP));
    check("loop, not followed", opens("loop1", 0, 0, READING), E(LOOP));
    check("loop to itself", opens("self", FOLLOW, 0, READING), E(LOOP));
    check("loop in the middle", opens("self/x", 0, 0, READING), E(LOOP));
    check("loop, to create", opens("self", FOLLOW, CREAT, WRITING), E(LOOP));
    check("out", opens("out", FOLLOW, 0, READING), E(NOTCAPABLE));
    check("out, to create", opens("out", FOLLOW, CREAT, WRITING), E(NOTCAPABLE));

    check("create over a link, alone", opens("link", 0, CREAT | EXCL, WRITING), E(EXIST));
    check("create over a link, alone, following", opens("link", FOLLOW, CREAT | EXCL, WRITING),
          E(EXIST));
    check("create over a dangling one, alone", opens("dangling", 0, CREAT | EXCL, WRITING),
          E(EXIST));
    check("create over a dangling one, alone, following",
          opens("dangling", FOLLOW, CREAT | EXCL, WRITING), E(EXIST));
    check("makes nothing", type_of("none"), -1);
    check("create over a dangling one", opens("dangling", 0, CREAT, WRITING), E(LOOP));
    check("makes nothing, either", type_of("none"), -1);
    check("cut through a link", opens("link", 0, TRUNC, WRITING), E(LOOP));
    check("cuts nothing", size_of("file"), 7);
    check("create through a dangling one", opens("dangling", FOLLOW, CREAT, WRITING), 0);
    check("makes it", type_of("none"), TYPE(REGULAR_FILE));
    check("remove that", __wasi_path_unlink_file(ROOT, "none"), 0);

    check("status of a link", __wasi_path_filestat_get(ROOT, 0, "link", &status), 0);
    check("is the link's", status.filetype, TYPE(SYMBOLIC_LINK));
    check("size of a link", status.size, 4);
    check("status through a link", __wasi_path_filestat_get(ROOT, FOLLOW, "link", &status), 0);
    check("is the file's", status.filetype, TYPE(REGULAR_FILE));
    check("status of a dangling one", __wasi_path_filestat_get(ROOT, 0, "dangling", &status), 0);
    check("status through a dangling one",
          __wasi_path_filestat_get(ROOT, FOLLOW, "dangling", &status), E(NOENT));
    check("status of a loop", __wasi_path_filestat_get(ROOT, 0, "self", &status), 0);
    check("status through a loop", __wasi_path_filestat_get(ROOT, FOLLOW, "self", &status),
          E(LOOP));
    check("status outside", __wasi_path_filestat_get(ROOT, FOLLOW, "out", &status), E(NOTCAPABLE));

    memset(data, '-', sizeof data);
    check("readlink", __wasi_path_readlink(ROOT, "link", data, sizeof data, &count), 0);
    check("readlink: so many", count, 4);
    check("readlink: it", memcmp(data, "file-", 5), 0);
    check("readlink, no room", __wasi_path_readlink(ROOT, "chain", data, 2, &count), 0);
    check("readlink, no room: so many", count, 2);
    check("readlink, no room: it", memcmp(data, "lile-", 5), 0);
    check("readlink, none at all", __wasi_path_readlink(ROOT, "chain", data, 0, &count), 0);
    check("readlink, none at all: so many", count, 0);
    check("readlink of a file", __wasi_path_readlink(ROOT, "file", data, sizeof data, &count),
          E(INVAL));
    check("readlink of a directory", __wasi_path_readlink(ROOT, "dir", data, sizeof data, &count),
          E(INVAL));
    check("readlink of nothing", __wasi_path_readlink(ROOT, "none", data, sizeof data, &count),
          E(NOENT));
    check("readlink of what leads out",
          __wasi_path_readlink(ROOT, "out", data, sizeof data, &count), 0);
    check("readlink behind a link",
          __wasi_path_readlink(ROOT, "dirlink/up", data, sizeof data, &count), 0);
    check("readlink outside", __wasi_path_readlink(ROOT, "../x", data, sizeof data, &count),
          E(NOTCAPABLE));
}

void
links(void)
{
    __wasi_filestat_t a, b;

    put("file", "content");
    make_directory("dir");
    check("symlink", __wasi_path_symlink("file", ROOT, "soft"), 0);
    check("symlink over a file", __wasi_path_symlink("x", ROOT, "file"), E(EXIST));
    check("symlink over a directory", __wasi_path_symlink("x", ROOT, "dir"), E(EXIST));
    check("symlink over a link", __wasi_path_symlink("x", ROOT, "soft"), E(EXIST));
    check("symlink with a slash", __wasi_path_symlink("x", ROOT, "new/"), E(NOENT));
    check("symlink over a directory, with a slash", __wasi_path_symlink("x", ROOT, "dir/"),
          E(EXIST));
    check("symlink where no directory is", __wasi_path_symlink("x", ROOT, "none/new"), E(NOENT));
    check("symlink to nothing", __wasi_path_symlink("", ROOT, "new"), E(NOENT));
    check("symlink to the root", __wasi_path_symlink("/", ROOT, "new"), E(NOTCAPABLE));
    check("symlink outside", __wasi_path_symlink("x", ROOT, "../new"), E(NOTCAPABLE));
    check("makes none", type_of("new"), -1);

    check("link", __wasi_path_link(ROOT, 0, "file", ROOT, "hard"), 0);
    check("status of both",
          __wasi_path_filestat_get(ROOT, 0, "file", &a) ||
              __wasi_path_filestat_get(ROOT, 0, "hard", &b),
          0);
    check("the same file", a.ino == b.ino && a.dev == b.dev, 1);
    check("two links", b.nlink, 2);
    check("over itself", __wasi_path_link(ROOT, 0, "file", ROOT, "file"), E(EXIST));
    check("over a file", __wasi_path_link(ROOT, 0, "file", ROOT, "hard"), E(EXIST));
    check("over a directory", __wasi_path_link(ROOT, 0, "file", ROOT, "dir"), E(EXIST));
    check("of a directory", __wasi_path_link(ROOT, 0, "dir", ROOT, "new"), E(PERM));
    check("of nothing", __wasi_path_link(ROOT, 0, "none", ROOT, "new"), E(NOENT));
    check("with a slash", __wasi_path_link(ROOT, 0, "file", ROOT, "new/"), E(NOENT));
    check("of a file with a slash", __wasi_path_link(ROOT, 0, "file/", ROOT, "new"), E(NOTDIR));
    check("outside", __wasi_path_link(ROOT, 0, "file", ROOT, "../new"), E(NOTCAPABLE));
    check("of what is outside", __wasi_path_link(ROOT, 0, "../file", ROOT, "new"), E(NOTCAPABLE));
    check("nothing new", type_of("new"), -1);
    check("of a link", __wasi_path_link(ROOT, 0, "soft", ROOT, "soft2"), 0);
    check("is that link", type_of("soft2"), TYPE(SYMBOLIC_LINK));
    check("into a directory", __wasi_path_link(ROOT, 0, "file", ROOT, "dir/hard"), 0);
    check("three links", __wasi_path_filestat_get(ROOT, 0, "file", &a) || a.nlink != 3, 0);
    check("remove the first", __wasi_path_unlink_file(ROOT, "file"), 0);
    check("the others stay", strcmp(content("dir/hard"), "content"), 0);
    make_link("none", "dangling");
    check("of a dangling one", __wasi_path_link(ROOT, 0, "dangling", ROOT, "dangling2"), 0);
    check("over a dangling one", __wasi_path_link(ROOT, 0, "hard", ROOT, "dangling"), E(EXIST));
}
