"""Conversion between Python objects and the values of WebAssembly, references included."""
