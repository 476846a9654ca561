"""Generates the declarations for cffi, and Python modules, from WAMR's header and ours."""
