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

/* ---- methods ---- */

PyObject *
wpy_passing_enter(PyObject *table, PyObject *args)
{
    (void)args;
    if (!begin_passing(table, false))
        return PyErr_NoMemory();
    Py_INCREF(table); /* until wpy_passing_exit */
    Py_RETURN_NONE;
}

PyObject *
wpy_passing_exit(PyObject *table, PyObject *const *args, Py_ssize_t count)
{
    wpy_passing *passing = find_passing(table);

    (void)args;
    (void)count;
    if (!passing || !passing->all) {
        PyErr_SetString(PyExc_RuntimeError, "__exit__() without __enter__()");
        return NULL;
    }
    end_passing(passing, (ExternrefCounts *)table);
    Py_DECREF(table);
    Py_RETURN_NONE;
}

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
