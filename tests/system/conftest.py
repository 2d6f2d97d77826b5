"""Fixtures of the system tests: real processes over real sockets."""

import pytest

from tools.csms import CentralSystem


@pytest.fixture
def csms():
    """A central system that accepts everybody and writes down what breaks the protocol."""
    with CentralSystem() as system:
        yield system
