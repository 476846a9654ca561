"""The one check that stops wasm code: a countdown at every branch and call.

WAMR checks a flag at these places, compiled in only with its thread manager, which brings
signals, locks and clusters along. We turn the places on without it: the check counts a number in
the exec_env down, and only below zero the code leaves the fast path, for ``wamrpy.checkpoint``
(src/wamr/_native/checkpoint.c). It says there what may stop the code, and how the counting goes.
What takes long between two such places counts as more (``long_work``).
"""

from __future__ import annotations

from . import Cure

_INTERPRETER = "core/iwasm/interpreter/wasm_interp_fast.c"
_EXEC_ENV = "core/iwasm/common/wasm_exec_env.h"
_TEST = "tests/regressions/test_checkpoint.py::test_endless_loop_is_stopped"

CURES: tuple[Cure, ...] = (
    Cure(
        name="checkpoint",
        file=_EXEC_ENV,
        expect="""\
    /* Used to terminate or suspend current thread */
    WASMSuspendFlags suspend_flags;
""",
        replace="""\
    /* Counts checks down; below zero: so many are not paid yet. In the place
       that AOT code knows as its flags */
    union {
        WASMSuspendFlags suspend_flags;
        int32 fuel;
    };
""",
        why="The countdown, at an offset that compiled code knows already.",
        test=_TEST,
    ),
    Cure(
        name="checkpoint",
        file=_INTERPRETER,
        expect="""\
#if WASM_ENABLE_THREAD_MGR != 0
#define CHECK_SUSPEND_FLAGS()                               \\
    do {                                                    \\
        WASM_SUSPEND_FLAGS_LOCK(exec_env->wait_lock);       \\
        if (WASM_SUSPEND_FLAGS_GET(exec_env->suspend_flags) \\
            & WASM_SUSPEND_FLAG_TERMINATE) {                \\
            /* terminate current thread */                  \\
            WASM_SUSPEND_FLAGS_UNLOCK(exec_env->wait_lock); \\
            return;                                         \\
        }                                                   \\
        /* TODO: support suspend and breakpoint */          \\
        WASM_SUSPEND_FLAGS_UNLOCK(exec_env->wait_lock);     \\
    } while (0)
#endif
""",
        replace="""\
/* From here on in this file the macro only turns on the places of the check:
   what else depends on it below reads the memory's size once more. */
#undef WASM_ENABLE_THREAD_MGR
#define WASM_ENABLE_THREAD_MGR 1
#define CHECK_SUSPEND_FLAGS() WAMRPY_COUNT(1)
#define WAMRPY_COUNT(checks)                                            \\
    do {                                                                \\
        if (__builtin_expect((exec_env->fuel -= (checks)) < 0, 0)) {    \\
            SYNC_ALL_TO_FRAME();                                        \\
            if (wamrpy.checkpoint && !wamrpy.checkpoint(exec_env))      \\
                goto got_exception;                                     \\
            if (memory) /* a signal handler may have made it grow */    \\
                linear_mem_size = GET_LINEAR_MEMORY_SIZE(memory);       \\
        }                                                               \\
    } while (0)
""",
        why="One decrement on the fast path serves timeouts, fuel, Ctrl-C and interruption.",
        test=_TEST,
    ),
)
