/* exception_heap.c: the heaps that exceptions are in, and freeing exceptions. */
#include "runtime/exception_types.h"

uint64_t
wpy_exception_size(const wpy_exception *exception)
{
    return sizeof *exception + 4 * (uint64_t)exception->wamr.cell_num;
}

void
wpy_exception_free(wpy_exception *exception)
{
    wpy_exnref_release(exception);
    if (exception->budget) {
        wpy_budget_refund(exception->budget, WPY_MEMORY_BYTES, wpy_exception_size(exception));
        wpy_budget_release(exception->budget);
    }
    exception->heap->count--;
    free(exception);
}

/* Called when the group is freed. */
static void
free_heap(wpy_object *object)
{
    wpy_exception_heap *heap = (wpy_exception_heap *)object;
    wpy_exception *exception;

    while ((exception = heap->first)) {
        heap->first = exception->next;
        wpy_exception_free(exception);
    }
    wpy_exnref_pages_free(heap);
    free(heap);
}

static const wpy_object_ops heap_ops = {.free = free_heap};

/* While Python has handles, one handle on the heap keeps the group. The collector frees the
   exception. */
static wpy_object *
heap_object(const wpy_object *object)
{
    ASSERT_HAS_LOCK(WPY_REGISTRY_LOCK);
    return &((const wpy_exception *)object)->heap->object;
}

const wpy_object_ops wpy_exception_ops = {.keeper = heap_object};

wpy_exception_heap *
wpy_exception_heap_of(wpy_group *group)
{
    wpy_exception_heap *heap = group->exceptions;

    if (!heap && (heap = calloc(1, sizeof *heap))) {
        heap->limit = WPY_EXCEPTIONS_LEAST;
        wpy_group_add(group, &heap->object, &heap_ops);
        group->exceptions = heap;
        wpy_release(heap); /* the handles on the other objects keep the group */
    }
    return heap;
}
