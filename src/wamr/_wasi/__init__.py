"""WASI programs: their configuration, their standard streams, and `run`."""
