"""WASI: sizes and counts that a guest may call as large as it likes, and answers that are no errno.

WAMR's wrappers answered -1 where they gave up. Mostly that is never seen, since a pointer that
leads out of the memory is a trap; where no trap was set, the guest got -1 in place of an errno.
All are fit for a report upstream.
"""

from __future__ import annotations

from . import Cure

_WRAPPER = "core/iwasm/libraries/libc-wasi/libc_wasi_wrapper.c"
_SOURCES = "core/iwasm/libraries/libc-wasi/sandboxed-system-primitives/src/"
_TESTS = "tests/wasi/test_extremes.py::"
_VECTORS = _TESTS + "test_vectors_without_number"
_VALID = _TESTS + "test_arrays_that_just_fit"

_SKIP = """\
    /* Those in front that hold nothing make no difference; of the others a
       system takes 1024 at once, and the rest is a short read or write. */
    for (; iovs_len > 1 && iovec_app->buf_len == 0; iovs_len--)
        iovec_app++;
    if (iovs_len > 1024)
        iovs_len = 1024;

"""
_TOO_MANY = """\
        return (wasi_errno_t)-1;
    if (iovs_len > MAX_VECTORS)
        return __WASI_EINVAL;

"""


def _vectors(kind: str, done: str, iovec: str, times: int) -> tuple[Cure, ...]:
    """Return the cures of the functions whose array's check is written in this way."""
    check = f"""\
    if (!validate_native_addr({done}, (uint64)sizeof(uint32))
"""
    overflow = "        || total_size >= UINT32_MAX\n"
    valid = f"        || !validate_native_addr({iovec}, total_size))\n"
    return (
        Cure(
            name="wasi-vectors",
            file=_WRAPPER,
            expect=check
            + overflow
            + valid
            + "        return (wasi_errno_t)-1;\n\n"
            + f"    total_size = sizeof({kind}) * (uint64)iovs_len;\n",
            replace=check
            + valid
            + _TOO_MANY
            + _SKIP
            + f"    total_size = sizeof({kind}) * (uint64)iovs_len;\n",
            why="2**29 vectors were no errno, 2**28 took 4 GiB of the host's memory, and more than "
            "1024 were refused by the system for some streams and not for others.",
            test=_VECTORS,
            times=times,
        ),
    )


def _instead(expect: str, replace: str, why: str, times: int = 1) -> Cure:
    return Cure("wasi-errnos", _WRAPPER, expect, replace, why, _VALID, times)


_NO_MEMORY = "An allocation of the host's failed, which has an errno."

CURES: tuple[Cure, ...] = (
    *_vectors("wasi_iovec_t", "nread_app", "iovec_app", 1),
    *_vectors("wasi_iovec_t", "nread_app", "(void *)iovec_app", 1),
    *_vectors("wasi_ciovec_t", "nwritten_app", "(void *)iovec_app", 2),
    Cure(
        name="wasi-vectors",
        file=_WRAPPER,
        expect="typedef struct WASIContext *wasi_ctx_t;\n",
        replace="""\
/* Looking at more would take long, and nothing could stop it. */
#define MAX_VECTORS (1u << 20)

typedef struct WASIContext *wasi_ctx_t;
""",
        why="See above.",
        test=_VECTORS,
    ),
    _instead(
        "    if (!wasi_ctx)\n        return (wasi_errno_t)-1;\n",
        "    if (!wasi_ctx)\n        return __WASI_EACCES;\n",
        "An instance without WASI answered with no errno; the functions of sockets say EACCES.",
        36,
    ),
    *(
        _instead(
            f"        || !({name} = wasm_runtime_malloc((uint32)total_size)))\n"
            "        return (wasi_errno_t)-1;\n",
            f"        || !({name} = wasm_runtime_malloc((uint32)total_size)))\n"
            "        return __WASI_ENOMEM;\n",
            _NO_MEMORY,
            times,
        )
        for name, times in (("argv", 1), ("environs", 1), ("iovec_begin", 2), ("ciovec_begin", 2))
    ),
    _instead(
        "            err = (wasi_errno_t)-1;\n",
        "            err = __WASI_EFAULT;\n",
        "A trap is set; who calls these functions from C sees an errno, too.",
        4,
    ),
    _instead(
        "        return (wasi_errno_t)-1;\n",
        "        return __WASI_EFAULT;\n",
        "The same for the other pointers.",
        20,
    ),
    _instead(
        "    total_size = sizeof(int32) * ((uint64)argc + 1);\n",
        "    total_size = sizeof(int32) * (uint64)argc;\n",
        "An array of pointers at the very end of the memory was a trap, as if one more were due.",
    ),
    _instead(
        "    total_size = sizeof(int32) * ((uint64)environ_count + 1);\n",
        "    total_size = sizeof(int32) * (uint64)environ_count;\n",
        "The same for the environment.",
    ),
    Cure(
        name="wasi-errnos",
        file=_SOURCES + "posix.c",
        expect="            return (__wasi_errno_t)-1;\n",
        replace="            return __WASI_ENOMEM;\n",
        why=_NO_MEMORY,
        test=_VALID,
    ),
    Cure(
        name="wasi-long-paths",
        file=_SOURCES + "str.c",
        expect="    /* Copy string */\n",
        replace="""\
    if (len > 65536) { /* no system takes such a path */
        errno = ENAMETOOLONG;
        return NULL;
    }

    /* Copy string */
""",
        why="A path of 2**32 - 1 bytes was copied to an allocation of none, and its last byte set "
        "4 GiB behind that.",
        test=_TESTS + "test_long_paths",
    ),
    Cure(
        name="wasi-clocks",
        file=_SOURCES + "posix.c",
        expect="""\
        else {
            out[0].error = __WASI_ENOTSUP;
        }
""",
        replace="""\
        else {
            return __WASI_EINVAL;
        }
""",
        why="A clock that there is not was ENOTSUP to poll_oneoff and EINVAL to clock_time_get.",
        test="tests/wasi/test_clocks.py::test_clocks_in_the_procedural_layer",
    ),
    Cure(
        name="wasi-clocks",
        file=_SOURCES + "posix.c",
        expect="            return convert_errno(out[0].error);\n",
        replace="            return out[0].error;\n",
        why="An errno of WASI was converted as if it were the system's.",
        test="tests/wasi/test_clocks.py::test_clocks_in_the_procedural_layer",
    ),
)
