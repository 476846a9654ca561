"""Cures of what WAMR's interpreter leaves behind when its stack is full.

Such a call ends with a trap, and the instance goes on to be called. Both are fit for a report
upstream.
"""

from __future__ import annotations

from . import Cure

_INTERPRETER = "core/iwasm/interpreter/wasm_interp_fast.c"
_TESTS = "tests/regressions/test_full_stack.py::"

CURES: tuple[Cure, ...] = (
    Cure(
        name="entry-frame-stays",
        file=_INTERPRETER,
        expect="""\
        wasm_set_exception((WASMModuleInstance *)exec_env->module_inst,
                           "wasm operand stack overflow");
        return;
    }

    if (argc > 0)
""",
        replace="""\
        wasm_set_exception((WASMModuleInstance *)exec_env->module_inst,
                           "wasm operand stack overflow");
        FREE_FRAME(exec_env, frame);
        return;
    }

    if (argc > 0)
""",
        why="A call from the host whose arguments do not fit left a frame on the stack each time; "
        "after some of them no function of the instance could be called any more.",
        test=_TESTS + "test_arguments_that_do_not_fit_leave_nothing_on_the_stack",
    ),
    Cure(
        name="tail-caller-is-gone",
        file=_INTERPRETER,
        expect="""\
                frame = prev_frame;
                goto got_exception;
            }

            /* Initialize the interpreter context. */
""",
        replace="""\
                frame = prev_frame;
                if (is_return_call)
                    frame_ip = frame->ip;
                goto got_exception;
            }

            /* Initialize the interpreter context. */
""",
        why="A tail call that does not fit wrote how far its caller had come, whose frame is gone, "
        "into the frame before it.",
        test=_TESTS + "test_a_tail_call_that_does_not_fit_leaves_the_frames_as_they_were",
    ),
)
