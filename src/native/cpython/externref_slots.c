/* externref_slots.c: fills the hash table of a store's externrefs. */
#include "cpython/externref_slots.h"

#include <stdlib.h>
#include <string.h>

bool
wpy_externref_rehash(ExternrefTableBase *table, uint32_t room)
{
    uint32_t size = table->slots ? table->mask + 1 : 64, i;

    while (size / 2 < room)
        size *= 2;
    if (!table->slots || size != table->mask + 1) {
        uint32_t *larger = realloc(table->slots, size * sizeof *larger);
        if (!larger)
            return false;
        table->slots = larger;
        table->mask = size - 1;
    }
    memset(table->slots, 0, size * sizeof *table->slots);
    for (i = 0; i < table->count; i++)
        if (table->items[i])
            table->slots[wpy_externref_slot(table, table->items[i])] = i + 1;
    return true;
}
