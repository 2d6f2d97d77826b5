"""Fixtures of the system tests: real processes over real sockets."""

import pytest

from tools.csms import CentralSystem
from tools.sim import Charger

# People wait between two presentations of a card; tests do not.
Charger.default_keys = {"ReswipeGuard": "0"}

_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.when == "call":
        item.stash[_FAILED] = report.failed
    return report


@pytest.fixture
def csms():
    """A central system that accepts everybody and writes down what breaks the protocol."""
    with CentralSystem() as system:
        yield system


@pytest.fixture
def start_charger(tmp_path, request):
    """A function that starts a simulated charger; its arguments are those of tools.sim.Charger.

    All of them end with the test. When the test fails, what they have logged is printed.
    """
    chargers = []

    def start(*args, **options):
        charger = Charger(*args, **{"directory": tmp_path / f"charger{len(chargers) + 1}", **options})
        chargers.append(charger)
        return charger.start()

    yield start
    for charger in chargers:
        if request.node.stash.get(_FAILED, False):
            print(f"log of {charger.directory.name}:\n{charger.output()}")
        charger.close()


@pytest.fixture
def charger(csms, start_charger):
    """A simulated charger as delivered, in real time, that `csms` has accepted."""
    charger = start_charger(csms.url)
    charger.wait_boot()
    return charger
