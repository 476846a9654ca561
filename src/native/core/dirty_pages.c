/* dirty_pages.c: finds the pages of a private mapping that were written to.
 *
 * A page of a file that is mapped privately stays the file's until it is written to; then it is
 * anonymous. /proc/self/pagemap tells them apart: the ioctl PAGEMAP_SCAN (Linux 6.7) for a whole
 * range, reading the file a word for each page.
 *
 * A descriptor of that file belongs to the process that has opened it, also in a child of a fork.
 * There it would tell of the parent's pages, and a memory of the child would be taken for clean. So
 * the descriptor is opened again where the process is another one. An emulator may show the map of
 * its own addresses, which aren't ours: so the map is used only if it shows a page that we touch.
 */
#include "core/dirty_pages.h"

int wpy_dirty_pages_way;

#if defined(__linux__)
#include "core/descriptors.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define SYSTEM_PAGE 4096u

#define WORD_PRESENT ((uint64_t)1 << 63)
#define WORD_SWAPPED ((uint64_t)1 << 62)
#define WORD_OF_FILE ((uint64_t)1 << 61)

static int descriptor = -1;
static pid_t opened_by;

/* Whether a page of this process is one of its own, as the map has it; -1: the map does not say. */
static int
is_own(int fd, const uint8_t *page)
{
    uint64_t word;
    off_t at = (off_t)((uintptr_t)page / SYSTEM_PAGE * sizeof word);

    if (pread(fd, &word, sizeof word, at) != (ssize_t)sizeof word)
        return -1;
    return (word & (WORD_PRESENT | WORD_SWAPPED)) != 0 && !(word & WORD_OF_FILE);
}

/* Whether the map is that of the addresses that we see. */
static bool
is_ours(int fd)
{
    uint8_t *page =
        mmap(NULL, SYSTEM_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bool ours;

    if (page == MAP_FAILED)
        return false;
    ours = is_own(fd, page) == 0;
    *(volatile uint8_t *)page = 1;
    ours = ours && is_own(fd, page) == 1;
    munmap(page, SYSTEM_PAGE);
    return ours;
}

static int
open_page_map(void)
{
    char path[40] = "/proc/self/pagemap";
    int fd;

    if (wpy_dirty_pages_way == WPY_OTHER_PAGE_MAP)
        snprintf(path, sizeof path, "/proc/%ld/pagemap", (long)getppid());
    fd = wpy_above_stdio(open(path, O_RDONLY | O_CLOEXEC));
    if (fd >= 0 && !is_ours(fd)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* The descriptor of this process's page map; -1: there is none. It stays open. */
static int
page_map(void)
{
    static int opened_way;
    pid_t here = getpid();
    int found;

    wpy_registry_lock();
    if (opened_by != here || opened_way != wpy_dirty_pages_way) {
        if (descriptor >= 0)
            close(descriptor);
        descriptor = open_page_map();
        opened_by = here;
        opened_way = wpy_dirty_pages_way;
    }
    found = descriptor;
    wpy_registry_unlock();
    return found;
}

/* struct pm_scan_arg and struct page_region of <linux/fs.h>, which older systems lack. */
struct scan {
    uint64_t size, flags, start, end, walk_end, runs, room, most, inverted, all_of, any_of,
        returned;
};
struct scanned_run {
    uint64_t start, end, categories;
};
#define SCAN _IOWR('f', 16, struct scan)
enum { OF_FILE = 4, PRESENT = 8, SWAPPED = 16 };

#define SCANNED 512

static int
scan(int fd, uint64_t base, uint64_t size, wpy_page_run *runs, int room, uint64_t most)
{
    struct scanned_run found[SCANNED];
    struct scan arguments = {.size = sizeof arguments,
                             .start = base,
                             .end = base + size,
                             .runs = (uintptr_t)found,
                             .room = (uint64_t)room,
                             .most = most + 1,
                             .inverted = OF_FILE,
                             .all_of = OF_FILE,
                             .any_of = PRESENT | SWAPPED,
                             .returned = PRESENT | SWAPPED};
    int count = ioctl(fd, SCAN, &arguments), i;

    if (count < 0 || count >= room || arguments.walk_end != arguments.end)
        return -1;
    for (i = 0; i < count; i++)
        runs[i] = (wpy_page_run){found[i].start, found[i].end};
    return count;
}

static int
read_map(int fd, uint64_t base, uint64_t size, wpy_page_run *runs, int room)
{
    uint64_t words[512], at = base, end = base + size;
    int count = 0;

    while (at < end) {
        uint64_t wanted = (end - at) / SYSTEM_PAGE, i;
        ssize_t got;

        if (wanted > 512)
            wanted = 512;
        got = pread(fd, words, wanted * 8, (off_t)(at / SYSTEM_PAGE * 8));
        if (got != (ssize_t)(wanted * 8))
            return -1;
        for (i = 0; i < wanted; i++, at += SYSTEM_PAGE) {
            if (!(words[i] & (WORD_PRESENT | WORD_SWAPPED)) || (words[i] & WORD_OF_FILE))
                continue;
            if (count && runs[count - 1].end == at)
                runs[count - 1].end += SYSTEM_PAGE;
            else if (count == room)
                return -1;
            else
                runs[count++] = (wpy_page_run){at, at + SYSTEM_PAGE};
        }
    }
    return count;
}

int
wpy_find_dirty_pages(const uint8_t *base, uint64_t size, wpy_page_run *runs, int room,
                     uint64_t most)
{
    uint64_t start = (uintptr_t)base, pages = 0;
    int fd, count = -1, i;

    if (wpy_dirty_pages_way == 2 || room > SCANNED || sysconf(_SC_PAGESIZE) != SYSTEM_PAGE ||
        (fd = page_map()) < 0)
        return -1;
    if (wpy_dirty_pages_way == 0)
        count = scan(fd, start, size, runs, room, most);
    if (count < 0)
        count = read_map(fd, start, size, runs, room);
    for (i = 0; i < count; i++)
        pages += (runs[i].end - runs[i].start) / SYSTEM_PAGE;
    return pages > most ? -1 : count;
}
#else
int
wpy_find_dirty_pages(const uint8_t *base, uint64_t size, wpy_page_run *runs, int room,
                     uint64_t most)
{
    (void)base;
    (void)size;
    (void)runs;
    (void)room;
    (void)most;
    return -1;
}
#endif
