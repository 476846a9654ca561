"""What threads share, used by many threads at once: one function for each kind of object.

Each takes the number of threads and how often each thread repeats its part, and asserts that every
thread has got its own values and nobody else's. tests/stress runs them. The script
tools/prove/freethreaded.bash runs each in a process of its own, under ThreadSanitizer, with the
locks of src/native/cpython and without them. `GUARDS` says which file of it has the lock that the
function is about.

    python tests/support/shared_by_threads.py NAME THREADS TIMES
"""

from __future__ import annotations

import faulthandler
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import shared_instances
import shared_references

# The function -> the file of src/native/cpython whose lock it is about; None: of no lock there.
GUARDS: dict[Callable[[int, int], None], str | None] = {
    shared_references.externrefs: "externrefs.c",
    shared_references.reference_slots: "passing_refs.c",
    shared_references.objects_that_end: "externref_collection.c",
    shared_references.host_functions: "host_registry.c",
    shared_references.one_host_function: None,
    shared_references.functions_of_references: None,
    shared_references.functions_that_end: "callable_base.c",
    shared_references.rings_of_functions: "reference_slot.c",
    shared_references.attributes_of_functions: "callable_base.c",
    shared_references.exports: None,
    shared_instances.memories: "memory.c",
    shared_instances.closed_memories: "memory.c",
    shared_instances.modules: None,
    shared_instances.stores: None,
    shared_instances.exceptions: None,
    shared_instances.executions: None,
    shared_instances.snapshots: None,
    shared_instances.programs: None,
    shared_instances.deferred_releases: None,
    shared_instances.c_api: None,
}
BY_NAME = {function.__name__: function for function in GUARDS}


def main(name: str, threads: str, times: str) -> None:
    faulthandler.enable()
    BY_NAME[name](int(threads), int(times))
    is_enabled: Callable[[], bool] = getattr(sys, "_is_gil_enabled", lambda: True)
    print(name, "right, GIL", "on" if is_enabled() else "off")


if __name__ == "__main__":
    main(*sys.argv[1:])
