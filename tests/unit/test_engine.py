"""Engines and their configuration; WAMR starts and stops in any order of destruction."""

import copy
import gc
import pickle
import weakref

import pytest
from collecting import collect_until

import wamr
from wamr import Config, Engine, Instance, Module, Store, UnavailableError, load
from wamr._runtime.engine import default_engine

ANSWER = '(module (func (export "answer") (result i32) (i32.const 42)))'


def test_a_store_has_the_engine_it_was_given():
    engine = Engine()
    assert Store(engine).engine is engine


def test_who_names_no_engine_shares_the_default_one():
    assert Store().engine is Store().engine is default_engine()
    assert load(ANSWER).store.engine is default_engine()


def test_engines_are_apart():
    one, other = Engine(), Engine()
    with pytest.raises(ValueError, match="module is of another engine than store"):
        Instance(Store(one), Module(other, ANSWER))


def test_a_module_serves_every_store_of_its_engine():
    engine = Engine()
    module = Module(engine, ANSWER)
    assert [Instance(Store(engine), module).exports.answer() for _ in range(3)] == [42] * 3


def test_nothing_that_lives_needs_the_engine_object():
    engine = Engine()
    module = Module(engine, ANSWER)
    answer = Instance(Store(engine), module).exports.answer
    gone = weakref.ref(engine)
    del engine, module
    gc.collect()
    assert gone() is not None  # kept by the store, which the function keeps
    assert answer() == 42
    del answer
    assert collect_until(lambda: gone() is None)


def test_engines_come_and_go():
    for _ in range(50):
        engine = Engine()
        assert Instance(Store(engine), Module(engine, ANSWER)).exports.answer() == 42


def test_config_is_what_was_given():
    assert Config().stack_bytes == 1 << 20
    config = Config(stack_bytes=8192)
    assert config.stack_bytes == 8192
    assert repr(config) == "Config(stack_bytes=8192)"
    assert Engine(config).config is config


def test_the_stack_of_the_config_is_the_stack_of_its_instances():
    text = """(module (func $f (export "f") (param i32) (result i32)
        (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 0))
            (else (i32.add (i32.const 1) (call $f (i32.sub (local.get 0) (i32.const 1))))))))"""
    small, large = Engine(Config(stack_bytes=16_384)), Engine(Config(stack_bytes=1 << 22))
    with pytest.raises(RecursionError, match="call stack exhausted"):
        Instance(Store(small), Module(small, text)).exports.f(10_000)
    assert Instance(Store(large), Module(large, text)).exports.f(10_000) == 10_000


@pytest.mark.parametrize("bytes_", [0, -1, 4095, (1 << 30) + 1, 1 << 100])
def test_a_stack_of_a_size_that_cannot_be_is_refused(bytes_):
    with pytest.raises(ValueError, match=f"stack_bytes must be from 4096 .*not {bytes_}"):
        Config(stack_bytes=bytes_)


@pytest.mark.parametrize("bytes_", [None, "4096", 8192.0, True])
def test_a_stack_of_a_wrong_kind_is_refused(bytes_):
    with pytest.raises(TypeError, match=f"stack_bytes must be an int, not {type(bytes_).__name__}"):
        Config(stack_bytes=bytes_)


def test_what_later_builds_may_have_is_named_and_unavailable(tmp_path):
    assert "aot" not in wamr.FEATURES
    with pytest.raises(UnavailableError, match=r'tier="auto" .*"aot" is not in wamr\.FEATURES'):
        Config(tier="auto")
    for cache_dir in (tmp_path, str(tmp_path)):
        with pytest.raises(UnavailableError, match=r'cache_dir .*"aot" is not in wamr\.FEATURES'):
            Config(cache_dir=cache_dir)
    plain = Config(tier="interpreter", cache_dir=None)
    assert (plain.tier, plain.cache_dir) == ("interpreter", None)
    assert plain == Config()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"tier": "jit"}, ValueError, 'tier must be "interpreter" or "auto", not \'jit\''),
        ({"tier": "Auto"}, ValueError, "tier must be .* not 'Auto'"),
        ({"tier": None}, TypeError, "tier must be a str, not NoneType"),
        ({"tier": 1}, TypeError, "tier must be a str, not int"),
        ({"cache_dir": 1}, TypeError, "cache_dir must be a path or None, not int"),
        ({"cache_dir": b"x"}, TypeError, "cache_dir must be a path or None, not bytes"),
        ({"cache_dir": 1, "tier": "auto"}, TypeError, "cache_dir must be a path or None"),
    ],
)
def test_other_tiers_and_caches_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        Config(**options)


def test_a_config_is_a_value():
    config = Config(stack_bytes=8192)
    assert config == Config(stack_bytes=8192) != Config()
    assert {config: 1}[pickle.loads(pickle.dumps(config))] == 1
    with pytest.raises(AttributeError, match="Config is immutable: can't set 'stack_bytes'"):
        config.stack_bytes = 0
    with pytest.raises(TypeError):
        Config(8192)


def test_an_engine_whose_making_failed_goes_quietly(capsys):
    class Failing(Engine):
        def __init__(self):
            raise OSError

    with pytest.raises(OSError):
        Failing()
    gc.collect()
    assert capsys.readouterr().err == ""


def test_what_to_do_about_two_engines_is_said():
    with pytest.raises(
        ValueError, match=r"of another engine .* Store\(engine\) and Module\(engine"
    ):
        Instance(Store(), Module(Engine(), ANSWER))


@pytest.mark.parametrize("config", [0, "x", Config, {}])
def test_an_engine_takes_a_config_only(config):
    with pytest.raises(
        TypeError, match=f"config must be a Config or None, not {type(config).__name__}"
    ):
        Engine(config)


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, pickle.dumps])
def test_an_engine_is_neither_copied_nor_pickled(how):
    engine = Engine()
    assert repr(engine) == "<wamr.Engine>"
    with pytest.raises(TypeError, match="an Engine cannot be copied or pickled"):
        how(engine)
