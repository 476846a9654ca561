/* externrefs.c: the objects that wasm code knows as externrefs, and their numbers.
 *
 * `ExternrefTableBase` is the base of the store's Objects (src/wamr/_values/externrefs.py, which
 * tells the whole story and decides when to collect). It gives an object a number, the same one
 * while the object is held, and holds it. A collection is `begin`, marking by our C, and `sweep`,
 * which lets go of what was neither marked nor asked for meanwhile. All of it runs under the GIL
 * and calls nothing in between that could run other Python code, so it needs no lock.
 *
 * Who passes numbers says so (`wpy_passing`): counted for each thread, since a host function puts
 * aside what its own thread was passing.
 */
#include "cpython/externrefs.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    PyObject_HEAD PyObject **items; /* by number; NULL: free */
    uint8_t *touched;               /* by number: asked for during a collection */
    uint32_t *spare;                /* free numbers below `count` */
    uint32_t count, room, spare_count, held;
    uint32_t *slots;  /* a hash table by address: number + 1, or 0 */
    uint32_t mask;    /* its size - 1 */
    uint32_t passing; /* who passes and is not aside */
    uint32_t limit;   /* so many objects: worth a collection */
    bool collecting;
} ExternrefTableBase;

/* How often this thread passes numbers of one store: what is aside does not count, since a host
 * function runs, and what was passed is on the wasm stack. Counts, and no list of who passes:
 * greenlets end in any order. */
typedef struct wpy_passing {
    struct wpy_passing *next;
    PyObject *numbers; /* borrowed; may be gone if `all` is 0 */
    uint32_t all, aside;
} wpy_passing;

/* The first; the others are of threads that are in calls of several stores at once. */
#if defined(_MSC_VER)
static __declspec(thread) wpy_passing passing_here;
#else
static THREAD_LOCAL wpy_passing passing_here;
#endif
static PyObject *wrapped; /* a tuple of classes whose instances stand for something else */

/* ---- who passes ---- */

static wpy_passing *
find_passing(const PyObject *numbers)
{
    wpy_passing *passing = &passing_here;

    while (passing && passing->numbers != numbers)
        passing = passing->next;
    return passing;
}

/* For a thread that is in another store's call already; NULL: out of memory. */
static wpy_passing *
another_passing(PyObject *numbers)
{
    wpy_passing *passing = find_passing(numbers);

    if (!passing && (passing = calloc(1, sizeof *passing))) {
        passing->numbers = numbers;
        passing->next = passing_here.next;
        passing_here.next = passing;
    }
    return passing;
}

static void
drop_passing(wpy_passing *passing)
{
    wpy_passing **link = &passing_here.next;

    while (*link != passing)
        link = &(*link)->next;
    *link = passing->next;
    free(passing);
}

/* False: out of memory. */
static inline bool
begin_passing(ExternrefTableBase *numbers)
{
    wpy_passing *passing = &passing_here;

    if (UNLIKELY(passing->numbers != (PyObject *)numbers)) {
        if (!passing->all && !passing->next)
            passing->numbers = (PyObject *)numbers;
        else if (!(passing = another_passing((PyObject *)numbers)))
            return false;
    }
    passing->all++;
    numbers->passing++;
    return true;
}

static inline void
end_passing(wpy_passing *passing, ExternrefTableBase *numbers)
{
    if (UNLIKELY(passing->aside == passing->all))
        passing->aside--;
    else
        numbers->passing--;
    passing->all--;
    if (UNLIKELY(passing != &passing_here) && !passing->all)
        drop_passing(passing);
}

bool
wpy_crowded(PyObject *self)
{
    return ((ExternrefTableBase *)self)->held >= ((ExternrefTableBase *)self)->limit;
}

bool
wpy_pass_begin(PyObject *self)
{
    return LIKELY(!wpy_crowded(self)) && begin_passing((ExternrefTableBase *)self);
}

void
wpy_pass_end(PyObject *self)
{
    wpy_passing *passing = &passing_here;

    if (LIKELY(passing->numbers == self) || (passing = find_passing(self)))
        end_passing(passing, (ExternrefTableBase *)self);
}

static PyObject *
enter(PyObject *self, PyObject *args)
{
    (void)args;
    if (!begin_passing((ExternrefTableBase *)self))
        return PyErr_NoMemory();
    Py_INCREF(self); /* until it leaves */
    Py_RETURN_NONE;
}

static PyObject *
leave(PyObject *self, PyObject *args)
{
    wpy_passing *passing = find_passing(self);

    (void)args;
    if (!passing || !passing->all) {
        PyErr_SetString(PyExc_RuntimeError, "leave() without enter()");
        return NULL;
    }
    end_passing(passing, (ExternrefTableBase *)self);
    Py_DECREF(self);
    Py_RETURN_NONE;
}

/* aside(): what this thread passes does not count until back(…) with the answer. */
static PyObject *
aside(PyObject *self, PyObject *args)
{
    wpy_passing *passing = find_passing(self);
    uint32_t count = passing ? passing->all - passing->aside : 0;

    (void)args;
    if (count) {
        passing->aside += count;
        ((ExternrefTableBase *)self)->passing -= count;
    }
    return PyLong_FromUnsignedLong(count);
}

static PyObject *
back(PyObject *self, PyObject *value)
{
    wpy_passing *passing = find_passing(self);
    long count = PyLong_AsLong(value);

    if (count == -1 && PyErr_Occurred())
        return NULL;
    if (passing && count > 0) {
        uint32_t again = (unsigned long)count < passing->aside ? (uint32_t)count : passing->aside;
        passing->aside -= again;
        ((ExternrefTableBase *)self)->passing += again;
    }
    Py_RETURN_NONE;
}

/* ---- numbers ---- */

static uint32_t
slot_of(const ExternrefTableBase *numbers, const PyObject *value)
{
    uint64_t hash = (uint64_t)(uintptr_t)value * 0x9E3779B97F4A7C15u;
    uint32_t slot = (uint32_t)(hash >> 32) & numbers->mask;

    while (numbers->slots[slot] && numbers->items[numbers->slots[slot] - 1] != value)
        slot = (slot + 1) & numbers->mask;
    return slot;
}

/* Fills the hash table anew, at a size for `room` objects. */
static bool
rehash(ExternrefTableBase *numbers, uint32_t room)
{
    uint32_t size = numbers->slots ? numbers->mask + 1 : 64, i;

    while (size / 2 < room)
        size *= 2;
    if (!numbers->slots || size != numbers->mask + 1) {
        uint32_t *larger = realloc(numbers->slots, size * sizeof *larger);
        if (!larger)
            return false;
        numbers->slots = larger;
        numbers->mask = size - 1;
    }
    memset(numbers->slots, 0, size * sizeof *numbers->slots);
    for (i = 0; i < numbers->count; i++)
        if (numbers->items[i])
            numbers->slots[slot_of(numbers, numbers->items[i])] = i + 1;
    return true;
}

/* Room for one more object. */
static bool
enlarge(ExternrefTableBase *numbers)
{
    uint32_t room = numbers->room ? numbers->room * 2 : 32;
    PyObject **items;
    uint8_t *touched;
    uint32_t *spare;

    if (numbers->count < numbers->room || numbers->spare_count)
        return true;
    if (room > INT32_MAX / 8)
        return false;
    if ((items = realloc(numbers->items, room * sizeof *items)))
        numbers->items = items;
    if ((touched = realloc(numbers->touched, room)))
        numbers->touched = touched;
    if ((spare = realloc(numbers->spare, room * sizeof *spare)))
        numbers->spare = spare;
    if (!items || !touched || !spare || !rehash(numbers, room))
        return false;
    memset(numbers->touched + numbers->room, 0, room - numbers->room);
    numbers->room = room;
    return true;
}

static bool
number_of(ExternrefTableBase *numbers, PyObject *value, uint32_t *number)
{
    uint32_t slot;

    if (UNLIKELY(!numbers->slots) && !enlarge(numbers))
        return false;
    slot = slot_of(numbers, value);
    if (!numbers->slots[slot]) {
        uint32_t next;
        if (UNLIKELY(numbers->count == numbers->room && !numbers->spare_count)) {
            if (!enlarge(numbers))
                return false;
            slot = slot_of(numbers, value);
        }
        next = numbers->spare_count ? numbers->spare[--numbers->spare_count] : numbers->count++;
        Py_INCREF(value);
        numbers->items[next] = value;
        numbers->slots[slot] = next + 1;
        numbers->held++;
    }
    *number = numbers->slots[slot] - 1;
    if (UNLIKELY(numbers->collecting))
        numbers->touched[*number] = 1;
    return true;
}

static bool
is_wrapped(PyObject *value)
{
    Py_ssize_t i, count = wrapped ? PyTuple_Size(wrapped) : 0;
    PyTypeObject *type = Py_TYPE(value);

    for (i = 0; i < count; i++) {
        PyTypeObject *one = (PyTypeObject *)PyTuple_GetItem(wrapped, i);
        if (type == one || PyType_IsSubtype(type, one))
            return true;
    }
    return false;
}

bool
wpy_number_of(PyObject *self, PyObject *value, uint32_t *number)
{
    if (value == Py_None) {
        *number = WPY_NO_OBJECT;
        return true;
    }
    return !is_wrapped(value) && number_of((ExternrefTableBase *)self, value, number);
}

PyObject *
wpy_object_of(PyObject *self, uint32_t number)
{
    ExternrefTableBase *numbers = (ExternrefTableBase *)self;
    PyObject *value;

    if (number == WPY_NO_OBJECT)
        Py_RETURN_NONE;
    value = number < numbers->count ? numbers->items[number] : NULL;
    if (!value) {
        PyErr_Format(PyExc_LookupError, "no object has the number %u", number);
        return NULL;
    }
    Py_INCREF(value);
    return value;
}

static PyObject *
number(PyObject *self, PyObject *value)
{
    uint32_t found = WPY_NO_OBJECT;

    if (value != Py_None && !number_of((ExternrefTableBase *)self, value, &found))
        return PyErr_NoMemory();
    return PyLong_FromUnsignedLong(found);
}

static PyObject *
object(PyObject *self, PyObject *value)
{
    unsigned long found = PyLong_AsUnsignedLong(value);

    if (found == (unsigned long)-1 && PyErr_Occurred())
        return NULL;
    return wpy_object_of(self, found > UINT32_MAX ? WPY_NO_OBJECT - 1 : (uint32_t)found);
}

/* ---- a collection ---- */

/* begin(): how many numbers there are, to be marked; -1: not now. */
static PyObject *
begin(PyObject *self, PyObject *args)
{
    ExternrefTableBase *numbers = (ExternrefTableBase *)self;

    (void)args;
    if (numbers->collecting || numbers->passing)
        return PyLong_FromLong(-1);
    numbers->collecting = true;
    if (numbers->touched)
        memset(numbers->touched, 0, numbers->room);
    return PyLong_FromUnsignedLong(numbers->count);
}

static PyObject *
end(PyObject *self, PyObject *args)
{
    (void)args;
    ((ExternrefTableBase *)self)->collecting = false;
    Py_RETURN_NONE;
}

static uint32_t
unneeded(const ExternrefTableBase *numbers, const uint8_t *reached, uint32_t known)
{
    uint32_t i, count = 0;

    for (i = 0; i < known; i++)
        count += numbers->items[i] && !reached[i] && !numbers->touched[i];
    return count;
}

/* sweep(reached): lets go of what has a zero there and was not asked for since begin(); returns a
   list of it, for the caller to drop, or None: something is being passed. */
static PyObject *
sweep(PyObject *self, PyObject *args)
{
    ExternrefTableBase *numbers = (ExternrefTableBase *)self;
    const uint8_t *reached;
    Py_ssize_t size;
    uint32_t i, known, count;
    PyObject *gone, *bytes;

    if (!PyArg_ParseTuple(args, "S:sweep", &bytes) ||
        PyBytes_AsStringAndSize(bytes, (char **)&reached, &size))
        return NULL;
    for (;;) { /* making the list may run the collector of Python, and so anything */
        known = (size_t)size < numbers->count ? (uint32_t)size : numbers->count;
        count = unneeded(numbers, reached, known);
        if (!(gone = PyList_New(count)))
            return NULL;
        if (numbers->passing) {
            Py_DECREF(gone);
            Py_RETURN_NONE;
        }
        if (count == unneeded(numbers, reached, known))
            break;
        Py_DECREF(gone);
    }
    for (i = 0, count = 0; i < known; i++)
        if (numbers->items[i] && !reached[i] && !numbers->touched[i]) {
            PyList_SetItem(gone, count++, numbers->items[i]); /* the reference goes along */
            numbers->items[i] = NULL;
            numbers->spare[numbers->spare_count++] = i;
        }
    numbers->held -= count;
    if (count)
        rehash(numbers, 0); /* as large as it is: can't fail */
    return gone;
}

/* ---- the type ---- */

static Py_ssize_t
length(PyObject *self)
{
    return ((ExternrefTableBase *)self)->held;
}

static int
traverse(PyObject *self, visitproc visit, void *arg)
{
    ExternrefTableBase *numbers = (ExternrefTableBase *)self;
    uint32_t i;

    Py_VISIT(Py_TYPE(self));
    for (i = 0; i < numbers->count; i++)
        Py_VISIT(numbers->items[i]);
    return 0;
}

static int
clear(PyObject *self)
{
    ExternrefTableBase *numbers = (ExternrefTableBase *)self;
    PyObject **items = numbers->items;
    uint32_t i, count = numbers->count;

    /* a destructor may come back here */
    numbers->items = NULL;
    numbers->count = numbers->room = numbers->spare_count = numbers->held = 0;
    free(numbers->slots);
    numbers->slots = NULL;
    for (i = 0; i < count; i++)
        Py_XDECREF(items[i]);
    free(items);
    return 0;
}

static void
dealloc(PyObject *self)
{
    ExternrefTableBase *numbers = (ExternrefTableBase *)self;
    PyTypeObject *type = Py_TYPE(self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);

    PyObject_GC_UnTrack(self);
    clear(self);
    free(numbers->touched);
    free(numbers->spare);
    release(self);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"number", number, METH_O, "Return the number of an object, which is held from now on."},
    {"object", object, METH_O, "Return the object of a number that came out of wasm."},
    {"enter", enter, METH_NOARGS, "Say that this thread passes references from here on."},
    {"leave", leave, METH_NOARGS, "Say that it has done so."},
    {"aside", aside, METH_NOARGS,
     "Say that what this thread passed is where wasm keeps it; returns what back wants."},
    {"back", back, METH_O, "Say that it is on its way again."},
    {"begin", begin, METH_NOARGS,
     "Begin to collect: return how many numbers are to be marked; -1: not now."},
    {"sweep", sweep, METH_VARARGS, "Let go of what was not marked: a list of it; None: not now."},
    {"end", end, METH_NOARGS, "End a collection."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef members[] = {
    {"limit", T_UINT, offsetof(ExternrefTableBase, limit), 0,
     "So many objects are worth a collection."},
    {"passing", T_UINT, offsetof(ExternrefTableBase, passing), READONLY,
     "How many calls pass references."},
    {"count", T_UINT, offsetof(ExternrefTableBase, count), READONLY,
     "How many numbers there are, free ones among them."},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_dealloc, dealloc},
    {Py_tp_traverse, traverse},
    {Py_tp_clear, clear},
    {Py_tp_methods, methods},
    {Py_tp_members, members},
    {Py_mp_length, length},
    {Py_tp_doc, "Objects by number, for those who only know numbers."},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "wamr._wamr.ExternrefTableBase",
    .basicsize = sizeof(ExternrefTableBase),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

/* set_wrapped((class, …)): their instances are never passed as they are, but left to Python. */
static PyObject *
set_wrapped(PyObject *module, PyObject *classes)
{
    PyObject *old = wrapped;

    (void)module;
    if (!PyTuple_Check(classes)) {
        PyErr_SetString(PyExc_TypeError, "set_wrapped() takes a tuple of classes");
        return NULL;
    }
    Py_INCREF(classes);
    wrapped = classes;
    Py_XDECREF(old);
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"set_wrapped", set_wrapped, METH_O,
     "Name the classes whose instances stand for something else."},
    {NULL, NULL, 0, NULL},
};

int
wpy_add_numbers(PyObject *module)
{
    PyObject *type = PyType_FromSpec(&spec);

    if (!type || PyModule_AddObject(module, "ExternrefTableBase", type) < 0) {
        Py_XDECREF(type);
        return -1;
    }
    return PyModule_AddFunctions(module, functions);
}
