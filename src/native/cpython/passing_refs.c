/* passing_refs.c: counts, for each thread and store, the calls that pass externrefs.
 *
 * Between Python and wasm a reference is only a number in a cell. A collection would not find it,
 * so it must not take place while any thread passes references (ExternrefCounts.passing).
 *
 * The counts are kept for each thread, because a host function suspends the calls of its own thread
 * only. They are counts, not a list of calls, because greenlets end in any order. What all threads
 * pass, ExternrefCounts.passing, is changed under the table's lock.
 */
#include "cpython/passing_refs.h"

#include <stdlib.h>

/* What one thread passes of one store. */
typedef struct wpy_passing {
    struct wpy_passing *next;
    PyObject *table; /* borrowed; dangling where `all` is 0 */
    uint32_t all, suspended;
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
    if (LIKELY(begun = !(adds && wpy_collection_is_due(table))))
        counts->passing++;
    UNLOCK(&counts->lock);
    if (LIKELY(begun))
        passing->all++;
    else if (UNLIKELY(passing != &passing_here) && !passing->all)
        remove_passing(passing);
    return begun;
}

static inline void
end_passing(wpy_passing *passing, ExternrefCounts *table)
{
    if (UNLIKELY(passing->suspended == passing->all))
        passing->suspended--;
    else {
        LOCK(&table->lock);
        table->passing--;
        UNLOCK(&table->lock);
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
    wpy_passing *passing = find_passing(table);
    uint32_t count = passing ? passing->all - passing->suspended : 0;

    (void)args;
    if (count) {
        passing->suspended += count;
        LOCK(&((ExternrefCounts *)table)->lock);
        ((ExternrefCounts *)table)->passing -= count;
        UNLOCK(&((ExternrefCounts *)table)->lock);
    }
    return PyLong_FromUnsignedLong(count);
}

PyObject *
wpy_passing_resume(PyObject *table, PyObject *value)
{
    wpy_passing *passing = find_passing(table);
    long count = PyLong_AsLong(value);

    if (count == -1 && PyErr_Occurred())
        return NULL;
    if (passing && count > 0) {
        /* fewer where calls ended meanwhile, in another greenlet */
        uint32_t resumed =
            (unsigned long)count < passing->suspended ? (uint32_t)count : passing->suspended;
        passing->suspended -= resumed;
        LOCK(&((ExternrefCounts *)table)->lock);
        ((ExternrefCounts *)table)->passing += resumed;
        UNLOCK(&((ExternrefCounts *)table)->lock);
    }
    Py_RETURN_NONE;
}
