/* locks.h: the locks of this folder, which free-threaded builds of CPython need (PEP 703).
 *
 * With a GIL, the functions of this folder run one at a time, and the macros here are empty. On a
 * free-threaded build they run in parallel. There are two kinds of locks then:
 *
 * - A PyMutex, for what several objects share: the table of a store's externrefs, an entry of the
 *   registry of host functions, the Python objects of functions. WPY_MUTEX declares one.
 * - The lock that CPython gives each object (a critical section), for the members of the object.
 *
 * Both are leaves of the lock order (core/lock_order.h): while a thread holds one of them, it
 * acquires no other lock, drops no reference, runs no Python code, and calls nothing that may
 * detach the thread from the interpreter. So a collector that stops all threads, and a fork, find
 * every one of them free. Builds with WAMR_DEBUG=1 or WAMR_SANITIZE assert this order.
 *
 * SHARED_INCREF and SHARED_DECREF hold an object that a GIL would keep alive: what was read from an
 * object's members is used after its lock is released.
 */
#ifndef WPY_CPYTHON_LOCKS_H
#define WPY_CPYTHON_LOCKS_H

#include "cpython/cpython.h"

#ifdef Py_GIL_DISABLED

#if defined(WPY_CHECKED)
#include "include/checked_locks.h"
#define LEAF_BEGINS() wpy_leaf_lock_begins()
#define LEAF_ENDS() wpy_leaf_lock_ends()
#else
#define LEAF_BEGINS() ((void)0)
#define LEAF_ENDS() ((void)0)
#endif

#define WPY_MUTEX(name) PyMutex name

/* tools/prove/freethreaded.bash defines WPY_WITHOUT_LOCKS, to see tests fail without the locks. */
#if defined(WPY_WITHOUT_LOCKS)
#define LOCK(mutex) ((void)(mutex))
#define UNLOCK(mutex) ((void)(mutex))
#define LOCK_OBJECT(object) \
    {                       \
        (void)(object);
#define UNLOCK_OBJECT() }
#else
#define LOCK(mutex) (LEAF_BEGINS(), PyMutex_Lock(mutex))
#define UNLOCK(mutex) (PyMutex_Unlock(mutex), LEAF_ENDS())

/* A block: declarations in it are local to it, and nothing may jump out of it. */
#define LOCK_OBJECT(object) \
    LEAF_BEGINS();          \
    Py_BEGIN_CRITICAL_SECTION(object)
#define UNLOCK_OBJECT()        \
    Py_END_CRITICAL_SECTION(); \
    LEAF_ENDS()
#endif

#define SHARED_INCREF(object) Py_XINCREF(object)
#define SHARED_DECREF(object) Py_XDECREF(object)

#else

#define WPY_MUTEX(name)
#define LOCK(mutex) ((void)0)
#define UNLOCK(mutex) ((void)0)
#define LOCK_OBJECT(object) {
#define UNLOCK_OBJECT() }
#define SHARED_INCREF(object) ((void)0)
#define SHARED_DECREF(object) ((void)0)

#endif

#endif
