/* now.h: what cpython/ asks of our C with the GIL held. None of it waits: where it would have to,
 * it answers WPY_BUSY, and the caller takes the way through wpy.h, which gives up the GIL. It is no
 * part of wpy.h, since cffi never calls it.
 */
#ifndef WPY_NOW_H
#define WPY_NOW_H

#include "include/wpy.h"

/* runtime/table.c. WPY_RANGE: no such element. WPY_NO_MEMORY: beyond the maximum, or what there is.
 */
int wpy_table_get_now(wpy_table *table, uint32_t index, uint32_t *out);
int wpy_table_set_now(wpy_table *table, uint32_t index, uint32_t ref);
int wpy_table_grow_now(wpy_table *table, uint32_t delta, uint32_t init, uint32_t *old_size);

/* runtime/global.c. Values are the cells of the type, 16 bytes of room. */
int wpy_global_get_now(wpy_global *global, void *cells);
int wpy_global_set_now(wpy_global *global, const void *cells);

/* runtime/refs.c. The number of a function that comes into `object`, whose group keeps it from now
   on; WPY_BUSY also where that means to merge two groups. */
int wpy_retain_reference_now(void *object, wpy_func *func, uint32_t *ref);

/* runtime/refs.c. What stands for a function outside of our C, borrowed; NULL: nothing. Under the
   GIL. Whoever sets it has a handle on the function, and sets it to NULL before giving that back.
   For wpy_ref_object the caller must hold something of the group the reference came from. */
void *wpy_func_object(const wpy_func *func);
void wpy_func_set_object(wpy_func *func, void *object);
void *wpy_ref_object(uint32_t ref);

#endif
