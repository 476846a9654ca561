"""Wasm code computes with floats as the specification says, whatever the thread has set.

How is told in src/wamr/_native/floating.h, the one file of ours that the interpreter includes.
"""

from __future__ import annotations

from . import Cure

_INTERPRETER = "core/iwasm/interpreter/wasm_interp_fast.c"
_EXEC_ENV = "core/iwasm/common/wasm_exec_env.h"
_TESTS = "tests/numeric/test_environment.py::"
_TEST = _TESTS + "test_code_computes_the_same_in_any_environment"

CURES: tuple[Cure, ...] = (
    Cure(
        name="floating",
        file=_EXEC_ENV,
        expect="""\
    /* The WASM stack size */
    uint32 wasm_stack_size;
""",
        replace="""\
    /* The WASM stack size */
    uint32 wasm_stack_size;

    /* How floats are computed outside of the interpreter; 0: as within */
    uint32 floats_outside;
""",
        why="Calls out of the interpreter find there what they are to see.",
        test=_TEST,
    ),
    Cure(
        name="floating",
        file=_INTERPRETER,
        expect="""\
#include "../common/wasm_exec_env.h"
#if WASM_ENABLE_GC != 0
""",
        replace="""\
#include "../common/wasm_exec_env.h"
#include "floating.h"
#if WASM_ENABLE_GC != 0
""",
        why="Control words of processors.",
        test=_TEST,
    ),
    Cure(
        name="floating",
        file=_INTERPRETER,
        expect="""\
        wasm_interp_call_func_bytecode(module_inst, exec_env, function, frame);
    }
""",
        replace="""\
        exec_env->floats_outside = wpy_floats_enter();
        wasm_interp_call_func_bytecode(module_inst, exec_env, function, frame);
        wpy_floats_leave(exec_env->floats_outside);
    }
""",
        why="Code computed with the rounding and the flushing of subnormals of the thread that "
        "called it, and an exception that was not masked there killed the process.",
        test=_TEST,
    ),
    Cure(
        name="floating",
        file=_INTERPRETER,
        expect="""\
                wasm_interp_call_func_native(module, exec_env, cur_func,
                                             prev_frame);
""",
        replace="""\
                wpy_floats_leave(exec_env->floats_outside);
                wasm_interp_call_func_native(module, exec_env, cur_func,
                                             prev_frame);
                exec_env->floats_outside = wpy_floats_enter();
""",
        why="A host function computes as its thread does, and may set what it likes.",
        test=_TESTS + "test_a_host_function_has_its_own_environment",
    ),
)
