/* budget.c: limits for the memory and the table elements of an instance or a store.
 *
 * A budget may have a parent: a charge to a budget is also a charge to its parents, to all of them
 * or to none. An instance with limits of its own has a budget whose parent is the store's. A linear
 * memory or a table holds a reference to its budget, is charged when it is made and when it grows,
 * and is refunded when it is freed. What is used is under the registry's lock, since instances of
 * one store run in different threads.
 */
#include "core/core.h"

struct wpy_budget {
    uint32_t refs;               /* atomic */
    wpy_budget *parent;          /* a reference, or NULL */
    uint64_t limits[2], used[2]; /* by wpy_resource */
};

/* Returns a reference, which the caller gives back with wpy_budget_release, or NULL: out of memory.
   A limit of UINT64_MAX means none. `parent` may be NULL. */
wpy_budget *
wpy_budget_new(wpy_budget *parent, uint64_t memory_bytes, uint64_t table_elements)
{
    wpy_budget *budget = calloc(1, sizeof *budget);

    if (!budget)
        return NULL;
    budget->refs = 1;
    budget->parent = wpy_budget_retain(parent);
    budget->limits[WPY_MEMORY_BYTES] = memory_bytes;
    budget->limits[WPY_TABLE_ELEMENTS] = table_elements;
    return budget;
}

wpy_budget *
wpy_budget_retain(wpy_budget *budget)
{
    if (budget)
        REFS_UP(&budget->refs);
    return budget;
}

void
wpy_budget_release(wpy_budget *budget)
{
    while (budget && REFS_DOWN(&budget->refs) == 0) {
        wpy_budget *parent = budget->parent;
        free(budget);
        budget = parent;
    }
}

wpy_budget *
wpy_budget_root(wpy_budget *budget)
{
    while (budget && budget->parent)
        budget = budget->parent;
    return budget;
}

/* Why there was no room for a memory or a table of this thread, the last time: Python asks for it
   when an operation has failed with WPY_NO_MEMORY. */
static THREAD_LOCAL wpy_refusal refusal;

void
wpy_set_refusal(int reason, uint64_t wanted, uint64_t limit)
{
    refusal = (wpy_refusal){.reason = reason, .wanted = wanted, .limit = limit};
}

void
wpy_clear_refusal(void)
{
    refusal.reason = WPY_NOT_REFUSED;
}

/* Copies this thread's refusal and clears it. */
void
wpy_take_refusal(wpy_refusal *out)
{
    *out = refusal;
    wpy_clear_refusal();
}

bool
wpy_budget_charge(wpy_budget *budget, wpy_resource resource, uint64_t amount)
{
    wpy_budget *b;
    bool enough = true;

    if (!budget)
        return true;
    wpy_registry_lock();
    for (b = budget; b && enough; b = b->parent)
        if (!(enough = b->used[resource] <= b->limits[resource] &&
                       amount <= b->limits[resource] - b->used[resource]))
            refusal = (wpy_refusal){WPY_OVER_BUDGET, amount, b->used[resource], b->limits[resource],
                                    (uintptr_t)b};
    for (b = budget; b && enough; b = b->parent)
        b->used[resource] += amount;
    wpy_registry_unlock();
    return enough;
}

void
wpy_budget_refund(wpy_budget *budget, wpy_resource resource, uint64_t amount)
{
    wpy_budget *b;

    if (!budget)
        return;
    wpy_registry_lock();
    for (b = budget; b; b = b->parent)
        b->used[resource] -= amount;
    wpy_registry_unlock();
}
