"""A `world` for each test: an engine, a store and an instance of one module with a bit of
everything.
"""

import pytest
from capi import World


@pytest.fixture
def world(wat):
    made = World(wat)
    yield made
    made.close()


@pytest.fixture
def store(world):
    return world.store
