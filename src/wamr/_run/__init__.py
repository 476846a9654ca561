"""`wamr.run`: running a WASI program as `subprocess.run` runs a native one."""
