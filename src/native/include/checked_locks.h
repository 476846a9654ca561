/* checked_locks.h: how cpython/ takes part in the assertions of the lock order.
 *
 * Only in builds with WPY_CHECKED, and only called on free-threaded builds of CPython, where
 * cpython/ has locks. Not in wpy.h, since cffi never calls them.
 */
#ifndef WPY_CHECKED_LOCKS_H
#define WPY_CHECKED_LOCKS_H

/* core/thread.c: before this thread acquires a lock of cpython/, and after it has released it. The
   thread has no lock of our C but those of groups. */
void wpy_leaf_lock_begins(void);
void wpy_leaf_lock_ends(void);

#endif
