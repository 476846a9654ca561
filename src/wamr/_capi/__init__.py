"""Behind `wamr.ffi`: who owns what in wasm-c-api, so that no mistake in Python crashes the process.

    handles.py    pointers to C objects: alive, dead, given away, borrowed
    ownership.py  what is deleted or given away
    vectors.py    the vectors and what they own
    stale.py      vectors of the caller whose data has gone
    arrays.py     the data that they are made from
    lists.py      vectors from and to lists
    arguments.py  everything else that a function takes: numbers, text, structs
    engines.py, modules.py, functions.py, objects.py
                  the functions written by hand, with the reasons in codegen/wrappers.py
    callbacks.py  Python functions that C calls
    helpers.py    what `wamr.ffi` offers beyond C

The generated wrappers (`wamr._procedural`) are made of calls into these. Nothing here knows the
classes.
"""
