"""Fixtures of the system tests: real processes over real sockets."""

import pytest

from tools.csms import CentralSystem
from tools.sim import Charger
from tools.sim import Charger


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.when == "call":
        item.stash[_FAILED] = report.failed
    return report


_FAILED = pytest.StashKey[bool]()


@pytest.fixture
def csms():
    """A central system that accepts everybody and writes down what breaks the protocol."""
    with CentralSystem() as system:
        yield system


@pytest.fixture
def make_charger(csms, tmp_path, request):
    """A function that starts a simulated charger at `csms`: its arguments are those of tools.sim.Charger.

    When the test fails, what the chargers have logged is printed.
    """
    chargers = []

    def make(**options):
        directory = tmp_path / f"charger{len(chargers) + 1}"
        charger = Charger(csms.url, **{"identity": directory.name, "directory": directory, **options})
        chargers.append(charger)
        return charger.start()

    yield make
    for charger in chargers:
        if request.node.stash.get(_FAILED, False):
            print(f"log of {charger.directory.name}:\n{charger.output()}")
        charger.close()


@pytest.fixture
def charger(make_charger):
    """A simulated charger as delivered, in real time, that the central system has accepted."""
    charger = make_charger()
    charger.wait_boot()
    return charger


@pytest.fixture
def start_charger():
    """Starts chargers: takes the arguments of tools.sim.Charger; all of them end with the test."""
    chargers = []

    def start(*args, **kwargs):
        charger = Charger(*args, **kwargs)
        chargers.append(charger)
        return charger.start()

    yield start
    for charger in chargers:
        charger.close()


@pytest.fixture
def charger(csms, start_charger):
    """A charger with one socket that `csms` has accepted."""
    charger = start_charger(csms.url)
    charger.wait_boot()
    return charger
