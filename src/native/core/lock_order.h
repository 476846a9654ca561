/* lock_order.h: the locks of our C, in the order in which one thread may take them; and what
 * asserts it.
 *
 *   1. The lock of a group (lock.c): held while wasm code of the group runs and while its objects
 * are changed. A thread may have several, by calls from one group into another: who would wait for
 * ever is told so. Python's GIL comes here. Callbacks take it inside a group. Who has the GIL never
 * waits for a group (include/now.h).
 *   2. A module's mutex (wpy_module_lock): while an instance that imports globals is made.
 *   3. The registry's lock (thread.c): what is rare, for a few instructions; all that core.h says
 * is under it. Taken over a fork. WAMR's own locks are taken under it or without it, and call
 * nothing of ours.
 *   4. A group's mutex, with its condition (lock.c): while a thread goes to sleep for the group's
 * lock or wakes another.
 *
 * 2 to 4 are held at most once by a thread, and never while wasm or Python code runs or a thread
 * waits for a group.
 *
 * Builds with WAMR_DEBUG=1 or WAMR_SANITIZE assert this, and at each function that needs a lock
 * that it is held. In others the macros are nothing.
 */
#ifndef WPY_LOCK_ORDER_H
#define WPY_LOCK_ORDER_H

#if defined(WPY_CHECKED)

enum { WPY_MODULE_MUTEX = 1, WPY_REGISTRY_LOCK = 2, WPY_GROUP_MUTEX = 4 };

void wpy_assert_failed(const char *condition, const char *file, int line);

#define WPY_ASSERT(condition) \
    ((condition) ? (void)0 : wpy_assert_failed(#condition, __FILE__, __LINE__))

/* Before this thread takes one of the locks 2 to 4, and when it gives it back. */
#define TAKES_LOCK(lock) \
    (WPY_ASSERT(wpy_self.locks < (uint32_t)(lock)), (void)(wpy_self.locks |= (lock)))
#define GIVES_LOCK(lock) \
    (WPY_ASSERT(wpy_self.locks & (lock)), (void)(wpy_self.locks &= ~(uint32_t)(lock)))

#define ASSERT_HAS_LOCK(lock) WPY_ASSERT(wpy_self.locks &(lock))
/* Before code of Python or wasm runs, and before a group is entered. */
#define ASSERT_NO_LOCKS() WPY_ASSERT(wpy_self.locks == 0)
/* This thread is in the group. */
#define ASSERT_IN_GROUP(group) \
    WPY_ASSERT((ATOMIC_LOAD(&(group)->owner) & ~(uintptr_t)1) == (uintptr_t)&wpy_self)
#define ASSERT_ENTERED(thing) ASSERT_IN_GROUP((thing)->object.group)
/* The same, or nobody else can reach the group any more, which only then is looked at. */
#define ASSERT_ENTERED_OR_DYING(thing)                                         \
    WPY_ASSERT((ATOMIC_LOAD(&(thing)->object.group->owner) & ~(uintptr_t)1) == \
                   (uintptr_t)&wpy_self ||                                     \
               (thing)->object.group->handles == 0)

#else

#define WPY_ASSERT(condition) ((void)0)
#define TAKES_LOCK(lock) ((void)0)
#define GIVES_LOCK(lock) ((void)0)
#define ASSERT_HAS_LOCK(lock) ((void)0)
#define ASSERT_NO_LOCKS() ((void)0)
#define ASSERT_IN_GROUP(group) ((void)0)
#define ASSERT_ENTERED(thing) ((void)0)
#define ASSERT_ENTERED_OR_DYING(thing) ((void)0)

#endif

#endif
