"""Recognition of the ABI that imports belong to by their names, with advice.

Modules with names like WASI's are in `_base.wasi`.
"""

from __future__ import annotations

import re

from .._base.printable import printable_import

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..types import ImportType

_WASIP1 = "for WASI preview 1 (wasm32-wasip1)"
_STANDALONE = "-sSTANDALONE_WASM makes a module that needs WASI only, where the program allows it"
_LINK_OBJECT = "link it with wasm-ld, or leave out clang's -c"
_LINK_LIBRARY = "link it into a whole module, without -shared or -sSIDE_MODULE"

_EMSCRIPTEN_NAMES = (
    r"_?emscripten_\w+|_?_emscripten_\w+|invoke_[vijfdpe]+|_?_embind_\w+|_?_emval_\w+|"
    r"_?__cxa_(throw|begin_catch|end_catch|rethrow|find_matching_catch\w*|allocate_exception)|"
    r"_?__syscall_\w+|_(abort|tzset|mmap|munmap|msync|localtime|gmtime|mktime|timegm)_js|"
    r"getTempRet0|setTempRet0|__resumeException|llvm_eh_typeid_for|_?__assert_fail"
)

# Patterns for module and name, the ABI, and advice. The first match counts.
_ABIS = (
    (
        r"env",
        _EMSCRIPTEN_NAMES,
        "Emscripten's, which its JavaScript provides",
        _STANDALONE,
    ),
    (
        r"gojs|go",
        r"runtime\.\w+|syscall/js\.\w+|debug",
        "Go's for JavaScript (GOOS=js, or TinyGo's -target=wasm)",
        "compile with GOOS=wasip1, or TinyGo's -target=wasip1",
    ),
    (
        r"wbg|__wbindgen_\w+|\./\w+_bg\.js",
        r".*",
        "wasm-bindgen's, which its JavaScript provides",
        f"compile the crate without wasm-bindgen, {_WASIP1}",
    ),
    (r".*", r"__wbindgen_\w+|__wbg_\w+", "wasm-bindgen's, which its JavaScript provides", ""),
    (
        r"env",
        r"abort|trace|seed",
        "AssemblyScript's",
        "give functions of these types: abort's arguments are pointers to strings of UTF-16",
    ),
    (
        r"GOT\.(mem|func)",
        r".*",
        "a shared library's, which is linked when it is loaded",
        _LINK_LIBRARY,
    ),
    (
        r"env",
        r"__memory_base|__table_base",
        "a shared library's, which is linked when it is loaded",
        _LINK_LIBRARY,
    ),
    (
        r"env",
        r"__linear_memory|__indirect_function_table|__stack_pointer",
        "an object file's",
        _LINK_OBJECT,
    ),
    (r"wasm:.*", r".*", "JavaScript's built-in functions, which engines in browsers have", ""),
    (r"js_code|dart2wasm", r".*", "a JavaScript runtime's, of Kotlin or Dart", ""),
    (r"javascript_kit", r".*", "JavaScriptKit's, which its JavaScript provides", ""),
    (r"spectest", r".*", "those of WebAssembly's test suite", "define what it uses of it"),
)
_MIN_SHORT = 5  # imports a.a, a.b, …, as evidence of shortened names
_ASSEMBLYSCRIPT = {  # common names, recognized with these types only
    "abort": "(i32, i32, i32, i32) -> ()",
    "seed": "() -> f64",
}


def recognize_abis(wanted: Iterable[ImportType], custom: Iterable[str] = ()) -> list[str]:
    """Return a sentence for each ABI that some of these imports belong to.

    custom: the names of the module's custom sections.
    """
    found: dict[str, tuple[list[str], str]] = {}
    if "linking" in custom:
        found["an object file's"] = ([], _LINK_OBJECT)
    wanted = list(wanted)
    short = [f"{each.module}.{each.name}" for each in wanted if re.fullmatch(r"\w\w?", each.name)]
    if len(short) >= _MIN_SHORT and all(each.module == "a" for each in wanted):
        found["Emscripten's, it seems, with shortened names (-O2 and above)"] = (short, _STANDALONE)
    for each in wanted:
        for module, name, abi, advice in _ABIS:
            if re.fullmatch(module, each.module) and re.fullmatch(name, each.name):
                if abi == "AssemblyScript's" and _ASSEMBLYSCRIPT.get(each.name) != str(each.type):
                    continue
                names, _ = found.setdefault(abi, ([], advice))
                names.append(printable_import(each.module, each.name))
                break
    return [_sentence(abi, names, advice) for abi, (names, advice) in found.items()]


def _sentence(abi: str, names: list[str], advice: str) -> str:
    if not names:
        said = "the module is an object file (it has the custom section 'linking')"
    elif len(names) == 1:
        said = f"{names[0]} is {abi}"
    else:
        said = f"{len(names)} of them, such as {names[0]}, are {abi}"
    return f"{said}: {advice}" if advice else said
