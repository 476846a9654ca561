"""Messages of interpreters: decoded within bounds, and found among other output."""

from __future__ import annotations

import json
import random
import sys
from contextlib import suppress

import pytest

from wamr.sandbox import RunLimits
from wamr.sandbox._channel import Channel, LimitReached
from wamr.sandbox._json import MAX_DEPTH, MessageError, decode, encode


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"1",
        b"null",
        b'"x"',
        b"{}x",
        b"{'a': 1}",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": 1, "a": 2}',
        b'{"a": {"b": 1, "b": 1}}',
        b"\xff",
        b'{"a": "\xff"}',
        b'{"a": "\xed\xa0\x80"}',
        b'{"a": "\\ud800"}',
        b'{"\\udfff": 1}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": 1e' + b"9" * 5000 + b"}",
        b'{"a": 1e999}',
        b'{"a": -1E+0309}',
        b'{"a": ' + b"9" * 250 + b"e99}",
        b'{"a": ' + b"9" * 400 + b".0}",
        b'{"a": ' + b"[" * 200 + b"]" * 200 + b"}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"a": "\x01"}',
        b'{"a": 01}',
        b'{"a": .5}',
    ],
)
def test_what_is_no_message_is_refused(data):
    with pytest.raises(MessageError):
        decode(data)


def test_texts_may_have_many_digits():
    assert decode(b'{"value": "' + b"7" * 5000 + b'"}') == {"value": "7" * 5000}


@pytest.mark.parametrize(
    "value", ["1" * 5000, "1e999", {"2" * 5000: 1}, 10**4299, -(10**4000), 1.7e308, 5e-324, 1e100]
)
def test_texts_that_look_like_numbers_and_large_numbers_are_accepted(value):
    assert decode(encode({"value": value}))["value"] == value


def test_a_number_is_bounded_whatever_the_host_allows():
    digits = getattr(sys, "set_int_max_str_digits", None)
    if digits is not None:
        before = sys.get_int_max_str_digits()
        digits(0)
    try:
        with pytest.raises(MessageError):
            decode(b'{"a": ' + b"9" * 5000 + b"}")
    finally:
        if digits is not None:
            digits(before)


def test_a_message_as_deep_as_values_may_be_is_accepted():
    value: object = 1
    for _ in range(MAX_DEPTH):
        value = [value]
    assert decode(encode({"value": value}))["value"] == value
    with pytest.raises(ValueError, match="nested too deeply"):
        encode([[value]])


@pytest.mark.parametrize(
    "value",
    [
        {1, 2},
        b"x",
        {1: 2},
        {"a": {None: 1}},
        [{(): 1}],
        object(),
        float("nan"),
        "\ud800",
        {"\ud800": 1},
        1j,
        None.__class__,
    ],
)
def test_what_is_no_json_is_not_encoded(value):
    with pytest.raises((TypeError, ValueError)):
        encode(value)


def test_a_value_that_contains_itself_is_not_encoded():
    value: list[object] = []
    value.append(value)
    with pytest.raises(ValueError, match=r"[Cc]ircular"):
        encode(value)


def test_random_bytes_are_never_another_error():
    rng = random.Random(7)
    texts = [
        b'{"value":[1,2.5,{"a":"x\\u00e9"}],"exception":null}',
        b'{"call":"f","args":[],"kwargs":{}}',
    ]
    for _ in range(3000):
        data = bytearray(rng.choice(texts))
        for _ in range(rng.randrange(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        with suppress(MessageError):
            assert isinstance(decode(bytes(data)), dict)


def channel(**limits: int) -> tuple[Channel, bytes]:
    made = Channel()
    made.begin(RunLimits(**limits))
    return made, made.marker


def test_messages_are_found_however_they_are_cut():
    data = {"value": "x\n" * 20}
    for size in (1, 2, 3, 7, 50, 10_000):
        made, marker = channel()
        stream = b"before" + marker + json.dumps(data).encode() + b"\nafter" + marker[:9]
        for at in range(0, len(stream), size):
            made.write_stderr(stream[at : at + size])
        assert made.messages == [data], size
        assert made.texts() == ("", "beforeafter" + marker[:9].decode())


def test_the_marker_of_another_run_is_output():
    made, old = channel()
    made.begin(RunLimits())
    made.write_stderr(old + b"{}\n")
    assert made.messages == []
    assert made.texts()[1] == (old + b"{}\n").decode()


def test_markers_are_random():
    assert len({channel()[1] for _ in range(100)}) == 100


def test_a_second_message_before_the_answer_is_refused():
    made, marker = channel()
    with pytest.raises(MessageError, match="follows one that has no answer"):
        made.write_stderr((marker + b"{}\n") * 2)


def test_endless_messages_are_limited():
    made, marker = channel(output=1000, tool_bytes=1000)
    made.write_stderr(marker)
    with pytest.raises(LimitReached):
        for _ in range(10_000):
            made.write_stderr(b"x" * 10)


def test_markers_without_messages_cost_no_more_than_they_are_long():
    made, marker = channel(output=100_000, tool_bytes=1000)
    with pytest.raises((LimitReached, MessageError)):
        for _ in range(10_000):
            made.write_stderr(marker)


def test_what_is_fed_is_read_in_pieces_and_then_it_waits():
    made, _ = channel()
    assert made.read(5) is None
    made.send(b"abcdef")
    assert [made.read(4), made.read(100), made.read(1)] == [b"abcd", b"ef\n", None]
