/* exceptions.c: the exceptions that wasm code throws and catches.
 *
 * An exception is a tag and cells, allocated when it is thrown. While it unwinds the code of an
 * instance, `wpy_instance.exception` points at it. A trap has no such pointer, so no clause catches
 * a trap. Most exceptions are caught without an exnref and freed at once. An exception whose exnref
 * was made stays until the collector finds that nothing refers to it (exception_collector.c).
 *
 * All of this runs with the group's lock. An exception is charged to the budget of an instance from
 * when it has a number: one without a number is freed when its catch begins.
 */
#include "runtime/exceptions.h"
#include "runtime/stack_switch.h"

/* Declared in build_ffi.py. Runs Python's signal handlers; returns 0, or the number of an
 * exception. */
extern int wpy_py_signals(void);

/* ---- allocating and freeing ---- */

static uint64_t
size_of(const wpy_exception *exception)
{
    return sizeof *exception + 4 * (uint64_t)exception->wamr.cell_num;
}

void
wpy_exception_free(wpy_exception *exception)
{
    wpy_exnref_release(exception);
    if (exception->budget) {
        wpy_budget_refund(exception->budget, WPY_MEMORY_BYTES, size_of(exception));
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

static const wpy_object_ops exception_ops = {.keeper = heap_object};

static wpy_exception_heap *
heap_of(wpy_group *group)
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

wpy_exception *
wpy_exception_allocate(wpy_group *group, wpy_tag *tag, uint32_t cells)
{
    wpy_exception_heap *heap = heap_of(group);
    wpy_exception *exception;

    if (!heap)
        return NULL;
    if (heap->count >= heap->limit)
        wpy_collect_exceptions(group);
    if (!(exception = malloc(sizeof *exception + 4 * (size_t)cells)))
        return NULL;
    memset(exception, 0, sizeof *exception);
    exception->object.ops = &exception_ops;
    exception->wamr.tag = tag;
    exception->wamr.cell_num = cells;
    exception->wamr.cells = exception->cells;
    exception->heap = heap;
    exception->next = heap->first;
    heap->first = exception;
    heap->count++;
    return exception;
}

/* The collection that makes room considers only the exceptions of this group. */
bool
wpy_exception_number(wpy_group *group, wpy_exception *exception, wpy_budget *budget)
{
    bool collected = false;

    ASSERT_IN_GROUP(group);
    if (exception->wamr.ref)
        return true;
    for (;; collected = true) {
        if (wpy_budget_charge(budget, WPY_MEMORY_BYTES, size_of(exception))) {
            if (wpy_exnref_allocate(exception)) {
                exception->budget = wpy_budget_retain(budget);
                return true;
            }
            wpy_budget_refund(budget, WPY_MEMORY_BYTES, size_of(exception));
        }
        if (collected)
            return false;
        wpy_collect_exceptions(group);
    }
}

/* ---- hooks of the interpreter ---- */

static void
no_room(WASMModuleInstance *wamr)
{
    wpy_set_exception(wamr, WPY_TRAP, 0, "out of memory for exceptions");
}

WamrPyException *
wpy_new_exception_hook(WASMExecEnv *env, void *tag, uint32 cells)
{
    wpy_instance *instance = wpy_instance_of(env);
    wpy_exception *exception = wpy_exception_allocate(instance->object.group, tag, cells);

    if (!exception)
        no_room(instance->wamr);
    return exception ? &exception->wamr : NULL;
}

void
wpy_throw_exception_hook(WASMModuleInstance *wamr, WamrPyException *thrown)
{
    wpy_instance *instance = wamr->custom_data;

    instance->exception = wpy_exception_of(thrown);
}

WamrPyException *
wpy_thrown_exception_hook(WASMModuleInstance *wamr)
{
    wpy_instance *instance = wamr->custom_data;

    return instance->exception ? &instance->exception->wamr : NULL;
}

void
wpy_caught_exception_hook(WASMModuleInstance *wamr, WamrPyException *thrown, bool kept)
{
    wpy_instance *instance = wamr->custom_data;
    wpy_exception *exception = wpy_exception_of(thrown);
    wpy_exception_heap *heap = exception->heap;
    int raised = 0;

    instance->exception = NULL;
    if (wamr->cur_exception[0]) { /* the exception has left an instance or a host function */
        if (instance->status == WPY_HOST)
            raised = instance->status_code;
        instance->status = WPY_OK;
        wamr->cur_exception[0] = 0;
        wpy_self.frame_count = 0;
    }
    exception->kept |= kept;
    /* The exception is almost always the newest one. */
    if (!exception->kept && !ATOMIC_LOAD_ACQUIRE(&exception->object.refs) &&
        heap->first == exception) {
        heap->first = exception->next;
        wpy_exception_free(exception);
    }
    if (raised)
        wpy_forget_raised(raised);
}

void
wpy_uncaught_exception_hook(WASMModuleInstance *wamr)
{
    if (!wamr->cur_exception[0])
        wpy_set_exception(wamr, WPY_EXCEPTION, 0, "uncaught exception");
}

uint32
wpy_exception_ref_hook(WASMModuleInstance *wamr, WamrPyException *thrown)
{
    wpy_instance *instance = wamr->custom_data;

    instance->exception = wpy_exception_of(thrown); /* a collection leaves the exception */
    if (wpy_exception_number(instance->object.group, instance->exception, instance->budget))
        return thrown->ref;
    no_room(wamr); /* a trap: the exception doesn't unwind any more */
    return 0;
}

WamrPyException *
wpy_find_exception_hook(WASMModuleInstance *wamr, uint32 ref)
{
    wpy_instance *instance = wamr->custom_data;
    wpy_exception *exception = wpy_exnref_find(instance->object.group, ref);

    return exception ? &exception->wamr : NULL;
}

/* ---- exceptions of host functions ---- */

void
wpy_exception_throw(wpy_exception *exception, uint64_t store_id, int number)
{
    wpy_self.thrown = exception;
    wpy_self.thrown_store_id = store_id;
    wpy_self.thrown_number = number;
}

/* Merges the exception's group with the instance's; false: the instance has another exception. */
static bool
bring(wpy_instance *instance, wpy_exception *exception)
{
    int status, raised;

    ASSERT_NO_LOCKS();
    while ((status = wpy_group_merge(&instance->object, &exception->heap->object)) == WPY_BUSY)
        if ((raised = wpy_py_signals())) {
            wpy_set_exception(instance->wamr, WPY_HOST, raised, "signal");
            return false;
        }
    if (status == WPY_OK)
        return true;
    wpy_set_exception(instance->wamr, status, 0, "out of memory for exceptions");
    return false;
}

/* Python holds the exception, so the exception isn't freed before the instance points at it. */
void
wpy_throw_raised(wpy_instance *instance, uint64_t store_id, int number)
{
    wpy_exception *exception = wpy_self.thrown;

    wpy_self.thrown = NULL;
    if (!exception || wpy_self.thrown_number != number)
        return;
    if (wpy_self.thrown_store_id != store_id)
        return; /* the call from Python raises the exception, like others that wasm can't catch */
    if (bring(instance, exception))
        instance->exception = exception;
    else
        wpy_forget_raised(number);
}
