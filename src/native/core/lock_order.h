/* lock_order.h: the locks of our C, the order in which a thread may acquire them, and the
 * assertions of that order.
 *
 *   1. The lock of a group (lock.c): held while wasm code of the group runs, and while its objects
 *      are changed. A thread may have several, by calls from one group into another; a deadlock
 *      between them is detected. Python's GIL comes after it: callbacks acquire the GIL inside a
 *      group, and a thread that has the GIL never waits for a group (include/now.h).
 *   2. A module's mutex (wpy_module_lock): held while an instance that imports globals is made.
 *   3. The registry's lock (thread.c): for what is rare, and for a few instructions. WAMR's own
 *      locks are acquired with it or without it, and WAMR calls nothing of ours with them.
 *   4. A group's mutex, with its condition (lock.c): held while a thread goes to sleep for the
 *      group's lock, or wakes another thread.
 *   5. On free-threaded builds of CPython, a lock of cpython/ (cpython/locks.h): held for a few
 *      instructions that use Python objects, with none of 2 to 4, and none is acquired meanwhile.
 *
 * A thread holds each of 2 to 5 at most once, and none of them while wasm or Python code runs or
 * while the thread waits for a group. There is no GIL on free-threaded builds: a thread that is
 * attached to the interpreter takes its place, since such threads hold up the garbage collector.
 *
 * Builds with WAMR_DEBUG=1 or WAMR_SANITIZE assert the order, and in each function that needs a
 * lock that the thread has it. In other builds the macros are empty.
 */
#ifndef WPY_LOCK_ORDER_H
#define WPY_LOCK_ORDER_H

#include "compiler.h"

#if defined(WPY_CHECKED)

enum { WPY_MODULE_MUTEX = 1, WPY_REGISTRY_LOCK = 2, WPY_GROUP_MUTEX = 4, WPY_LEAF_LOCK = 8 };

NORETURN void wpy_assert_failed(const char *condition, const char *file, int line);

#define WPY_ASSERT(condition) \
    ((condition) ? (void)0 : wpy_assert_failed(#condition, __FILE__, __LINE__))

/* Before this thread acquires one of the locks 2 to 5, and before it releases it. */
#define ACQUIRES_LOCK(lock) \
    (WPY_ASSERT(wpy_self.locks < (uint32_t)(lock)), (void)(wpy_self.locks |= (lock)))
#define RELEASES_LOCK(lock) \
    (WPY_ASSERT(wpy_self.locks & (lock)), (void)(wpy_self.locks &= ~(uint32_t)(lock)))

#define ASSERT_HAS_LOCK(lock) WPY_ASSERT(wpy_self.locks &(lock))
/* Before Python or wasm code runs, and before the lock of a group is acquired. */
#define ASSERT_NO_LOCKS() WPY_ASSERT(wpy_self.locks == 0)
/* This thread has the group's lock. */
#define ASSERT_IN_GROUP(group) \
    WPY_ASSERT((ATOMIC_LOAD(&(group)->owner) & ~(uintptr_t)1) == (uintptr_t)&wpy_self)
/* This thread has the lock of the object's group. */
#define ASSERT_ENTERED(holder) ASSERT_IN_GROUP((holder)->object.group)
/* The same, or the group is being freed, so that no other thread can reach it. */
#define ASSERT_ENTERED_OR_DYING(holder)                                         \
    WPY_ASSERT((ATOMIC_LOAD(&(holder)->object.group->owner) & ~(uintptr_t)1) == \
                   (uintptr_t)&wpy_self ||                                      \
               (holder)->object.group->handles == 0)

#else

#define WPY_ASSERT(condition) ((void)0)
#define ACQUIRES_LOCK(lock) ((void)0)
#define RELEASES_LOCK(lock) ((void)0)
#define ASSERT_HAS_LOCK(lock) ((void)0)
#define ASSERT_NO_LOCKS() ((void)0)
#define ASSERT_IN_GROUP(group) ((void)0)
#define ASSERT_ENTERED(holder) ((void)0)
#define ASSERT_ENTERED_OR_DYING(holder) ((void)0)

#endif

#endif
