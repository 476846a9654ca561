/* rest.c: directories as they list, clocks, polling, sockets, and some of what libc makes of it
 * all. */
#include "check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- fd_readdir ---- */

#define MANY 300

static int seen[MANY], dots, others, wrong_types;

static void
count_entry(const char *name, size_t size, int type)
{
    char text[300];
    int number, end = 0;

    memcpy(text, name, size);
    text[size] = 0;
    if (!strcmp(text, ".") || !strcmp(text, "..")) {
        dots++;
        wrong_types += type != __WASI_FILETYPE_DIRECTORY;
    } else if (sscanf(text, "file number %d%n", &number, &end) == 1 && (size_t)end == size &&
               number < MANY) {
        seen[number]++;
        wrong_types += type != __WASI_FILETYPE_REGULAR_FILE;
    } else
        others++;
}

/* Lists with a buffer of that size, as a program must: what was cut is read again from its cookie.
   Answers an errno, and -1 if nothing can be read. */
static int
list(__wasi_fd_t fd, size_t room)
{
    static uint8_t data[1 << 15];
    __wasi_dircookie_t cookie = __WASI_DIRCOOKIE_START;
    __wasi_size_t used;

    memset(seen, 0, sizeof seen);
    dots = others = wrong_types = 0;
    do {
        size_t at = 0;
        int error = __wasi_fd_readdir(fd, data, room, cookie, &used), found = 0;

        if (error)
            return error;
        while (used - at >= sizeof(__wasi_dirent_t)) {
            __wasi_dirent_t entry;
            memcpy(&entry, data + at, sizeof entry);
            if (used - at < sizeof entry + entry.d_namlen)
                break;
            count_entry((const char *)data + at + sizeof entry, entry.d_namlen, entry.d_type);
            at += sizeof entry + entry.d_namlen;
            cookie = entry.d_next;
            found++;
        }
        if (used == room && !found)
            return -1;
    } while (used == room);
    return 0;
}

static int
each_once(void)
{
    int i, good = 1;

    for (i = 0; i < MANY; i++)
        good = good && seen[i] == 1;
    return good;
}

void
listing(void)
{
    const size_t rooms[] = {1 << 15, 4096, 1000, 100, 24 + 15};
    static uint8_t data[4096], again[4096];
    __wasi_dirent_t entry;
    __wasi_filestat_t status;
    __wasi_size_t used, other;
    __wasi_fd_t fd, file;
    char text[60];
    size_t i, at;

    make_directory("empty");
    check("open an empty one", open_as("empty", 0, DIRECTORY, LISTING, 0, &fd), 0);
    check("list it", list(fd, 4096), 0);
    check("two dots", dots, 2);
    check("no more", others, 0);
    check("close it", __wasi_fd_close(fd), 0);

    make_directory("dir");
    for (i = 0; i < MANY; i++) {
        snprintf(text, sizeof text, "dir/file number %d", (int)i);
        put(text, "");
    }
    check("open a full one", open_as("dir", 0, DIRECTORY, LISTING, 0, &fd), 0);
    for (i = 0; i < sizeof rooms / sizeof *rooms; i++) {
        snprintf(text, sizeof text, "list by %d", (int)rooms[i]);
        check(text, list(fd, rooms[i]), 0);
        snprintf(text, sizeof text, "each once by %d", (int)rooms[i]);
        check(text, each_once(), 1);
        snprintf(text, sizeof text, "and no more by %d", (int)rooms[i]);
        check(text, others * 100 + dots, 2);
        snprintf(text, sizeof text, "all types by %d", (int)rooms[i]);
        check(text, wrong_types, 0);
    }
    check("room for no entry", __wasi_fd_readdir(fd, data, 10, 0, &used), 0);
    check("gives its beginning", used, 10);
    check("no room at all", __wasi_fd_readdir(fd, data, 0, 0, &used), 0);
    check("gives nothing", used, 0);
    check("no end at a name", list(fd, 24), -1);

    check("from the beginning", __wasi_fd_readdir(fd, data, sizeof data, 0, &used), 0);
    check("a second time", __wasi_fd_readdir(fd, again, sizeof again, 0, &other), 0);
    check("is the same", used == other && !memcmp(data, again, used), 1);
    memcpy(&entry, data, sizeof entry);
    at = sizeof entry + entry.d_namlen;
    check("from a cookie", __wasi_fd_readdir(fd, again, sizeof again, entry.d_next, &other), 0);
    check("is what follows", memcmp(data + at, again, used - at), 0);
    for (at = 0; used - at >= sizeof entry; at += sizeof entry + entry.d_namlen) {
        memcpy(&entry, data + at, sizeof entry);
        if (entry.d_namlen == 15 && used - at >= sizeof entry + 15)
            break;
    }
    memcpy(text, "dir/", 4);
    memcpy(text + 4, data + at + sizeof entry, 15);
    text[19] = 0;
    check("status of an entry", __wasi_path_filestat_get(ROOT, 0, text, &status), 0);
    check("has its inode", status.ino == entry.d_ino, 1);

    check("unlink one", __wasi_path_unlink_file(ROOT, "dir/file number 7"), 0);
    check("list again", list(fd, 4096), 0);
    check("it is gone", seen[7], 0);
    put("dir/another", "");
    check("list once more", list(fd, 4096), 0);
    check("the new one is there", others, 1);
    check("close", __wasi_fd_close(fd), 0);

    put("file", "x");
    check("open a file", open_as("file", 0, 0, READING, 0, &file), 0);
    check("a file lists nothing", __wasi_fd_readdir(file, data, sizeof data, 0, &used),
          E(NOTCAPABLE));
    check("close the file", __wasi_fd_close(file), 0);
    check("stdin lists nothing", __wasi_fd_readdir(0, data, sizeof data, 0, &used), E(NOTCAPABLE));
}

/* ---- clocks, polling, sockets ---- */

void
clocks(void)
{
    __wasi_timestamp_t a = 0, b = 0;
    uint8_t data[64], zeros[64] = {0};
    __wasi_size_t count, size;

    check("realtime", __wasi_clock_time_get(__WASI_CLOCKID_REALTIME, 0, &a), 0);
    check("is of this age", a > 1600000000000000000ull, 1);
    check("monotonic", __wasi_clock_time_get(__WASI_CLOCKID_MONOTONIC, 1, &a), 0);
    check("monotonic, later", __wasi_clock_time_get(__WASI_CLOCKID_MONOTONIC, 1000000, &b), 0);
    check("goes forward", b >= a, 1);
    check("resolution of realtime", __wasi_clock_res_get(__WASI_CLOCKID_REALTIME, &a), 0);
    check("is less than a second", a > 0 && a < 1000000000, 1);
    check("resolution of monotonic", __wasi_clock_res_get(__WASI_CLOCKID_MONOTONIC, &a), 0);
    check("is, too", a > 0 && a < 1000000000, 1);
    check("yield", __wasi_sched_yield(), 0);
    memset(data, 0, sizeof data);
    check("no random byte", __wasi_random_get(data, 0), 0);
    check("changes nothing", memcmp(data, zeros, sizeof data), 0);
    check("random bytes", __wasi_random_get(data, 32), 0);
    check("are some", memcmp(data, zeros, 32) != 0, 1);
    check("and no more", memcmp(data + 32, zeros, 32), 0);
    check("arguments", __wasi_args_sizes_get(&count, &size), 0);
    check("are two", count, 2);
    check("environment", __wasi_environ_sizes_get(&count, &size), 0);
    check("is one", count, 1);
    check("so long", size, sizeof "NAME=value");
    check("and is", strcmp(getenv("NAME"), "value"), 0);
}

static __wasi_subscription_t
clock_in(uint64_t userdata, uint64_t ns)
{
    return (__wasi_subscription_t){
        .userdata = userdata,
        .u = {.tag = __WASI_EVENTTYPE_CLOCK,
              .u.clock = {.id = __WASI_CLOCKID_MONOTONIC, .timeout = ns}}};
}

static __wasi_subscription_t
ready(uint64_t userdata, int type, __wasi_fd_t fd)
{
    return (__wasi_subscription_t){.userdata = userdata, .u = {.tag = type, .u.fd_read = {fd}}};
}

static __wasi_timestamp_t
now(void)
{
    __wasi_timestamp_t time = 0;

    return __wasi_clock_time_get(__WASI_CLOCKID_MONOTONIC, 1, &time) ? 0 : time;
}

void
polling(void)
{
    __wasi_fd_t fd = make("file", "0123");
    __wasi_subscription_t all[4];
    __wasi_event_t events[4];
    __wasi_size_t count = 99;
    __wasi_timestamp_t begin, end;

    check("nothing", __wasi_poll_oneoff(all, events, 0, &count), E(INVAL));

    all[0] = clock_in(11, 20000000);
    begin = now();
    check("a while", __wasi_poll_oneoff(all, events, 1, &count), 0);
    end = now();
    check("a while: one event", count, 1);
    check("a while: whose", events[0].userdata, 11);
    check("a while: what", events[0].type, __WASI_EVENTTYPE_CLOCK);
    check("a while: no error", events[0].error, 0);
    check("it has passed", end - begin >= 20000000, 1);

    all[0].u.u.clock.flags = __WASI_SUBCLOCKFLAGS_SUBSCRIPTION_CLOCK_ABSTIME;
    all[0].u.u.clock.timeout = end + 20000000;
    check("until", __wasi_poll_oneoff(all, events, 1, &count), 0);
    begin = now();
    check("it is later", begin >= end + 20000000, 1);
    check("long ago", __wasi_poll_oneoff(all, events, 1, &count), 0);
    check("long ago: one event", count, 1);

    all[0] = clock_in(1, 3600ull * 1000000000);
    all[1] = clock_in(2, 1000000);
    check("the first of two", __wasi_poll_oneoff(all, events, 2, &count), 0);
    check("the first of two: one event", count, 1);
    check("the first of two: whose", events[0].userdata, 2);

    all[1] = ready(22, __WASI_EVENTTYPE_FD_READ, fd);
    all[2] = ready(33, __WASI_EVENTTYPE_FD_WRITE, fd);
    check("a file", __wasi_poll_oneoff(all, events, 3, &count), 0);
    check("a file: one or both", count == 1 || count == 2, 1);
    check("a file: whose", events[0].userdata == 22 || events[0].userdata == 33, 1);
    check("a file: no error", events[0].error, 0);

    memset(events, 0, sizeof events);
    count = 99;
    all[0] = ready(44, __WASI_EVENTTYPE_FD_READ, NOBODY);
    check("no descriptor", __wasi_poll_oneoff(all, events, 1, &count), 0);
    check("no descriptor: one event", count, 1);
    check("no descriptor: whose", events[0].userdata, 44);
    check("no descriptor: error", events[0].error, E(BADF));

    all[0] = ready(55, __WASI_EVENTTYPE_FD_READ, 0);
    all[1] = clock_in(66, 3600ull * 1000000000);
    check("stdin", __wasi_poll_oneoff(all, events, 2, &count), 0);
    check("stdin: one event", count, 1);
    check("stdin: whose", events[0].userdata, 55);
    all[0] = ready(77, __WASI_EVENTTYPE_FD_WRITE, 1);
    all[1] = ready(88, __WASI_EVENTTYPE_FD_WRITE, 2);
    check("outputs", __wasi_poll_oneoff(all, events, 2, &count), 0);
    check("outputs: both", count, 2);
    check("close", __wasi_fd_close(fd), 0);
}

void
sockets(void)
{
    __wasi_fd_t file = make("file", "x"), fd;
    const __wasi_fd_t all[] = {0, 1, ROOT, file};
    uint8_t data[4];
    __wasi_iovec_t in = {data, sizeof data};
    __wasi_ciovec_t out = {data, 1};
    __wasi_size_t count;
    __wasi_roflags_t flags;
    char text[60];
    size_t i;

#define REFUSED(what, call)                          \
    snprintf(text, sizeof text, what " %d", (int)i); \
    check(text, call, E(NOTSOCK))
    for (i = 0; i < sizeof all / sizeof *all; i++) {
        REFUSED("accept", __wasi_sock_accept(all[i], 0, &fd));
        REFUSED("receive", __wasi_sock_recv(all[i], &in, 1, 0, &count, &flags));
        REFUSED("send", __wasi_sock_send(all[i], &out, 1, 0, &count));
        REFUSED("shutdown", __wasi_sock_shutdown(all[i], __WASI_SDFLAGS_RD));
    }
    check("shutdown of nothing", __wasi_sock_shutdown(NOBODY, __WASI_SDFLAGS_RD), E(BADF));
    check("accept of nothing", __wasi_sock_accept(NOBODY, 0, &fd), E(BADF));
    check("receive of nothing", __wasi_sock_recv(NOBODY, &in, 1, 0, &count, &flags), E(BADF));
    check("send to nothing", __wasi_sock_send(NOBODY, &out, 1, 0, &count), E(BADF));
    check("the file is there", strcmp(content("file"), "x"), 0);
}

/* ---- through libc ---- */

void
libc(void)
{
    FILE *file = fopen("/file", "w+");
    struct stat a, b;
    struct dirent *entry;
    DIR *dir;
    char data[32] = "", name[40];
    int fd, i, found = 0;

    check("fopen", file != NULL, 1);
    check("fprintf", fprintf(file, "line %d\nrest", 1), 11);
    check("rewind", fseek(file, 0, SEEK_SET), 0);
    check("fgets", strcmp(fgets(data, sizeof data, file), "line 1\n"), 0);
    check("fclose", fclose(file), 0);
    check("fopen of nothing", fopen("/none", "r") == NULL && errno == ENOENT, 1);
    check("fopen outside", fopen("/../none", "r") == NULL, 1);
    check("append", (file = fopen("/file", "a")) && fputs("!", file) >= 0 && !fclose(file), 1);
    check("stat", stat("/file", &a), 0);
    check("size", a.st_size, 12);
    check("is a file", S_ISREG(a.st_mode), 1);
    check("open", (fd = open("/file", O_RDONLY)) >= 0, 1);
    check("fstat", fstat(fd, &b) || a.st_ino != b.st_ino || a.st_dev != b.st_dev, 0);
    check("lseek", lseek(fd, -5, SEEK_END), 7);
    check("read", read(fd, data, 4), 4);
    check("lseek tells", lseek(fd, 0, SEEK_CUR), 11);
    check("pread", pread(fd, data, 4, 0), 4);
    check("write to a reader", write(fd, "x", 1) == -1 && errno == EBADF, 1);
    check("isatty", isatty(fd), 0);
    check("fcntl", fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
    check("close", close(fd), 0);
    check("close again", close(fd) == -1 && errno == EBADF, 1);
    check("ftruncate",
          (fd = open("/file", O_RDWR)) >= 0 && !ftruncate(fd, 3) && !fsync(fd) && !close(fd), 1);
    check("mkdir", mkdir("/dir", 0777), 0);
    for (i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "/dir/%d", i);
        fclose(fopen(name, "w"));
    }
    check("opendir", (dir = opendir("/dir")) != NULL, 1);
    while ((entry = readdir(dir)))
        found += entry->d_name[0] != '.';
    check("readdir", found, 100);
    rewinddir(dir);
    for (found = 0; (entry = readdir(dir)); found++)
        ;
    check("rewinddir", found, 102);
    check("closedir", closedir(dir), 0);
    check("opendir of a file", opendir("/file") == NULL && errno == ENOTDIR, 1);
    check("rmdir", rmdir("/dir") == -1 && errno == ENOTEMPTY, 1);
    check("symlink", symlink("file", "/link"), 0);
    check("readlink", readlink("/link", data, sizeof data), 4);
    check("lstat", lstat("/link", &a) || !S_ISLNK(a.st_mode), 0);
    check("rename", rename("/file", "/moved"), 0);
    check("access", access("/file", F_OK) == -1 && errno == ENOENT, 1);
    check("unlink", unlink("/moved"), 0);
    check("exclusive", (fd = open("/excl", O_CREAT | O_EXCL | O_WRONLY, 0666)) >= 0 && !close(fd),
          1);
    check("exclusive again",
          open("/excl", O_CREAT | O_EXCL | O_WRONLY, 0666) == -1 && errno == EEXIST, 1);
    check("a directory to write to", open("/dir", O_WRONLY) == -1 && errno == EISDIR, 1);
}
