/* now.h: what cpython/ calls with the GIL held, or on a free-threaded build by a thread that is
 * attached to the interpreter: the collector waits for such threads.
 *
 * None of these functions waits. Where one would have to wait for a group's lock, it returns
 * WPY_BUSY, and the caller uses the function in wpy.h instead, without the GIL. Not in wpy.h, since
 * cffi never calls them.
 */
#ifndef WPY_NOW_H
#define WPY_NOW_H

#include "include/wpy.h"

/* core/thread.c: how often this process and its parents were forked. */
uint32_t wpy_fork_count(void);

/* runtime/table.c: WPY_RANGE: no such element. WPY_NO_MEMORY: beyond the maximum or the budget, or
   no room (wpy_take_refusal). */
int wpy_table_get_now(wpy_table *table, uint32_t index, uint32_t *out);
int wpy_table_set_now(wpy_table *table, uint32_t index, uint32_t ref);
int wpy_table_grow_now(wpy_table *table, uint32_t delta, uint32_t init, uint32_t *old_size);

/* runtime/global.c: a value is the cells of its type, in 16 bytes. */
int wpy_global_get_now(wpy_global *global, void *cells);
int wpy_global_set_now(wpy_global *global, const void *cells);

/* runtime/refs.c */
/* The reference to a function that comes into `object`, whose group keeps the function alive from
   now on. WPY_BUSY: two groups would have to be merged. */
int wpy_retain_reference_now(void *object, wpy_func *func, uint32_t *ref);
/* The Python object of a function, borrowed, or NULL; on free-threaded builds a weak reference to
   it. The GIL, or the lock of cpython/callable_base.c, guards it. Whoever sets it has a handle on
   the function, and sets it to NULL before giving the handle back. For the two that take a
   reference, the caller must have a handle in the group that the reference came from. */
void *wpy_func_object(const wpy_func *func);
void wpy_func_set_object(wpy_func *func, void *object);
void *wpy_ref_object(uint32_t ref);
/* The function of a reference, borrowed, or NULL: without a lock, since this may have to make it.
 */
const wpy_func *wpy_ref_func(uint32_t ref);

#endif
