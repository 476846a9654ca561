"""Explanations in error messages. This package is imported when there is an error to explain.

`refused` and `too_large` explain why WAMR rejected a module, `unmet` and `abis` which imports don't
match. They read modules with `sections`, `instructions`, `reader` and `names`, and describe
features with `proposals`. `wamr inspect` reads modules with the same code. No C is called here.
"""
