/* externref_collection.h: drops the objects behind externrefs that nothing refers to any more. */
#ifndef WPY_EXTERNREF_COLLECTION_H
#define WPY_EXTERNREF_COLLECTION_H

#include "cpython/externref_slots.h"

/* collection(mark): goes on with the collection of this table, or begins one, as far as possible
 * without waiting. `mark(count)` returns bytes, which are not 0 for the references below `count`
 * that wasm code can reach, or None: not now. Returns a list of the objects that were dropped, if
 * the collection has come to its end, so that their destructors run in the caller; None if later
 * calls have to go on with it. An exception of `mark` ends the collection. */
PyObject *wpy_externrefs_collection(PyObject *table, PyObject *mark);

/* Sets the number of objects at which a collection is due. Under the table's lock. */
void wpy_externrefs_set_limit(ExternrefTableBase *table, uint32_t limit);

#endif
