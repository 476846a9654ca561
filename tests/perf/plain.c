/* plain.c: the few functions of the C library that our C spends time in, written plainly.
 *
 * The C library chooses variants by the processor, and changes them between versions. With these
 * functions, copying, clearing and allocating takes the same number of instructions on every
 * machine, and is counted with the rest. For one thread only.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ARENA ((size_t)256 << 20)
#define SMALLEST 5 /* 32 bytes */
#define CLASSES 28

static _Alignas(64) uint8_t arena[ARENA];
static size_t used;

typedef struct head {
    struct head *next;
    size_t class;
} head; /* 16 bytes, so that the block is aligned as those of malloc */

static head *free_blocks[CLASSES];

void *
malloc(size_t size)
{
    size_t class = SMALLEST;
    head *block;

    while (((size_t)1 << class) < size)
        if (++class == CLASSES)
            return NULL;
    if ((block = free_blocks[class])) {
        free_blocks[class] = block->next;
        return block + 1;
    }
    if (used + sizeof *block + ((size_t)1 << class) > ARENA)
        return NULL;
    block = (head *)(arena + used);
    used += sizeof *block + ((size_t)1 << class);
    block->class = class;
    return block + 1;
}

void
free(void *pointer)
{
    head *block = (head *)pointer - 1;

    if (!pointer)
        return;
    block->next = free_blocks[block->class];
    free_blocks[block->class] = block;
}

void *
calloc(size_t count, size_t size)
{
    void *block = size && count > SIZE_MAX / size ? NULL : malloc(count * size);

    return block ? memset(block, 0, count * size) : NULL;
}

void *
realloc(void *pointer, size_t size)
{
    head *block = (head *)pointer - 1;
    void *other;

    if (!pointer)
        return malloc(size);
    if (size <= (size_t)1 << block->class)
        return pointer;
    if (!(other = malloc(size)))
        return NULL;
    memcpy(other, pointer, (size_t)1 << block->class);
    free(pointer);
    return other;
}

void *
memset(void *to, int value, size_t size)
{
    uint8_t *at = to;
    uint64_t word = 0x0101010101010101u * (uint8_t)value;

    for (; size >= 8; at += 8, size -= 8)
        __builtin_memcpy(at, &word, 8);
    for (; size; size--)
        *at++ = (uint8_t)value;
    return to;
}

void *
memcpy(void *restrict to, const void *restrict from, size_t size)
{
    return memmove(to, from, size);
}

void *
memmove(void *to, const void *from, size_t size)
{
    uint8_t *t = to;
    const uint8_t *f = from;
    uint64_t word;

    if ((uintptr_t)to - (uintptr_t)from >= size) {
        for (; size >= 8; t += 8, f += 8, size -= 8) {
            __builtin_memcpy(&word, f, 8);
            __builtin_memcpy(t, &word, 8);
        }
        for (; size; size--)
            *t++ = *f++;
    } else
        while (size--)
            t[size] = f[size];
    return to;
}

int
memcmp(const void *a, const void *b, size_t size)
{
    const uint8_t *x = a, *y = b;

    for (; size; size--, x++, y++)
        if (*x != *y)
            return *x - *y;
    return 0;
}

size_t
strlen(const char *text)
{
    const char *end = text;

    while (*end)
        end++;
    return (size_t)(end - text);
}

int
strcmp(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return (uint8_t)*a - (uint8_t)*b;
}
