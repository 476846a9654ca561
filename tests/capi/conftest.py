"""A `world` for each test: an engine, a store and an instance of one module with many exports.

After each test, all that it has left is deleted, and nothing may be left in the books.
"""

import pytest
from capi import World, sweep


@pytest.fixture
def world(wat):
    made = World(wat)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _nothing_left():
    yield
    sweep()
