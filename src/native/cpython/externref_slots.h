/* externref_slots.h: the table of a store's externrefs, and its hash table, which finds the
 * reference of an object.
 */
#ifndef WPY_EXTERNREF_SLOTS_H
#define WPY_EXTERNREF_SLOTS_H

#include "cpython/passing_refs.h"

/* Objects by their references, which are indices. See externrefs.c. */
typedef struct {
    ExternrefCounts counts;
    PyObject **items; /* by reference; NULL where the reference is free */
    uint8_t *touched; /* by reference: asked for since the collection began */
    uint32_t *spare;  /* a stack of the free references below `count` */
    uint32_t count, room, spare_count;
    uint32_t *slots; /* a hash table by address, of reference + 1; 0 where a slot is empty */
    uint32_t mask;   /* the number of slots - 1 */
    uint32_t limit;  /* counts.limit, where no collection is draining or marking */
    uint32_t tries;  /* calls that could not go on with the collection */
    uint32_t forks;  /* wpy_fork_count() when `counts` was right; set by init */
    PyObject *marks; /* bytes, by reference; NULL unless the state is MARKED */
} ExternrefTableBase;

/* The slot of the object, or the empty one where it belongs. There is an empty slot always. Under
 * the table's lock, as is the next one. */
static inline uint32_t
wpy_externref_slot(const ExternrefTableBase *table, const PyObject *value)
{
    uint64_t hash = (uint64_t)(uintptr_t)value * 0x9E3779B97F4A7C15u;
    uint32_t slot = (uint32_t)(hash >> 32) & table->mask;

    while (table->slots[slot] && table->items[table->slots[slot] - 1] != value)
        slot = (slot + 1) & table->mask;
    return slot;
}

/* Fills the hash table again, with slots for `room` objects at least. False where there is no
 * memory; can't fail where it does not have to grow. */
bool wpy_externref_rehash(ExternrefTableBase *table, uint32_t room);

#endif
