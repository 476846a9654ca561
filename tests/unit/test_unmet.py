"""Errors for missing imports: all of them, similar names, and which toolchain they come from."""

from difflib import get_close_matches

import pytest

from wamr import (
    Instance,
    Limits,
    Linker,
    LinkError,
    Memory,
    MemoryType,
    Module,
    Store,
    WasiConfig,
)


@pytest.fixture
def said(store):
    """Return the text of the LinkError for a module of these imports."""

    def refused(imports, given=None, **named):
        module = Module(store, f"(module {imports})")
        with pytest.raises(LinkError) as caught:
            Instance(store, module, given, **named)
        return str(caught.value)

    return refused


def functions(count, module="env"):
    return " ".join(f'(import "{module}" "f{i}" (func (param i32)))' for i in range(count))


LOG = '(import "env" "log" (func (param i32)))'
MISSING = "import env.log is missing: it is a function (i32) -> ()"


# ------------------------------------------------------------------ all of them
def test_one_is_told_in_one_line(said):
    assert said(LOG, {"env": {}}) == MISSING
    assert said(LOG) == f"{MISSING}; nothing is given for the module 'env'"


def test_of_forty_ten_are_told_and_the_rest_counted(said):
    lines = said(functions(38) + functions(2, "far"), {"env": {}}).split("\n")
    assert lines[0] == "of 40 imports, 40 are missing:"
    assert lines[1:11] == [
        f"  import env.f{i} is missing: it is a function (i32) -> ()" for i in range(10)
    ]
    assert lines[11] == "  and 30 more: 28 of 'env', 2 of 'far'"
    assert lines[12:] == ["nothing is given for the module 'far'"]


def test_similar_names_are_looked_for_only_for_those_that_are_told(said, monkeypatch):
    looked = []

    def counted(word, *rest):
        looked.append(word)
        return get_close_matches(word, *rest)

    monkeypatch.setattr("difflib.get_close_matches", counted)
    assert "'f00' is given: did you mean 'f0'?" in said(functions(500), {"env": {"f00": None}})
    assert looked == [f"f{i}" for i in range(10)]


def test_ten_are_all_told(said):
    text = said(functions(10), {"env": {}})
    assert text.count("\n") == 10
    assert "more" not in text


def test_what_is_met_is_not_told(said):
    text = said(functions(3), {"env": {"f1": lambda x: None}})
    assert text.split("\n")[0] == "of 3 imports, 2 are missing:"
    assert "f1" not in text


def test_what_does_not_match_is_told_with_what_is_missing(said, store):
    text = said(
        '(import "env" "m" (memory 2)) (import "env" "a" (func)) (import "env" "b" (func))',
        {"env": {"m": Memory(store, MemoryType(Limits(1)))}},
    )
    assert text == (
        "of 3 imports, 2 are missing and 1 does not match:\n"
        "  import env.m must be a memory of at least 2 pages, not a memory of at least 1 page\n"
        "  import env.a is missing: it is a function () -> ()\n"
        "  import env.b is missing: it is a function () -> ()"
    )


def test_what_is_no_import_at_all_is_a_type_error_as_before(store):
    module = Module(store, functions(2).join(["(module ", ")"]))
    with pytest.raises(TypeError, match=r"import env\.f0 must be a Func.* not int"):
        Instance(store, module, {"env": {"f0": 3}})
    with pytest.raises(LinkError, match=r"import env\.f0 is missing"):
        Instance(store, module, {"env": {"f1": 3}})
    module = Module(store, f"(module {functions(1)} {functions(1, 'far')})")
    with pytest.raises(LinkError, match=r"import env\.f0 is missing"):
        Instance(store, module, {"far": 3})


def test_a_sequence_that_is_too_short_or_long_is_told_what_there_is(said):
    assert said(functions(2), []) == "the module has 2 imports, not 0: env.f0, env.f1"
    text = said(functions(12), [None])
    assert text.endswith("env.f8, env.f9, …")
    assert said("", [None]) == "the module has 0 imports, not 1"


def test_a_linker_tells_the_same():
    linker = Linker(Store())
    linker.define("env", "lgo", print)
    with pytest.raises(LinkError, match="'lgo' is given: did you mean 'log'"):
        linker.instantiate(Module(linker.engine, f"(module {LOG})"))


def test_a_name_can_not_make_lines_of_its_own(said):
    text = said('(import "env" "a\\0ab" (func)) (import "env" "c" (func))', {"env": {}})
    assert text.split("\n")[1] == r"  import env.a\nb is missing: it is a function () -> ()"


# ------------------------------------------------------------------ similar names
@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ({"env": {"lgo": print}}, "'lgo' is given: did you mean 'log'?"),
        ({"env": {"Log": print}}, "'Log' is given: did you mean 'log'?"),
        (
            {"evn": {"x": print}},
            "nothing is given for the module 'env' ('evn' is given: did you mean 'env'?)",
        ),
        ({"log": print}, "'log' is given: imports={'env': {'log': …}} has the item in its module"),
        ({"env.log": print}, "'env.log' is given: imports={'env': {'log': …}} has the item in its"),
        ({("env", "log"): print}, "('env', 'log') is given: imports={'env': {'log': …}} has the"),
        ({"host": {"log": print}}, "'log' is given for 'host'; nothing is given for the"),
    ],
)
def test_a_name_that_comes_close_is_told(said, given, hint):
    assert hint in said(LOG, given)


@pytest.mark.parametrize("key", ["env.log", "log", ("env", "log")])
def test_an_item_without_its_module_is_not_said_to_be_like_a_module(said, key):
    assert "did you mean" not in said(LOG, {key: print})


def test_an_instance_has_names_too(said, store):
    exporter = Instance(store, Module(store, '(module (func (export "logg") (param i32)))'))
    assert "'logg' is given: did you mean 'log'?" in said(LOG, {"env": exporter})
    assert "'logg' is given: did you mean 'log'?" in said(LOG, {"env": exporter.exports})


@pytest.mark.parametrize("given", [{"env": {"quite_different": print}}, {"env": {3: print}}, {}])
def test_a_name_that_does_not_come_close_is_not_told(said, given):
    assert "did you mean" not in said(LOG, given)


# ------------------------------------------------------------------ WASI
def wasi(name, params, results="(result i32)"):
    return f'(import "wasi_snapshot_preview1" "{name}" (func (param {params}) {results}))'


def test_a_function_of_wasis_with_another_type_shows_both(said):
    text = said(wasi("fd_seek", "i32 i32"), wasi=WasiConfig())
    assert text == (
        "import wasi_snapshot_preview1.fd_seek is WASI's, which is a function "
        "(i32, i64, i32, i32) -> i32, not (i32, i32) -> i32"
    )


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("fd_seek", "i32 i32 i32 i32 i32"),
        ("fd_pread", "i32 i32 i32 i32 i32 i32"),
        ("clock_time_get", "i32 i32 i32 i32"),
    ],
)
def test_emscriptens_i64_in_two_halves_is_named(said, name, params):
    text = said(wasi(name, params), wasi=WasiConfig())
    assert f"import wasi_snapshot_preview1.{name} is WASI's" in text
    assert "Emscripten" in text
    assert "-sWASM_BIGINT or -sSTANDALONE_WASM" in text


def test_another_wrong_type_is_not_said_to_be_emscriptens(said):
    assert "Emscripten" not in said(wasi("fd_seek", "i32 i32 i32 i32"), wasi=WasiConfig())


def test_a_function_that_wasi_has_not_is_said_so(said):
    text = said(wasi("fd_seeek", "i32"), wasi=WasiConfig())
    assert text == (
        "import wasi_snapshot_preview1.fd_seeek is missing: WASI preview 1 has no such function"
    )


def test_without_a_configuration_wasi_is_asked_for_once(said):
    calls = wasi("fd_close", "i32") + wasi("fd_sync", "i32") + LOG
    text = said(calls, {"env": {"log": print}})
    assert text == (
        "wasi_snapshot_preview1.fd_close is WASI's, as is one other: give the instance a "
        "`wasi=WasiConfig(…)`"
    )


def test_a_right_type_is_met(store):
    module = Module(
        store, f'(module {wasi("fd_seek", "i32 i64 i32 i32")} (memory (export "memory") 1))'
    )
    Instance(store, module, wasi=WasiConfig())


# ------------------------------------------------------------------ toolchains
@pytest.mark.parametrize(
    ("module", "name", "type_", "whose", "advice"),
    [
        ("env", "invoke_vii", "(param i32 i32 i32)", "Emscripten's", "-sSTANDALONE_WASM"),
        ("env", "emscripten_resize_heap", "", "Emscripten's", "-sSTANDALONE_WASM"),
        ("env", "__cxa_throw", "", "Emscripten's", "-sSTANDALONE_WASM"),
        ("env", "__syscall_openat", "", "Emscripten's", "-sSTANDALONE_WASM"),
        ("gojs", "runtime.wasmExit", "(param i32)", "Go's for JavaScript", "GOOS=wasip1"),
        ("go", "syscall/js.valueGet", "(param i32)", "Go's for JavaScript", "GOOS=wasip1"),
        ("wbg", "__wbg_log_1746d5c7", "", "wasm-bindgen's", "without wasm-bindgen"),
        ("./hello_bg.js", "__wbindgen_throw", "", "wasm-bindgen's", "without wasm-bindgen"),
        ("env", "abort", "(param i32 i32 i32 i32)", "AssemblyScript's", "UTF-16"),
        ("env", "__memory_base", "", "a shared library's", "without -shared"),
        ("env", "__linear_memory", "", "an object file's", "wasm-ld"),
        ("wasm:js-string", "length", "", "JavaScript's", ""),
        ("spectest", "print", "", "WebAssembly's test suite", ""),
    ],
)
def test_an_abi_whose_names_are_unmistakable_is_named(said, module, name, type_, whose, advice):
    text = said(f'(import "{module}" "{name}" (func {type_}))')
    assert f"{module}.{name} is {whose}" in text or whose in text
    assert advice in text


def test_emscriptens_shortened_names_are_told_where_there_are_many(said):
    def letters(count):
        return " ".join(f'(import "a" "{name}" (func))' for name in "abcdefg"[:count])

    assert "Emscripten's, it seems, with shortened names" in said(letters(5))
    assert "Emscripten" not in said(letters(4))
    assert "Emscripten" not in said(letters(5) + LOG)


def test_several_of_one_abi_are_told_once(said):
    text = said('(import "env" "invoke_i" (func)) (import "env" "invoke_v" (func))')
    assert text.count("Emscripten") == 1
    assert "2 of them, such as env.invoke_i, are Emscripten's" in text


@pytest.mark.parametrize(
    ("module", "name", "type_"),
    [
        ("env", "abort", "(param i32)"),
        ("env", "invoke", ""),
        ("env", "trace", ""),
        ("host", "emscripten_resize_heap", ""),
        ("golang", "runtime.x", ""),
        ("env", "go", ""),
    ],
)
def test_a_name_that_anybody_may_use_is_nobodys(said, module, name, type_):
    text = said(f'(import "{module}" "{name}" (func {type_}))')
    assert text.endswith(f"nothing is given for the module '{module}'")


def test_an_object_file_is_told_by_its_custom_section(store, wat):
    text = '(module (import "env" "printf" (func)) (@custom "linking" "\\02"))'
    with pytest.raises(LinkError, match=r"the module is an object file .*: link it with wasm-ld"):
        Instance(store, Module(store, wat(text)))
