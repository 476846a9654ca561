/* mappings.c: how many mappings our regions use, of those that the system lets a process have.
 *
 * A region uses one for what is committed and one for the rest. The system merges adjacent ones, so
 * the count is an upper bound.
 */
#include "core/core.h"

/* Atomic: allocations empty the pool of regions, whatever locks their callers hold. */
static uint32_t mappings;
uint32_t wpy_most_mappings = UINT32_MAX;
#define MAPPINGS_FOR_OTHERS 2500 /* left for Python and its libraries */

void
wpy_mappings_setup(void)
{
#if defined(__linux__)
    FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
    unsigned long most;

    if (file && fscanf(file, "%lu", &most) == 1 && most > 2 * MAPPINGS_FOR_OTHERS &&
        most < UINT32_MAX)
        wpy_most_mappings = (uint32_t)most - MAPPINGS_FOR_OTHERS;
    if (file)
        fclose(file);
#endif
}

void
wpy_return_mappings(uint32_t count)
{
    ATOMIC_SUB(&mappings, count);
}

bool
wpy_take_mappings(uint32_t count)
{
    if (ATOMIC_ADD(&mappings, count) <= wpy_most_mappings)
        return true;
    wpy_return_mappings(count);
    return false;
}
