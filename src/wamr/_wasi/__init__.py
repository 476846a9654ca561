"""WASI: the configuration of a program, and its standard streams."""
