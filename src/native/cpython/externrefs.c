/* externrefs.c: the table of the objects behind a store's externrefs.
 *
 * `ExternrefTableBase` is the base of ExternrefTable (src/wamr/_values/externrefs.py, which
 * explains the design and decides when to collect). It gives an object a reference, holds the
 * object, and gives the same reference for the same object. externref_collection.c drops the
 * objects that wasm code can't reach any more.
 *
 * All of it runs with the GIL held, and calls no other Python code in between. So it needs no lock
 * but that of the table on free-threaded builds, one for each store: threads that use different
 * stores never wait for each other. An object is never dropped under the lock, since a destructor
 * may use the table.
 */
#include "cpython/externref_collection.h"
#include "cpython/externref_slots.h"
#include "cpython/externrefs.h"
#include "cpython/passing_refs.h"
#include "include/now.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static PyObject *wrapper_classes; /* a tuple; see set_wrapped */

PyObject *
wpy_externrefs_of(PyObject *lifetime)
{
    PyObject *store = PyObject_GetAttrString(lifetime, "store");
    PyObject *table = store ? PyObject_GetAttrString(store, "_objects") : NULL;

    Py_XDECREF(store);
    return table;
}

/* Makes room for one more object. False where there is no memory. */
static bool
enlarge(ExternrefTableBase *table)
{
    uint32_t room = table->room ? table->room * 2 : 32;
    PyObject **items;
    uint8_t *touched;
    uint32_t *spare;

    if (table->count < table->room || table->spare_count)
        return true;
    if (room > INT32_MAX / 8)
        return false;
    if ((items = realloc(table->items, room * sizeof *items)))
        table->items = items;
    if ((touched = realloc(table->touched, room)))
        table->touched = touched;
    if ((spare = realloc(table->spare, room * sizeof *spare)))
        table->spare = spare;
    if (!items || !touched || !spare || !wpy_externref_rehash(table, room))
        return false;
    memset(table->touched + table->room, 0, room - table->room);
    table->room = room;
    return true;
}

/* ---- conversion ---- */

/* The reference for any object but None. False where there is no memory. Under the lock. */
static bool
find_or_add(ExternrefTableBase *table, PyObject *value, uint32_t *ref)
{
    uint32_t slot;

    if (UNLIKELY(!table->slots) && !enlarge(table))
        return false;
    slot = wpy_externref_slot(table, value);
    if (!table->slots[slot]) {
        uint32_t next;
        if (UNLIKELY(table->count == table->room && !table->spare_count)) {
            if (!enlarge(table))
                return false;
            slot = wpy_externref_slot(table, value);
        }
        next = table->spare_count ? table->spare[--table->spare_count] : table->count++;
        Py_INCREF(value);
        table->items[next] = value;
        table->slots[slot] = next + 1;
        table->counts.held++;
    }
    *ref = table->slots[slot] - 1;
    if (UNLIKELY(table->counts.state != NOT_COLLECTING))
        table->touched[*ref] = 1;
    return true;
}

/* The same with the lock. */
static ALWAYS_INLINE bool
reference_of(ExternrefTableBase *table, PyObject *value, uint32_t *ref)
{
#ifdef Py_GIL_DISABLED
    bool found;

    LOCK(&table->counts.lock);
    found = find_or_add(table, value, ref);
    UNLOCK(&table->counts.lock);
    return found;
#else
    return find_or_add(table, value, ref);
#endif
}

static bool
is_wrapper(PyObject *value)
{
    Py_ssize_t i, count = wrapper_classes ? PyTuple_Size(wrapper_classes) : 0;
    PyTypeObject *type = Py_TYPE(value);

    for (i = 0; i < count; i++) {
        PyTypeObject *class = (PyTypeObject *)PyTuple_GetItem(wrapper_classes, i);
        if (type == class || PyType_IsSubtype(type, class))
            return true;
    }
    return false;
}

bool
wpy_externref_from_object(PyObject *self, PyObject *value, uint32_t *ref)
{
    if (value == Py_None) {
        *ref = WPY_NULL_REFERENCE;
        return true;
    }
    return !is_wrapper(value) && reference_of((ExternrefTableBase *)self, value, ref);
}

PyObject *
wpy_externref_to_object(PyObject *self, uint32_t ref)
{
    ExternrefTableBase *table = (ExternrefTableBase *)self;
    PyObject *value;

    if (ref == WPY_NULL_REFERENCE)
        Py_RETURN_NONE;
    LOCK(&table->counts.lock);
    value = ref < table->count ? table->items[ref] : NULL;
    Py_XINCREF(value);
    UNLOCK(&table->counts.lock);
    if (UNLIKELY(!value))
        PyErr_Format(PyExc_LookupError, "no object has the number %u", ref);
    return value;
}

static PyObject *
number(PyObject *self, PyObject *value)
{
    uint32_t ref = WPY_NULL_REFERENCE;

    if (value != Py_None && !reference_of((ExternrefTableBase *)self, value, &ref))
        return PyErr_NoMemory();
    return PyLong_FromUnsignedLong(ref);
}

static PyObject *
object(PyObject *self, PyObject *value)
{
    unsigned long ref = PyLong_AsUnsignedLong(value);

    if (ref == (unsigned long)-1 && PyErr_Occurred())
        return NULL;
    /* beyond 32 bits: a reference that no object has */
    return wpy_externref_to_object(self, ref > UINT32_MAX ? WPY_NULL_REFERENCE - 1 : (uint32_t)ref);
}

/* ---- the type ---- */

static Py_ssize_t
length(PyObject *self)
{
    ExternrefTableBase *table = (ExternrefTableBase *)self;
    Py_ssize_t held;

    LOCK(&table->counts.lock);
    held = table->counts.held;
    UNLOCK(&table->counts.lock);
    return held;
}

static int
traverse(PyObject *self, visitproc visit, void *arg)
{
    ExternrefTableBase *table = (ExternrefTableBase *)self;
    uint32_t i;

    Py_VISIT(Py_TYPE(self));
    for (i = 0; i < table->count; i++)
        Py_VISIT(table->items[i]);
    return 0;
}

static int
clear(PyObject *self)
{
    ExternrefTableBase *table = (ExternrefTableBase *)self;
    PyObject **items;
    uint32_t i, count;

    /* consistent before any destructor runs, since one may use this table */
    LOCK(&table->counts.lock);
    items = table->items;
    count = table->count;
    table->items = NULL;
    table->count = table->room = table->spare_count = table->counts.held = 0;
    free(table->slots);
    table->slots = NULL;
    UNLOCK(&table->counts.lock);
    for (i = 0; i < count; i++)
        Py_XDECREF(items[i]);
    free(items);
    return 0;
}

static int
clear_and_free(PyObject *self)
{
    ExternrefTableBase *table = (ExternrefTableBase *)self;

    clear(self);
    Py_XDECREF(table->marks);
    free(table->touched);
    free(table->spare);
    return 0;
}

static void
dealloc(PyObject *self)
{
    wpy_dealloc(self, clear_and_free);
}

static PyMethodDef methods[] = {
    {"number", number, METH_O, "Return the number of an object, and hold the object."},
    {"object", object, METH_O, "Return the object of a number that came from wasm."},
    {"block", wpy_passing_block, METH_NOARGS,
     "Return a context manager for a block of code in which this thread passes references."},
    {"suspend", wpy_passing_suspend, METH_NOARGS,
     "Allow collections although this thread passes references; return a count for resume."},
    {"resume", wpy_passing_resume, METH_O, "End what suspend allowed."},
    {"collection", wpy_externrefs_collection, METH_O,
     "Go on with a collection, or begin one; return the objects that it dropped at its end, or "
     "None."},
    {NULL, NULL, 0, NULL},
};

/* One of the counts, which is at `closure` bytes from the table. */
static PyObject *
get_count(PyObject *self, void *closure)
{
    uint32_t count;

    LOCK(&((ExternrefCounts *)self)->lock);
    count = *(uint32_t *)((char *)self + (uintptr_t)closure);
    UNLOCK(&((ExternrefCounts *)self)->lock);
    return PyLong_FromUnsignedLong(count);
}

static PyObject *
get_passing(PyObject *self, void *closure)
{
    uint32_t count;

    (void)closure;
    LOCK(&((ExternrefCounts *)self)->lock);
    count = ((ExternrefCounts *)self)->passing + ((ExternrefCounts *)self)->late;
    UNLOCK(&((ExternrefCounts *)self)->lock);
    return PyLong_FromUnsignedLong(count);
}

static PyObject *
get_collecting(PyObject *self, void *closure)
{
    uint8_t state;

    (void)closure;
    LOCK(&((ExternrefCounts *)self)->lock);
    state = ((ExternrefCounts *)self)->state;
    UNLOCK(&((ExternrefCounts *)self)->lock);
    return PyBool_FromLong(state != NOT_COLLECTING);
}

static int
set_limit(PyObject *self, PyObject *value, void *closure)
{
    ExternrefTableBase *table = (ExternrefTableBase *)self;
    long long limit = value ? wpy_natural(value, UINT32_MAX) : -1;

    (void)closure;
    if (limit < 0) {
        PyErr_SetString(PyExc_ValueError, "a limit is an int of 32 bits, 0 or more");
        return -1;
    }
    LOCK(&table->counts.lock);
    wpy_externrefs_set_limit(table, (uint32_t)limit);
    UNLOCK(&table->counts.lock);
    return 0;
}

static int
init(PyObject *self, PyObject *args, PyObject *kwargs)
{
    (void)args;
    (void)kwargs;
    ((ExternrefTableBase *)self)->forks = wpy_fork_count();
    return 0;
}

/* No members, since those are read without the lock. */
static PyGetSetDef getset[] = {
    {"limit", get_count, set_limit,
     "The number of objects at which a collection is due; 0: calls are to go on with one.",
     (void *)offsetof(ExternrefTableBase, counts.limit)},
    {"passing", get_passing, NULL, "How many calls pass references.", NULL},
    {"collecting", get_collecting, NULL, "Whether a collection has begun and not ended.", NULL},
    {"count", get_count, NULL, "How many references there are, free ones among them.",
     (void *)offsetof(ExternrefTableBase, count)},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_init, init},
    {Py_tp_dealloc, dealloc},
    {Py_tp_traverse, traverse},
    {Py_tp_clear, clear},
    {Py_tp_methods, methods},
    {Py_tp_getset, getset},
    {Py_mp_length, length},
    {Py_tp_doc, "The objects behind a store's externrefs, by reference."},
    {0, NULL},
};

static PyType_Spec spec = WPY_BASE_SPEC(ExternrefTableBase, slots);

/* set_wrapped((class, …)): sets the classes whose instances stand for another object, such as Val.
 * Python converts these. */
static PyObject *
set_wrapped(PyObject *module, PyObject *classes)
{
    (void)module;
    if (!PyTuple_Check(classes)) {
        PyErr_SetString(PyExc_TypeError, "set_wrapped() takes a tuple of classes");
        return NULL;
    }
    Py_INCREF(classes);
    wpy_xsetref(&wrapper_classes, classes);
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"set_wrapped", set_wrapped, METH_O,
     "Set the classes whose instances stand for other objects."},
    {NULL, NULL, 0, NULL},
};

int
wpy_add_externrefs(PyObject *module)
{
    return wpy_add_type(module, &spec) ? PyModule_AddFunctions(module, functions) : -1;
}
