"""The C API behind `wamr.ffi`. It tracks ownership: no mistake in Python crashes the process.

    handles.py           pointers to C objects: alive, owned, borrowed
    dead_handles.py      handles of objects that have ended
    ownership.py         objects that are deleted or handed over
    vectors.py           vectors, their data and their elements
    vector_ownership.py  vectors that are made, deleted or handed over
    stale.py             vectors of the caller whose data was freed
    arrays.py            the arrays that vectors are made from
    lists.py             conversion between vectors and lists
    arguments.py         checks of other arguments: numbers, text, structs
    engines.py, modules.py, functions.py, instances.py, objects.py
                         functions that aren't generated; codegen/wrappers.py has the reasons
    callbacks.py         Python functions that C calls
    helpers.py, texts.py functions beyond the header

The generated wrappers (_generated.py) consist of calls of these. Nothing here knows the object API.
"""
