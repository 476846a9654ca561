"""Benchmarks: wamr compared with wasmtime-py, pywasm3, extism and wasmer, in one process and run.

    $ make bench                                   # everything but the installation
    $ python -m benchmarks --quick calls host.add  # some lines, roughly
    $ python -m benchmarks --json new.json --compare old.json
    $ python -m benchmarks --plot docs/benchmarks.svg
    $ python -m benchmarks --install               # and how long `pip install .` takes

They need the extra `wamr[bench]`. An engine that is not installed has no column; the output begins
with a list of these and the reasons (docs/benchmarks.md has more). "-" marks a measurement that an
engine doesn't support. wasmtime-py is always needed, since it converts module text to bytes.

A line is one measurement for all engines that support it (lines.py), with a goal for this package.
timing.py measures all engines of a line in turns: minimum and median of many rounds, without the
cost of the loop. peers.py and optional.py adapt the engines, installed.py has those that are
installed; report.py prints the table and writes the JSON; plot.py draws it. The lines are in one
module for each concept: calls, host, modules, memory, references, threads, startup, programs,
micropython, compute, scaling and install.

On a busy machine, trust minima and ratios: they differ by a few percent from run to run, where
times differ by half. No duration is asserted.
"""
