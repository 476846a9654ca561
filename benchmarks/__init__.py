"""Benchmarks: wamr beside wasmtime-py, pywasm3, extism and wasmer, in one process and one run.

    $ make bench                                   # everything but the installation
    $ python -m benchmarks --quick calls host.add  # some lines, roughly
    $ python -m benchmarks --json new.json --compare old.json
    $ python -m benchmarks --plot docs/benchmarks.svg
    $ python -m benchmarks --install               # and how long `pip install .` takes

They need the extra `wamr[bench]`. Who is not installed has no column, and is named first, with the
reason (docs/benchmarks.md has more); who can't do what a line asks for is shown as "-". wasmtime-py
is needed in any case, since it turns our module text into bytes.

A line is one thing measured for everybody who can do it (lines.py), with the goal that we have for
it. timing.py measures: all contenders of a line in turns, minimum and median of many rounds, the
cost of the loop removed. peers.py and optional.py know how each engine is spoken to; report.py
makes the table and the JSON, plot.py the picture. The lines themselves are in a module per concept:
calls, host, modules, memory, references, threads, startup, programs, guests, compute, scaling and
install.

On a machine with other work, believe minima and ratios: they differ by a few percent from run to
run where times differ by half. Nothing here asserts a time.
"""
