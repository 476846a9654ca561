/* externref_collection.h: drops the objects behind externrefs that nothing refers to any more. */
#ifndef WPY_EXTERNREF_COLLECTION_H
#define WPY_EXTERNREF_COLLECTION_H

#include "cpython/externref_slots.h"

/* collection(mark): goes on with the collection of this table, or begins one, as far as possible
 * without waiting. `mark(count)` returns a bytes object with one byte for each reference below
 * `count`, which is not 0 where wasm code can reach the reference; or None if it can't tell now.
 * At the end of the collection, returns a list of the objects that were dropped, so that their
 * destructors run in the caller. Returns None if a later call has to go on. An exception of `mark`
 * ends the collection. */
PyObject *wpy_externrefs_collection(PyObject *table, PyObject *mark);

/* Sets the number of objects at which a collection is due. Under the table's lock. */
void wpy_externrefs_set_limit(ExternrefTableBase *table, uint32_t limit);

#endif
