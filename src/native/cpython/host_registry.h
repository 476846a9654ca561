/* host_registry.h: the objects of host functions by the ids that our C knows them by. */
#ifndef WPY_HOST_REGISTRY_H
#define WPY_HOST_REGISTRY_H

#include "cpython/locks.h"

/* What an object needs to be registered: where it is. All zero: nowhere. */
typedef struct {
    uint32_t id;
    bool registered;
#ifdef Py_GIL_DISABLED
    PyObject *weak; /* a weak reference to the object, owned */
#endif
} HostRegistration;

/* Registers `object` under `id`, until wpy_host_unregister; an object that had the id no longer
 * has it. The object is not kept alive. 0, or -1 with an exception. */
int wpy_host_register(HostRegistration *where, uint32_t id, PyObject *object);
/* Called when `object` is cleared. */
void wpy_host_unregister(HostRegistration *where, PyObject *object);

#ifdef Py_GIL_DISABLED

PyObject *wpy_host_by_weak_reference(uint32_t id);

#else

extern PyObject **wpy_host_registry; /* by id; borrowed references, NULL where there is none */
extern uint32_t wpy_host_registry_size;

#endif

/* The object with that id. A new reference; NULL where there is none, no exception is set. */
static inline PyObject *
wpy_host_find(uint32_t id)
{
#ifdef Py_GIL_DISABLED
    return wpy_host_by_weak_reference(id);
#else
    PyObject *object = id < wpy_host_registry_size ? wpy_host_registry[id] : NULL;

    /* Without references it is being deallocated, and what that runs may come here. */
    if (UNLIKELY(!object || !Py_REFCNT(object)))
        return NULL;
    Py_INCREF(object);
    return object;
#endif
}

#endif
