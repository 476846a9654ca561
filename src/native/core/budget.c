/* budget.c: how much memory and how many table elements may be used, by an instance and by a store.
 *
 * A budget may have a parent: what is taken from it is taken from the parent, too, all or nothing.
 * An instance with limits of its own has a budget whose parent is its store's. Linear memories take
 * their bytes when they are made and as they grow (runtime/memory.c), tables their elements
 * (runtime/table.c, runtime/instantiate.c), and give them back when they are freed; each holds a
 * reference to its budget. Under the registry's lock, since instances of one store run in different
 * threads.
 */
#include "core/core.h"

struct wpy_budget {
    uint32_t refs;
    wpy_budget *parent;
    uint64_t limits[2], used[2]; /* by wpy_resource */
};

/* A reference for the caller; UINT64_MAX: no limit. The parent may be NULL. NULL: out of memory. */
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

/* NULL is welcome here and below: no limits. */
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

/* Why the last memory or table of this thread had no room: what Python says when it learns that one
 * had none. */
static THREAD_LOCAL wpy_refusal refusal;

void
wpy_refuse(int reason, uint64_t wanted, uint64_t limit)
{
    refusal = (wpy_refusal){.reason = reason, .wanted = wanted, .limit = limit};
}

/* Before what may fail without saying why. */
void
wpy_forget_refusal(void)
{
    refusal.reason = WPY_NOT_REFUSED;
}

void
wpy_take_refusal(wpy_refusal *out)
{
    *out = refusal;
    wpy_forget_refusal();
}

/* True: so much is taken from the budget and its parents; false: it is beyond one of them, nothing
 * was taken. */
bool
wpy_budget_take(wpy_budget *budget, wpy_resource what, uint64_t amount)
{
    wpy_budget *b;
    bool enough = true;

    if (!budget)
        return true;
    wpy_registry_lock();
    for (b = budget; b && enough; b = b->parent)
        if (!(enough =
                  b->used[what] <= b->limits[what] && amount <= b->limits[what] - b->used[what]))
            refusal = (wpy_refusal){WPY_OVER_BUDGET, amount, b->used[what], b->limits[what],
                                    (uintptr_t)b};
    for (b = budget; b && enough; b = b->parent)
        b->used[what] += amount;
    wpy_registry_unlock();
    return enough;
}

void
wpy_budget_give(wpy_budget *budget, wpy_resource what, uint64_t amount)
{
    wpy_budget *b;

    if (!budget)
        return;
    wpy_registry_lock();
    for (b = budget; b; b = b->parent)
        b->used[what] -= amount;
    wpy_registry_unlock();
}
