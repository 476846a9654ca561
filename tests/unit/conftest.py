"""Fixtures of several test files of this folder."""

import pytest
from reentrant_instances import World

from wamr import Limits, Memory, MemoryType


@pytest.fixture
def memory(store):
    return Memory(store, MemoryType(Limits(1, 3)))


@pytest.fixture
def world(store):
    return World(store)
