/* passing_refs.c: counts, for each thread and store, the calls that pass externrefs.
 *
 * Between Python and wasm a reference is only a number in a cell. A collection would not find it,
 * so it waits for the calls that pass references. Threads that call all the time would keep it
 * waiting for ever, if all calls had one count. So there are two, ExternrefCounts.passing and
 * `late`, and a collection waits for each of them while new calls go into the other one.
 *
 * The counts are kept for each thread, because a host function suspends the calls of its own thread
 * only. They are counts, not a list of calls, because greenlets end in any order. A call that
 * begins inside of another one of its thread goes into the same count, so a thread may keep a
 * collection waiting longer than it must, but none ends too early. What all threads pass is changed
 * under the table's lock.
 */
#include "cpython/passing_refs.h"

#include <stdlib.h>

/* What one thread passes of one store. */
typedef struct wpy_passing {
    struct wpy_passing *next;
    PyObject *table;    /* borrowed; dangling where `all` is 0 */
    uint32_t all;       /* calls */
    uint32_t uncounted; /* those that are not in ExternrefCounts.passing: suspended, or late */
    uint32_t late;      /* those that are in ExternrefCounts.late */
} wpy_passing;

/* The head of the list. Others are made only in a thread that is in calls of several stores. */
static THREAD_LOCAL wpy_passing passing_here;

/* ---- the list ---- */

static wpy_passing *
find_passing(const PyObject *table)
{
    wpy_passing *passing = &passing_here;

    while (passing && passing->table != table)
        passing = passing->next;
    return passing;
}

/* For a thread that is in a call of another store. NULL where there is no memory. */
static wpy_passing *
find_or_add_passing(PyObject *table)
{
    wpy_passing *passing = find_passing(table);

    if (!passing && (passing = calloc(1, sizeof *passing))) {
        passing->table = table;
        passing->next = passing_here.next;
        passing_here.next = passing;
    }
    return passing;
}

static void
remove_passing(wpy_passing *passing)
{
    wpy_passing **link = &passing_here.next;

    while (*link != passing)
        link = &(*link)->next;
    *link = passing->next;
    free(passing);
}

/* Whether calls of this thread that begin or go on belong to `late`. Under the table's lock. */
static inline bool
are_late(const wpy_passing *passing, const ExternrefCounts *counts)
{
    return (counts->state == DRAINING || counts->state == MARKING) &&
           passing->uncounted == passing->all;
}

/* Begins to pass references, unless that `adds` objects and a collection is due. False then, and
 * where there is no memory. */
static inline bool
begin_passing(PyObject *table, bool adds)
{
    wpy_passing *passing = &passing_here;
    ExternrefCounts *counts = (ExternrefCounts *)table;
    bool begun;

    if (UNLIKELY(passing->table != table)) {
        if (!passing->all && !passing->next)
            passing->table = table;
        else if (!(passing = find_or_add_passing(table)))
            return false;
    }
    LOCK(&counts->lock);
    if (adds) {
        if (LIKELY(begun = !wpy_collection_is_due(table)))
            counts->passing++;
    } else {
        begun = true;
        if (UNLIKELY(are_late(passing, counts))) {
            passing->uncounted++;
            passing->late++;
            counts->late++;
        } else
            counts->passing++;
    }
    UNLOCK(&counts->lock);
    if (LIKELY(begun))
        passing->all++;
    else if (UNLIKELY(passing != &passing_here) && !passing->all)
        remove_passing(passing);
    return begun;
}

static inline void
end_passing(wpy_passing *passing, ExternrefCounts *counts)
{
    if (UNLIKELY(passing->uncounted == passing->all)) {
        passing->uncounted--;
        if (passing->late) {
            passing->late--;
            LOCK(&counts->lock);
            counts->late--;
            UNLOCK(&counts->lock);
        }
    } else {
        LOCK(&counts->lock);
        counts->passing--;
        UNLOCK(&counts->lock);
    }
    passing->all--;
    if (UNLIKELY(passing != &passing_here) && !passing->all)
        remove_passing(passing);
}

/* ---- calls ---- */

bool
wpy_begin_passing(PyObject *table)
{
    return begin_passing(table, true);
}

bool
wpy_begin_reading(PyObject *table)
{
    return begin_passing(table, false);
}

void
wpy_end_passing(PyObject *table)
{
    wpy_passing *passing = &passing_here;

    if (LIKELY(passing->table == table) || (passing = find_passing(table)))
        end_passing(passing, (ExternrefCounts *)table);
}

void
wpy_passing_reset(PyObject *table)
{
    ExternrefCounts *counts = (ExternrefCounts *)table;
    const wpy_passing *passing = find_passing(table);

    counts->passing = passing ? passing->all - passing->uncounted : 0;
    counts->late = passing ? passing->late : 0;
}

/* ---- methods ---- */

PyObject *
wpy_passing_suspend(PyObject *table, PyObject *args)
{
    ExternrefCounts *counts = (ExternrefCounts *)table;
    wpy_passing *passing = find_passing(table);
    uint32_t count = passing ? passing->all - passing->uncounted : 0;

    (void)args;
    if (count || (passing && passing->late)) {
        LOCK(&counts->lock);
        counts->passing -= count;
        counts->late -= passing->late;
        UNLOCK(&counts->lock);
        count += passing->late;
        passing->uncounted = passing->all;
        passing->late = 0;
    }
    return PyLong_FromUnsignedLong(count);
}

PyObject *
wpy_passing_resume(PyObject *table, PyObject *value)
{
    ExternrefCounts *counts = (ExternrefCounts *)table;
    wpy_passing *passing = find_passing(table);
    long count = PyLong_AsLong(value);

    if (count == -1 && PyErr_Occurred())
        return NULL;
    if (passing && count > 0) {
        uint32_t suspended = passing->uncounted - passing->late;
        /* fewer where calls ended meanwhile, in another greenlet */
        uint32_t resumed = (unsigned long)count < suspended ? (uint32_t)count : suspended;
        LOCK(&counts->lock);
        if (are_late(passing, counts)) {
            passing->late += resumed;
            counts->late += resumed;
        } else {
            passing->uncounted -= resumed;
            counts->passing += resumed;
        }
        UNLOCK(&counts->lock);
    }
    Py_RETURN_NONE;
}

/* ---- the context manager ---- */

/* A block of Python code that passes references. CPython 3.14 runs signal handlers between
 * __enter__ and the block: if one raises an exception, __exit__ is not called, and the end of this
 * object ends the passing. So there is one for each block, and only its `with` statement refers to
 * it. */
typedef struct {
    PyObject_HEAD
    PyObject *table;
    bool begun;
} PassingRefs;

static PyTypeObject *block_type;

static PyObject *
enter_block(PyObject *self, PyObject *args)
{
    PassingRefs *block = (PassingRefs *)self;

    (void)args;
    if (!block->begun && !(block->begun = begin_passing(block->table, false)))
        return PyErr_NoMemory();
    Py_RETURN_NONE;
}

static void
end_block(PassingRefs *block)
{
    wpy_passing *passing = block->begun ? find_passing(block->table) : NULL;

    block->begun = false;
    if (passing && passing->all)
        end_passing(passing, (ExternrefCounts *)block->table);
}

static PyObject *
exit_block(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    (void)args;
    (void)count;
    end_block((PassingRefs *)self);
    Py_RETURN_NONE;
}

static void
dealloc_block(PyObject *self)
{
    PassingRefs *block = (PassingRefs *)self;
    PyTypeObject *type = Py_TYPE(self);

    end_block(block);
    Py_DECREF(block->table);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

PyObject *
wpy_passing_block(PyObject *table, PyObject *args)
{
    PassingRefs *block = PyObject_New(PassingRefs, block_type);

    (void)args;
    if (block) {
        Py_INCREF(table);
        block->table = table;
        block->begun = false;
    }
    return (PyObject *)block;
}

static PyMethodDef block_methods[] = {
    {"__enter__", enter_block, METH_NOARGS,
     "Begin to pass references in this thread: no collection begins or frees anything."},
    {"__exit__", (PyCFunction)(void (*)(void))exit_block, METH_FASTCALL,
     "End what __enter__ began."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot block_slots[] = {
    {Py_tp_dealloc, dealloc_block},
    {Py_tp_methods, block_methods},
    {Py_tp_doc, "A block of code in which a thread passes externrefs."},
    {0, NULL},
};

static PyType_Spec block_spec = {
    .name = "wamr._wamr.PassingRefs",
    .basicsize = sizeof(PassingRefs),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = block_slots,
};

int
wpy_add_passing_refs(PyObject *module)
{
    (void)module;
    return (block_type = (PyTypeObject *)PyType_FromSpec(&block_spec)) ? 0 : -1;
}
