"""A `world` for each test: an engine, a store and an instance of one module with many exports.

After each test, all objects that it has left are deleted, and no handle may remain.
"""

import pytest
from capi import World
from capi_sweep import sweep


@pytest.fixture
def world(wat):
    made = World(wat)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _nothing_left():
    yield
    sweep()
