/* externref_collection.c: drops the objects behind externrefs that nothing refers to any more.
 *
 * A reference that a call passes is in neither Python's nor wasm's hands for a moment, and marking
 * (src/native/runtime/externrefs.c) does not find it. A collection stops no call. It waits for
 * some, and new calls belong to those that it does not wait for (passing_refs.c):
 *
 * - DRAINING: until no call is in `passing`. What these calls passed when the collection began is
 *   then where marking finds it. What is passed from then on is noted in `touched`.
 * - MARKING: by one thread.
 * - MARKED: until no call is in `late`. Such a call may have taken a reference out of a table
 * before the table was marked.
 *
 * Then the objects are dropped that were neither marked nor touched. Each call that passes
 * references while a collection is due goes on with it, if it can, and never sleeps for it. A call
 * that takes long can hold up a collection. After PATIENCE tries the collection is given up, so
 * that others' calls are fast again, and is due later. src/wamr/_values/externrefs.py decides when
 * to collect.
 */
#include "cpython/externref_collection.h"
#include "include/now.h"

#include <string.h>

void
wpy_externrefs_set_limit(ExternrefTableBase *table, uint32_t limit)
{
    bool due = table->counts.state == DRAINING || table->counts.state == MARKING;

    table->limit = limit;
    table->counts.limit = due ? 0 : limit;
}

/* Under the lock, as is the next one. */
static void
set_state(ExternrefTableBase *table, CollectionState state)
{
    table->counts.state = (uint8_t)state;
    table->tries = 0;
    wpy_externrefs_set_limit(table, table->limit);
}

/* No collection is due before the objects have doubled. One that has not marked is given up. */
static void
postpone(ExternrefTableBase *table)
{
    uint32_t limit = 2 * table->counts.held;

    if (table->counts.state != MARKED)
        set_state(table, NOT_COLLECTING);
    table->tries = 0;
    wpy_externrefs_set_limit(table, limit > table->limit ? limit : table->limit);
}

/* A call could not go on with the collection. `weight`: it counts as so many. */
static void
count_try(ExternrefTableBase *table, uint32_t weight)
{
    table->tries += weight;
    if (table->tries > table->limit)
        postpone(table);
}

/* Begins a collection, or goes on with one that drains. True: it is MARKING, by this thread. */
static bool
begin_marking(ExternrefTableBase *table, uint32_t *count)
{
    bool begun = false;

    LOCK(&table->counts.lock);
    if (UNLIKELY(table->forks !=
                 wpy_fork_count())) { /* of the parent's threads, this one is left */
        table->forks = wpy_fork_count();
        wpy_passing_reset((PyObject *)table);
        if (table->counts.state != MARKED)
            set_state(table, NOT_COLLECTING);
    }
    /* after a collection that was given up, calls may still be in `late` */
    if (table->counts.state == NOT_COLLECTING && !table->counts.late) {
        if (table->touched)
            memset(table->touched, 0, table->room);
        set_state(table, DRAINING);
    }
    if (table->counts.state == DRAINING && !table->counts.passing) {
        table->counts.state = MARKING; /* and the tries stay */
        begun = true;
        *count = table->count;
    } else if (table->counts.state != MARKED && table->counts.state != MARKING)
        count_try(table, 1);
    UNLOCK(&table->counts.lock);
    return begun;
}

/* Ends the marking. `marks`, which is taken over, are bytes, None: another thread was in a call,
 * for which the marking has waited 50 ms, or NULL: an exception. */
static void
end_marking(ExternrefTableBase *table, PyObject *marks)
{
    LOCK(&table->counts.lock);
    if (marks == Py_None) {
        uint32_t tries = table->tries;
        set_state(table, DRAINING);
        table->tries = tries;
        count_try(table, table->limit / 8 + 1);
    } else if (marks) {
        table->marks = marks;
        set_state(table, MARKED);
    } else
        postpone(table);
    UNLOCK(&table->counts.lock);
    if (marks == Py_None)
        Py_DECREF(marks);
}

static bool
is_garbage(const ExternrefTableBase *table, const char *marks, uint32_t ref)
{
    return table->items[ref] && !marks[ref] && !table->touched[ref];
}

/* How many of the references that were marked are garbage. Under the lock, as is the next one. */
static uint32_t
count_garbage(const ExternrefTableBase *table, const char *marks, uint32_t size)
{
    uint32_t i, found = 0;

    for (i = 0; i < size && i < table->count; i++)
        found += is_garbage(table, marks, i);
    return found;
}

/* Moves the garbage, `count` objects, into a new list: it takes over the table's references. */
static void
move_garbage(ExternrefTableBase *table, const char *marks, uint32_t size, PyObject *list)
{
    uint32_t i, count = 0;

    for (i = 0; i < size && i < table->count; i++)
        if (is_garbage(table, marks, i)) {
#ifdef Py_GIL_DISABLED
            PyList_SET_ITEM(list, count++, table->items[i]); /* the other one acquires a lock */
#else
            PyList_SetItem(list, count++, table->items[i]);
#endif
            table->items[i] = NULL;
            table->spare[table->spare_count++] = i;
        }
    table->counts.held -= count;
    if (count)
        wpy_externref_rehash(table, 0);
}

/* Drops the garbage of a collection that has MARKED, if no call is in `late`. A list of the
 * objects; NULL without an exception: not now. */
static PyObject *
sweep(ExternrefTableBase *table)
{
    PyObject *dropped = NULL, *marks;
    Py_ssize_t room = 0;

    for (;;) { /* making the list may run Python's garbage collector, and so any code */
        uint32_t count = 0, size;
        bool ready, swept = false;
        char *bytes;

        LOCK(&table->counts.lock);
        marks = table->marks;
        ready = table->counts.state == MARKED && !table->counts.late;
        if (ready) {
            bytes = PyBytes_AsString(marks);
            size = (uint32_t)PyBytes_Size(marks);
            count = count_garbage(table, bytes, size);
            if ((swept = dropped && count == room)) {
                move_garbage(table, bytes, size, dropped);
                table->marks = NULL;
                set_state(table, NOT_COLLECTING);
            }
        } else if (table->counts.state == MARKED)
            count_try(table, 1);
        UNLOCK(&table->counts.lock);
        if (swept) {
            Py_DECREF(marks);
            return dropped;
        }
        Py_XDECREF(dropped);
        if (!ready || !(dropped = PyList_New(room = count)))
            return NULL;
    }
}

PyObject *
wpy_externrefs_collection(PyObject *self, PyObject *mark)
{
    ExternrefTableBase *table = (ExternrefTableBase *)self;
    PyObject *dropped;
    uint32_t count;

    if (begin_marking(table, &count)) {
        PyObject *marks = PyObject_CallFunction(mark, "I", count);
        if (marks && marks != Py_None && !PyBytes_Check(marks)) {
            PyErr_SetString(PyExc_TypeError, "mark() must return bytes or None");
            Py_DECREF(marks);
            marks = NULL;
        }
        end_marking(table, marks);
        if (!marks)
            return NULL;
    }
    dropped = sweep(table);
    if (!dropped && !PyErr_Occurred())
        Py_RETURN_NONE;
    return dropped;
}
