"""The command line, with a module for each command: run, inspect, validate, bench.

`command` selects the command. The commands share `options`, `values`, `source` and `output`. They
use the public interface of the package, except that `inspect` reads modules with `_diagnosis`.
"""
