/* externref_collection.c: drops the objects behind externrefs that nothing refers to any more.
 *
 * A collection consists of `begin`, marking by our C (src/native/runtime/externrefs.c), `sweep`,
 * which drops the objects that were neither marked nor asked for meanwhile, and `end`. It waits
 * while references are passed (passing_refs.c). src/wamr/_values/externrefs.py decides when to
 * collect.
 */
#include "cpython/externref_collection.h"
#include "cpython/externref_slots.h"

#include <string.h>

/* begin(): begins a collection. Returns the number of references, which the caller marks; -1 where
 * another collection runs or references are being passed. */
PyObject *
wpy_externrefs_begin(PyObject *self, PyObject *args)
{
    ExternrefTableBase *table = (ExternrefTableBase *)self;

    bool begun;
    uint32_t count;

    (void)args;
    LOCK(&table->counts.lock);
    if ((begun = !table->collecting && !table->counts.passing)) {
        table->collecting = true;
        if (table->touched)
            memset(table->touched, 0, table->room);
    }
    count = table->count;
    UNLOCK(&table->counts.lock);
    return begun ? PyLong_FromUnsignedLong(count) : PyLong_FromLong(-1);
}

PyObject *
wpy_externrefs_end(PyObject *self, PyObject *args)
{
    ExternrefTableBase *table = (ExternrefTableBase *)self;

    (void)args;
    LOCK(&table->counts.lock);
    table->collecting = false;
    UNLOCK(&table->counts.lock);
    Py_RETURN_NONE;
}

static bool
is_garbage(const ExternrefTableBase *table, const uint8_t *marks, uint32_t ref)
{
    return table->items[ref] && !marks[ref] && !table->touched[ref];
}

/* How many of the first `size` references are garbage; `size` is set to how many there are. Under
 * the lock. */
static uint32_t
count_garbage(const ExternrefTableBase *table, const uint8_t *marks, Py_ssize_t *size)
{
    uint32_t i, found = 0;

    if ((size_t)*size > table->count)
        *size = table->count;
    for (i = 0; i < *size; i++)
        found += is_garbage(table, marks, i);
    return found;
}

/* Moves the garbage, `count` objects, into a new list: it takes over the table's references. Under
 * the lock. */
static void
move_garbage(ExternrefTableBase *table, const uint8_t *marks, Py_ssize_t size, PyObject *list)
{
    uint32_t i, count = 0;

    for (i = 0; i < size; i++)
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

/* sweep(marks): drops the objects whose mark is zero and that were not asked for since begin().
 * Returns a list of them, so that their destructors run in the caller; None where references are
 * being passed. */
PyObject *
wpy_externrefs_sweep(PyObject *self, PyObject *args)
{
    ExternrefTableBase *table = (ExternrefTableBase *)self;
    const uint8_t *marks;
    Py_ssize_t size;
    uint32_t count;
    PyObject *dropped, *bytes;
    bool passing, same;

    if (!PyArg_ParseTuple(args, "S:sweep", &bytes) ||
        PyBytes_AsStringAndSize(bytes, (char **)&marks, &size))
        return NULL;
    for (;;) { /* making the list may run Python's garbage collector, and so any code */
        LOCK(&table->counts.lock);
        count = count_garbage(table, marks, &size);
        UNLOCK(&table->counts.lock);
        if (!(dropped = PyList_New(count)))
            return NULL;
        LOCK(&table->counts.lock);
        passing = table->counts.passing != 0;
        same = count_garbage(table, marks, &size) == count;
        if (!passing && same)
            move_garbage(table, marks, size, dropped);
        UNLOCK(&table->counts.lock);
        if (!passing && same)
            return dropped;
        Py_DECREF(dropped);
        if (passing)
            Py_RETURN_NONE;
    }
}
