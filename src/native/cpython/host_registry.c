/* host_registry.c: finds the object of a host function by its id.
 *
 * An object is registered as long as it lives, and keeps itself out of the registry when it is
 * cleared. So only importers keep a callback alive.
 *
 * With a GIL the registry is one array of borrowed references. On free-threaded builds a borrowed
 * reference may dangle by the time that it is read, so the registry has weak references there. Its
 * entries are in chunks that never move, and each entry has a lock of its own: threads that call
 * different host functions never wait for each other.
 */
#include "cpython/host_registry.h"

#include <stdlib.h>
#include <string.h>

#ifndef Py_GIL_DISABLED

PyObject **wpy_host_registry;
uint32_t wpy_host_registry_size;

int
wpy_host_register(HostRegistration *where, uint32_t id, PyObject *object)
{
    if (id >= wpy_host_registry_size) {
        uint32_t size = id < 32 ? 64 : id * 2;
        PyObject **larger = realloc(wpy_host_registry, size * sizeof *larger);
        if (!larger) {
            PyErr_NoMemory();
            return -1;
        }
        memset(larger + wpy_host_registry_size, 0,
               (size - wpy_host_registry_size) * sizeof *larger);
        wpy_host_registry = larger;
        wpy_host_registry_size = size;
    }
    where->id = id;
    where->registered = true;
    wpy_host_registry[id] = object;
    return 0;
}

void
wpy_host_unregister(HostRegistration *where, PyObject *object)
{
    if (where->registered && wpy_host_registry[where->id] == object)
        wpy_host_registry[where->id] = NULL;
    where->registered = false;
}

#else

#define CHUNK 1024u
#define CHUNKS (1u << 20) /* our C has at most 2**30 ids (runtime/refs.c) */

typedef struct {
    PyObject *weak; /* owned; NULL where there is none. Under `lock` */
    PyMutex lock;
} Entry;

/* Each is set once, and never freed. Memory that was never written costs nothing. */
static Entry *chunks[CHUNKS];

/* The entry of an id; NULL where no id near it was ever registered. */
static Entry *
find_entry(uint32_t id)
{
    Entry *chunk = id / CHUNK < CHUNKS ? ATOMIC_LOAD_ACQUIRE(&chunks[id / CHUNK]) : NULL;

    return chunk ? &chunk[id % CHUNK] : NULL;
}

/* NULL where there is no memory. */
static Entry *
find_or_add_entry(uint32_t id)
{
    Entry *chunk, *none = NULL;

    if (id / CHUNK < CHUNKS && !ATOMIC_LOAD_ACQUIRE(&chunks[id / CHUNK]) &&
        (chunk = calloc(CHUNK, sizeof *chunk)) &&
        !ATOMIC_SWAP_SEQ(&chunks[id / CHUNK], &none, chunk))
        free(chunk); /* another thread was faster */
    return find_entry(id);
}

/* Puts `weak` into an entry, unless the entry has another one than `expected`, where that is not
 * NULL. Takes over the reference to `weak`. */
static void
replace(Entry *entry, PyObject *expected, PyObject *weak)
{
    PyObject *old;

    LOCK(&entry->lock);
    old = entry->weak;
    if (!expected || old == expected)
        entry->weak = weak;
    else
        old = weak;
    UNLOCK(&entry->lock);
    Py_XDECREF(old);
}

int
wpy_host_register(HostRegistration *where, uint32_t id, PyObject *object)
{
    Entry *entry = find_or_add_entry(id);
    PyObject *weak;
    bool twice;

    if (!entry) {
        PyErr_NoMemory();
        return -1;
    }
    if (!(weak = PyWeakref_NewRef(object, NULL)))
        return -1;
    Py_INCREF(weak);
    LOCK_OBJECT(object);
    if (!(twice = where->registered)) {
        where->id = id;
        where->registered = true;
        where->weak = weak;
    }
    UNLOCK_OBJECT();
    if (twice) {
        Py_DECREF(weak);
        Py_DECREF(weak);
        PyErr_SetString(PyExc_RuntimeError, "the host function was registered before");
        return -1;
    }
    replace(entry, NULL, weak);
    return 0;
}

void
wpy_host_unregister(HostRegistration *where, PyObject *object)
{
    Entry *entry;

    (void)object;
    if (where->registered && (entry = find_entry(where->id)))
        replace(entry, where->weak, NULL);
    where->registered = false;
    Py_CLEAR(where->weak);
}

PyObject *
wpy_host_by_weak_reference(uint32_t id)
{
    Entry *entry = find_entry(id);
    PyObject *weak, *object = NULL;

    if (!entry)
        return NULL;
    LOCK(&entry->lock);
    weak = entry->weak;
    Py_XINCREF(weak);
    UNLOCK(&entry->lock);
    if (weak) {
        PyWeakref_GetRef(weak, &object);
        Py_DECREF(weak);
    }
    return object;
}

#endif
