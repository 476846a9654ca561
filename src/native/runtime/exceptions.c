/* exceptions.c: what wasm code throws.
 *
 * An exception is a tag and cells, allocated when it is thrown. While it is on its way, the instance
 * whose code it unwinds points at it (`wpy_instance.exception`); a trap has no such pointer, so no
 * clause can catch one. Most exceptions are caught without their exnref, and are freed at once. One
 * whose exnref code has asked for stays until nobody can reach it. wasm code does not say when it
 * drops a reference, so the exceptions of a group are collected, whenever there are twice as many as
 * the last collection has left. Marked are those in tables, globals and other exceptions, exactly;
 * those in cells of wasm stacks, conservatively; those on their way; and those that Python holds.
 *
 * All is done with the group's lock. Where an exception takes part in a limit of memory, it is from
 * the time that it has a number: one without is gone when its catch begins.
 */
#include "runtime/exceptions.h"
#include "core/stack_switch.h"

#define LEAST 64 /* exceptions between two collections */

/* ---- allocating and freeing ---- */

static void
destroy(wpy_exception *exception)
{
    wpy_exnref_give(exception);
    if (exception->budget) {
        wpy_budget_give(exception->budget, WPY_MEMORY_BYTES,
                        sizeof *exception + 4 * (uint64_t)exception->wamr.cell_num);
        wpy_budget_release(exception->budget);
    }
    exception->heap->count--;
    free(exception);
}

/* With its group. */
static void
free_heap(wpy_object *object)
{
    wpy_exception_heap *heap = (wpy_exception_heap *)object;
    wpy_exception *exception;

    while ((exception = heap->first)) {
        heap->first = exception->next;
        destroy(exception);
    }
    wpy_exnref_pages_free(heap);
    free(heap);
}

static const wpy_kind heap_kind = {.free = free_heap};

/* The last of Python's handles on an exception is gone: so is that on the heap. The exception stays
   until the group collects. */
static void
let_go(wpy_object *object)
{
    wpy_release(&((wpy_exception *)object)->heap->object);
}

/* Python has one again. */
static void
first_handle(wpy_object *object)
{
    ASSERT_HAS_LOCK(WPY_REGISTRY_LOCK);
    ((wpy_exception *)object)->heap->object.group->handles++;
}

static const wpy_kind exception_kind = {.free = let_go, .first_handle = first_handle};

static wpy_exception_heap *
heap_of(wpy_group *group)
{
    wpy_exception_heap *heap = group->exceptions;

    if (!heap && (heap = calloc(1, sizeof *heap))) {
        heap->limit = LEAST;
        wpy_group_add(group, &heap->object, &heap_kind);
        group->exceptions = heap;
        wpy_release(heap); /* the objects that run the code have handles */
    }
    return heap;
}

static void collect(wpy_group *group);

/* An exception with room for its cells; NULL: out of memory. */
static wpy_exception *
allocate(wpy_group *group, wpy_tag *tag, uint32_t cells)
{
    wpy_exception_heap *heap = heap_of(group);
    wpy_exception *exception;

    if (!heap)
        return NULL;
    if (heap->count >= heap->limit)
        collect(group);
    if (!(exception = malloc(sizeof *exception + 4 * (size_t)cells)))
        return NULL;
    memset(exception, 0, sizeof *exception);
    exception->object.kind = &exception_kind;
    exception->wamr.tag = tag;
    exception->wamr.cell_num = cells;
    exception->wamr.cells = exception->cells;
    exception->heap = heap;
    exception->next = heap->first;
    heap->first = exception;
    heap->count++;
    return exception;
}

/* ---- collecting ---- */

typedef struct {
    wpy_group *group;
    wpy_exception **stack; /* marked, but their values not looked at yet */
    uint32_t count, room;
    uint64_t cells; /* that were looked at */
    bool full;      /* no room for the stack: nothing may be freed */
} marking;

static void
mark_exception(marking *m, wpy_exception *exception)
{
    if (exception->marked)
        return;
    exception->marked = true;
    if (!exception->wamr.cell_num)
        return;
    if (m->count == m->room) {
        uint32_t room = m->room * 2 + 64;
        wpy_exception **more = realloc(m->stack, room * sizeof *more);

        if (!more) {
            m->full = true;
            return;
        }
        m->stack = more;
        m->room = room;
    }
    m->stack[m->count++] = exception;
}

static void
mark_cell(marking *m, uint32_t cell)
{
    wpy_exception *exception = wpy_exnref_find(m->group, cell);

    if (exception)
        mark_exception(m, exception);
}

static void
mark_table(marking *m, const WASMTableInstance *table)
{
    uint32_t i;

    if (table->elem_type != VALUE_TYPE_EXNREF)
        return;
    for (i = 0; i < table->cur_size; i++)
        mark_cell(m, (uint32_t)table->elems[i]);
    m->cells += table->cur_size;
}

static void
mark_instance(marking *m, const wpy_instance *instance)
{
    const WASMModuleInstance *wamr = instance->wamr;
    const uint32_t *cell, *top;
    uint32_t i, ref;

    if (!wamr)
        return;
    if (instance->exception)
        mark_exception(m, instance->exception);
    for (i = 0; i < wamr->table_count; i++)
        mark_table(m, wamr->tables[i]);
    for (i = 0; i < wamr->e->global_count; i++)
        if (wamr->e->globals[i].type == VALUE_TYPE_EXNREF) {
            memcpy(&ref, wamr->global_data + wamr->e->globals[i].data_offset, sizeof ref);
            mark_cell(m, ref);
        }
    if (!instance->env)
        return;
    cell = (const uint32_t *)instance->env->wasm_stack.bottom;
    top = (const uint32_t *)instance->env->wasm_stack.top;
    m->cells += (uint64_t)(top - cell);
    for (; cell < top; cell++)
        mark_cell(m, *cell);
}

/* Marks the exnrefs among the values of exceptions that stay. */
static void
mark_values(marking *m)
{
    while (m->count) {
        const wpy_exception *exception = m->stack[--m->count];
        const wpy_tag *tag = exception->wamr.tag;
        uint32_t i, cell = 0;

        m->cells += exception->wamr.cell_num;
        for (i = 0; i < tag->param_count; cell += wasm_value_type_cell_num(tag->params[i++]))
            if (tag->params[i] == VALUE_TYPE_EXNREF)
                mark_cell(m, exception->cells[cell]);
    }
}

/* Frees what nothing has marked. */
static void
sweep(wpy_exception_heap *heap)
{
    wpy_exception **link = &heap->first, *exception;

    while ((exception = *link)) {
        if (exception->marked) {
            exception->marked = false;
            link = &exception->next;
            continue;
        }
        *link = exception->next;
        destroy(exception);
    }
}

/* The group's lock is ours, and code of it may run. */
static void
collect(wpy_group *group)
{
    marking m = {.group = group};
    wpy_exception_heap *heap;
    wpy_exception *exception;
    wpy_object *object;
    uint64_t limit;

    ASSERT_IN_GROUP(group);
    for (heap = group->exceptions; heap; heap = heap->next)
        for (exception = heap->first; exception; exception = exception->next)
            if (ATOMIC_LOAD(&exception->object.refs))
                mark_exception(&m, exception);
    for (object = ATOMIC_LOAD_ACQUIRE(&group->objects); object; object = object->next) {
        if (object->kind == &wpy_instance_kind)
            mark_instance(&m, (wpy_instance *)object);
        else if (object->kind == &wpy_table_kind)
            mark_table(&m, ((wpy_table *)object)->wamr);
        else if (object->kind == &wpy_global_kind &&
                 ((wpy_global *)object)->content == VALUE_TYPE_EXNREF) {
            uint32_t ref;

            memcpy(&ref, ((wpy_global *)object)->cell, sizeof ref);
            mark_cell(&m, ref);
        }
    }
    mark_values(&m);
    free(m.stack);
    for (heap = group->exceptions; heap; heap = heap->next) {
        if (!m.full)
            sweep(heap);
        else
            for (exception = heap->first; exception; exception = exception->next)
                exception->marked = false;
        limit = m.cells / 32; /* so that looking costs each exception the same */
        if (limit < 2 * (uint64_t)heap->count)
            limit = 2 * (uint64_t)heap->count;
        heap->limit = limit < LEAST ? LEAST : limit > UINT32_MAX ? UINT32_MAX : (uint32_t)limit;
    }
}

/* Sets marks[n] for every externref n that an exception of the group holds, exactly. */
void
wpy_exceptions_mark(const wpy_group *group, uint8_t *marks, uint32_t count)
{
    const wpy_exception_heap *heap;
    const wpy_exception *exception;

    ASSERT_IN_GROUP(group);
    for (heap = group->exceptions; heap; heap = heap->next)
        for (exception = heap->first; exception; exception = exception->next) {
            const wpy_tag *tag = exception->wamr.tag;
            uint32_t i, cell = 0;

            for (i = 0; i < tag->param_count; cell += wasm_value_type_cell_num(tag->params[i++]))
                if (tag->params[i] == VALUE_TYPE_EXTERNREF && exception->cells[cell] < count)
                    marks[exception->cells[cell]] = 1;
        }
}

/* ---- what the interpreter asks ---- */

static void
no_room(WASMModuleInstance *wamr)
{
    wpy_stop(wamr, WPY_TRAP, 0, "out of memory for exceptions");
}

WamrPyException *
wpy_new_exception_hook(WASMExecEnv *env, void *tag, uint32 cells)
{
    wpy_instance *instance = wpy_instance_of(env);
    wpy_exception *exception = allocate(instance->object.group, tag, cells);

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
    if (wamr->cur_exception[0]) { /* it has left an instance, or a host function */
        if (instance->status == WPY_HOST)
            raised = instance->status_code;
        instance->status = WPY_OK;
        wamr->cur_exception[0] = 0;
        wpy_self.frame_count = 0;
    }
    exception->kept |= kept;
    /* the newest: almost always */
    if (!exception->kept && !ATOMIC_LOAD(&exception->object.refs) && heap->first == exception) {
        heap->first = exception->next;
        destroy(exception);
    }
    if (raised)
        wpy_forget_raised(raised);
}

void
wpy_uncaught_exception_hook(WASMModuleInstance *wamr)
{
    if (!wamr->cur_exception[0])
        wpy_stop(wamr, WPY_EXCEPTION, 0, "uncaught exception");
}

/* Gives the exception a number and takes its bytes from the budget of the instance whose code asks;
   false: there is no room for it, even after a collection. */
static bool
number(wpy_instance *instance, wpy_exception *exception)
{
    uint64_t bytes = sizeof *exception + 4 * (uint64_t)exception->wamr.cell_num;
    bool again = false;

    if (exception->wamr.ref)
        return true;
    instance->exception = exception; /* on its way: a collection leaves it */
    for (;; again = true) {
        if (wpy_budget_take(instance->budget, WPY_MEMORY_BYTES, bytes)) {
            if (wpy_exnref_take(exception)) {
                exception->budget = wpy_budget_retain(instance->budget);
                return true;
            }
            wpy_budget_give(instance->budget, WPY_MEMORY_BYTES, bytes);
        }
        if (again)
            return false;
        collect(instance->object.group);
    }
}

uint32
wpy_exception_ref_hook(WASMModuleInstance *wamr, WamrPyException *thrown)
{
    wpy_instance *instance = wamr->custom_data;

    if (number(instance, wpy_exception_of(thrown)))
        return thrown->ref;
    no_room(wamr); /* no exception is on its way any more */
    return 0;
}

WamrPyException *
wpy_find_exception_hook(WASMModuleInstance *wamr, uint32 ref)
{
    wpy_instance *instance = wamr->custom_data;
    wpy_exception *exception = wpy_exnref_find(instance->object.group, ref);

    return exception ? &exception->wamr : NULL;
}

/* ---- Python's side ---- */

/* Holds the exceptions of so many exnrefs, by the value types of the cells: what a call returned.
   Each handle is that of who asks wpy_exception_held for the number. */
void
wpy_exnrefs_hold(const wpy_group *group, const uint8_t *types, uint32_t count,
                 const uint32_t *cells)
{
    uint32_t i;

    ASSERT_IN_GROUP(group);
    for (i = 0; i < count; cells += wasm_value_type_cell_num(types[i++]))
        if (types[i] == VALUE_TYPE_EXNREF) {
            wpy_exception *exception = wpy_exnref_find(group, *cells);

            if (exception)
                wpy_retain(exception);
        }
}

/* The exception of an exnref in the group of `object`, a handle; NULL: there is none, any more. */
wpy_exception *
wpy_exnref_hold(void *object, uint32_t ref)
{
    wpy_exception *exception = NULL;
    bool held;

    if (wpy_group_enter(object, &held) == WPY_OK) {
        if ((exception = wpy_exnref_find(((wpy_object *)object)->group, ref)))
            wpy_retain(exception);
        wpy_group_leave(object, held);
    }
    return exception;
}

/* Its tag, a handle; *count: how many cells it has, of which as many as fit are written. */
wpy_tag *
wpy_exception_values(wpy_exception *exception, uint32_t *cells, uint32_t room, uint32_t *count)
{
    *count = exception->wamr.cell_num;
    if (*count && *count <= room)
        memcpy(cells, exception->cells, *count * sizeof *cells);
    wpy_retain(exception->wamr.tag);
    return exception->wamr.tag;
}

/* A new exception of a tag, with its values in cells; *out: a handle. A status. */
int
wpy_exception_new(wpy_tag *tag, const uint32_t *cells, uint32_t count, wpy_exception **out)
{
    wpy_exception *exception;
    bool held;
    int status = wpy_group_enter(&tag->object, &held);

    if (status != WPY_OK)
        return status;
    if ((exception = allocate(tag->object.group, tag, count))) {
        if (count)
            memcpy(exception->cells, cells, count * sizeof *cells);
        wpy_retain(*out = exception);
    } else
        status = WPY_NO_MEMORY;
    wpy_group_leave(&tag->object, held);
    return status;
}

/* The number of an exception, for an exnref in the group of `object`, which becomes the
   exception's; a status. */
int
wpy_exception_ref(wpy_exception *exception, void *object, uint32_t *ref)
{
    wpy_object *into = object;
    int status = wpy_group_merge(into, &exception->heap->object);
    bool held, taken;

    if (status != WPY_OK || (status = wpy_group_enter(into, &held)) != WPY_OK)
        return status;
    taken = exception->wamr.ref || wpy_exnref_take(exception);
    exception->kept = true;
    *ref = exception->wamr.ref;
    wpy_group_leave(into, held);
    return taken ? WPY_OK : WPY_NO_MEMORY;
}

/* Brings an exception to the code that called the host function which is going to throw it. A
   status. */
int
wpy_exception_ready(wpy_exception *exception)
{
    wpy_activation *innermost = wpy_innermost(&wpy_self);
    wpy_instance *instance = innermost ? innermost->instance : NULL;

    if (!instance || !instance->wamr)
        return WPY_CLOSED;
    return wpy_group_merge(&instance->object, &exception->heap->object);
}

/* The host function that fails next in this thread, with the Python exception of this number, throws
   this exception; NULL: none. Python's exception keeps it. */
void
wpy_exception_throw(wpy_exception *exception, int number)
{
    wpy_self.thrown = exception;
    wpy_self.thrown_with = number;
}

/* What a host function that fails with that number throws; NULL: nothing. */
wpy_exception *
wpy_exception_thrown(int number)
{
    wpy_exception *exception = wpy_self.thrown_with == number ? wpy_self.thrown : NULL;

    wpy_self.thrown = NULL;
    return exception;
}
