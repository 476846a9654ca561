/* image.c: memory images, and the regions that are made of them.
 *
 * The image of a linear memory is a sealed memfd. A region of the image maps it privately at its
 * beginning: pages are shared until they are written to. When such a region is freed, the pages
 * that were written to are overwritten with the image's, and the region is kept as a slot for the
 * next one: mapping and its page faults would take most of the time. The old contents are gone from
 * then on, and not when the slot is used again.
 *
 * Where there is no memfd, an image is ordinary memory, and its regions are copies of it.
 */
#include "core/dirty_pages.h"
#include "core/memfd.h"
#include "core/region.h"

#define SYSTEM_PAGE 4096u

/* If more pages were written to, or more runs of them, they are dropped instead of overwritten: the
   slot would keep them resident. */
#define MOST_COPIED 1024
#define MOST_RUNS 512
/* The largest copied memory that is kept as a slot. */
#define MOST_COPY (256 * 1024)

struct wpy_image {
    uint32_t refs; /* atomic: the snapshot's, and one of each live region */
    uint32_t keep; /* the most slots; written under the registry's lock, as are the next two */
    uint32_t slot_count;
    wpy_region *slots;
    uint64_t size, pages; /* pages: of 4 KiB, that have other bytes than 0 */
    uint8_t *bytes;       /* read-only; NULL until the image is sealed, if it is a file */
    bool reserved;        /* `bytes` is a live region, and not the file's */
    wpy_memfd file;       /* fd -1: there is none */
};

static bool no_memfd;

/* For tests. `way`: how pages that were written to are found, see dirty_pages.h. */
void
wpy_debug_set_images(bool use_memfd, int way)
{
    no_memfd = !use_memfd;
    wpy_dirty_pages_way = way;
}

/* ---- making images ---- */

static bool
is_zero(const uint8_t *page)
{
    const uint64_t *word = (const uint64_t *)page;
    uint32_t i;

    for (i = 0; i < SYSTEM_PAGE / 8; i += 8)
        if (word[i] | word[i + 1] | word[i + 2] | word[i + 3] | word[i + 4] | word[i + 5] |
            word[i + 6] | word[i + 7])
            return false;
    return true;
}

/* The next run of pages that are not zeros, from offset *end on; false: there is none. */
bool
wpy_image_next_run(const uint8_t *bytes, uint64_t size, uint64_t *start, uint64_t *end)
{
    uint64_t at = *end;

    while (at < size && is_zero(bytes + at))
        at += SYSTEM_PAGE;
    *start = at;
    while (at < size && !is_zero(bytes + at))
        at += SYSTEM_PAGE;
    *end = at;
    return *start < size;
}

/* An image of zeros, for wpy_image_write and wpy_image_seal. `keep`: as for wpy_image_of. A
   reference, or NULL: no room. */
wpy_image *
wpy_image_new(uint64_t size, uint32_t keep)
{
    wpy_image *image = calloc(1, sizeof *image);

    if (!image)
        return NULL;
    image->refs = 1;
    image->keep = keep;
    image->size = size;
    image->file.fd = -1;
    if (size && (no_memfd || !wpy_memfd_open(&image->file, size))) {
        image->reserved = true;
        if (!(image->bytes = wpy_region_alloc_exact(size))) {
            free(image);
            return NULL;
        }
    }
    return image;
}

/* Overwrites pages, each of them once, which the caller has checked to be within the image. False:
   no room, and the image is to be released. */
bool
wpy_image_write(wpy_image *image, uint64_t at, const uint8_t *bytes, uint64_t size)
{
    image->pages += size / SYSTEM_PAGE;
    if (image->file.fd >= 0)
        return wpy_memfd_write(&image->file, at, bytes, size);
    memcpy(image->bytes + at, bytes, (size_t)size);
    return true;
}

/* False: no room, and the image is to be released. */
bool
wpy_image_seal(wpy_image *image)
{
    if (image->file.fd < 0)
        return true;
    if (!wpy_memfd_seal(&image->file))
        return false;
    image->bytes = image->file.bytes;
    return true;
}

wpy_image *
wpy_image_of(const uint8_t *from, uint64_t size, uint32_t keep)
{
    wpy_image *image = wpy_image_new(size, keep);
    uint64_t start, end = 0;
    bool written = true;

    if (!image)
        return NULL;
    while (written && wpy_image_next_run(from, size, &start, &end))
        written = wpy_image_write(image, start, from + start, end - start);
    if (written && wpy_image_seal(image))
        return image;
    wpy_image_release(image);
    return NULL;
}

wpy_image *
wpy_image_retain(wpy_image *image)
{
    REFS_UP(&image->refs);
    return image;
}

static void
drop_slots(wpy_region *slots)
{
    while (slots) {
        wpy_region *next = slots->next;

        wpy_region_drop(slots);
        slots = next;
    }
}

void
wpy_image_release(wpy_image *image)
{
    if (!image || REFS_DOWN(&image->refs) != 0)
        return;
    drop_slots(image->slots);
    if (image->reserved)
        wpy_region_free(image->bytes);
    else
        wpy_memfd_close(&image->file);
    free(image);
}

void
wpy_image_keep(wpy_image *image, uint32_t keep)
{
    wpy_region *excess = NULL;

    wpy_registry_lock();
    ATOMIC_STORE(&image->keep, keep);
    while (image->slot_count > keep) {
        wpy_region *slot = image->slots;

        image->slots = slot->next;
        slot->next = excess;
        excess = slot;
        ATOMIC_STORE(&image->slot_count, image->slot_count - 1);
    }
    wpy_registry_unlock();
    drop_slots(excess);
}

uint64_t
wpy_image_size(const wpy_image *image)
{
    return image->size;
}

uint64_t
wpy_image_pages(const wpy_image *image)
{
    return image->pages;
}

uint32_t
wpy_image_slots(const wpy_image *image)
{
    return ATOMIC_LOAD(&image->slot_count);
}

const uint8_t *
wpy_image_bytes(const wpy_image *image)
{
    return image->bytes;
}

/* ---- regions ---- */

static void
copy_all(const wpy_image *image, wpy_region *region)
{
    uint64_t start, end = 0, done = 0;

    while (wpy_image_next_run(image->bytes, image->size, &start, &end)) {
        memset(region->base + done, 0, (size_t)(start - done));
        memcpy(region->base + start, image->bytes + start, (size_t)(end - start));
        done = end;
    }
    memset(region->base + done, 0, (size_t)(image->size - done));
}

/* Overwrites what differs, in a region that isn't a mapping of the image. */
static void
overwrite(const wpy_image *image, wpy_region *region)
{
    uint64_t at;

    for (at = 0; at < image->size; at += SYSTEM_PAGE)
        if (memcmp(region->base + at, image->bytes + at, SYSTEM_PAGE))
            memcpy(region->base + at, image->bytes + at, SYSTEM_PAGE);
}

/* Makes the bytes of a region that maps the image those of the image. */
static bool
copy_back(const wpy_image *image, wpy_region *region)
{
    wpy_page_run runs[MOST_RUNS];
    int count = wpy_find_dirty_pages(region->base, image->size, runs, MOST_RUNS, MOST_COPIED), i;

    if (count < 0) /* not by MADV_DONTNEED, which emulators may take for advice */
        return wpy_memfd_map(&image->file, region->base);
    for (i = 0; i < count; i++) {
        uint64_t offset = runs[i].start - (uintptr_t)region->base;

        memcpy(region->base + offset, image->bytes + offset, (size_t)(runs[i].end - runs[i].start));
    }
    return true;
}

/* The region is freed: it becomes a slot, or false. */
static bool
take_back(wpy_region *region)
{
    wpy_image *image = region->image;
    bool kept = false;

    if (ATOMIC_LOAD(&image->slot_count) < ATOMIC_LOAD(&image->keep) &&
        wpy_region_uncommit(region, image->size)) {
        if (image->file.fd >= 0)
            kept = copy_back(image, region);
        else if (image->size <= MOST_COPY) {
            overwrite(image, region);
            kept = true;
        }
    }
    if (kept) {
        wpy_registry_lock();
        if ((kept = image->slot_count < image->keep)) {
            region->next = image->slots;
            image->slots = region;
            ATOMIC_STORE(&image->slot_count, image->slot_count + 1);
        }
        wpy_registry_unlock();
    }
    if (!kept)
        wpy_region_drop(region);
    wpy_image_release(image);
    return true;
}

static wpy_region *
take_slot(wpy_image *image)
{
    wpy_region *slot;

    if (!ATOMIC_LOAD(&image->slot_count))
        return NULL;
    wpy_registry_lock();
    if ((slot = image->slots)) {
        image->slots = slot->next;
        ATOMIC_STORE(&image->slot_count, image->slot_count - 1);
    }
    wpy_registry_unlock();
    return slot;
}

/* A region that isn't live, with the image's bytes. */
static wpy_region *
new_region(const wpy_image *image)
{
    wpy_region *region = wpy_region_reserve(image->size, WPY_REGION_FULL, 3);

    if (!region)
        return NULL;
    if (image->file.fd >= 0) {
        if (wpy_memfd_map(&image->file, region->base)) {
            region->committed = image->size;
            return region;
        }
        wpy_set_refusal(WPY_NO_BYTES, image->size, 0);
    } else if (wpy_region_commit(region, image->size)) {
        copy_all(image, region);
        return region;
    }
    wpy_region_drop(region);
    return NULL;
}

void *
wpy_image_region(wpy_image *image, wpy_budget *budget)
{
    wpy_region *region;

    if (!image->size)
        return wpy_region_alloc(0, budget);
    if (!wpy_budget_charge(budget, WPY_MEMORY_BYTES, image->size))
        return NULL;
    if (!(region = take_slot(image)) && !(region = new_region(image))) {
        wpy_budget_refund(budget, WPY_MEMORY_BYTES, image->size);
        return NULL;
    }
    region->image = wpy_image_retain(image);
    region->take_back = take_back;
    return wpy_region_add(region, image->size, budget);
}

bool
wpy_image_reset(wpy_image *image, void *base)
{
    wpy_region *region = wpy_region_find(base);
    bool mapped = region->image == image && image->file.fd >= 0;

    if (!wpy_region_uncommit(region, image->size))
        return false;
    if (region->size > image->size)
        wpy_budget_refund(region->budget, WPY_MEMORY_BYTES, region->size - image->size);
    region->size = image->size;
    if (mapped && copy_back(image, region))
        return true;
    overwrite(image, region);
    return true;
}
