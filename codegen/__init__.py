"""What `build_ffi.py` generates from: the header of WAMR in, declarations for cffi and Python
modules out.
"""
