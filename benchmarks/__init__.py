"""Benchmarks: wamr beside wasmtime-py and pywasm3, in one process and one run.

    $ make bench                                   # everything but the installation
    $ python -m benchmarks --quick calls host.add  # some lines, roughly
    $ python -m benchmarks --json new.json --compare old.json
    $ python -m benchmarks --install               # and how long `pip install .` takes

They need the extra `wamr[bench]`. A peer that is not installed is shown as "-"; wasmtime-py is
needed in any case, since it turns our module text into bytes.

A line is one thing measured for everybody who can do it (lines.py), with the goal that we have for
it. timing.py measures: all contenders of a line in turns, minimum and median of many rounds, the
cost of the loop removed. peers.py knows how each engine is spoken to; report.py makes the table and
the JSON. The lines themselves are in a module per concept: calls, host, modules, memory, threads,
startup, programs, compute and install.

On a machine with other work, believe minima and ratios: they differ by a few percent from run to
run where times differ by half. Nothing here asserts a time.
"""
