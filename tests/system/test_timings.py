"""The station's deadlines, by the virtual time of its events, while everybody wants something of it at once.

What a busy host kept the process from running is not the station's and is taken off, as far as the host tells it.
"""

import threading
import time

import pytest
from host import held_ms

from tools.csms import CallFailed, CentralSystem
from tools.sim import Charger, ControlClient
from tools.sim.client import matches

TAGS = {1: "04A1B2C3", 2: "04D5E6F7"}
CAUSE_TO_EVENT_MS = 100
PREPARING_S = 1
AUTHORISED_TO_PWM_MS = 1000
OPEN_MS = 100  # IEC 61851-1 table A.6
REPLY_S = 0.1
RECONNECT_S = 3
VEHICLE_ANSWERS_S = 2
SUBSCRIBE_S = 5
_NOBODY_THERE = ("EHOSTUNREACH", "ECONNREFUSED")


class Load:
    """Control requests at 50 a second, every configuration key again and again, and a link that breaks."""

    def __init__(self, charger, csms):
        self._charger = charger
        self._csms = csms
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=run) for run in (self._ask, self._configure, self._break)]
        self.replies = []  # seconds
        self.reconnects = []

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc_info):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self):
        client = ControlClient("127.0.0.1", self._charger.port)
        while not self._stop.wait(0.02):
            began = time.monotonic()
            client.command("state")
            self.replies.append(time.monotonic() - began)
        client.close()

    def _configure(self):
        while not self._stop.wait(0.01):
            try:
                self._csms.call("GetConfiguration", timeout=2)
            except (ConnectionError, TimeoutError, CallFailed):
                self._stop.wait(0.05)  # the link is just broken

    def _break(self):
        while not self._stop.wait(2.5):
            ups = len(self._ups())
            began = time.monotonic()
            try:
                self._csms.abort()
            except ConnectionError:
                continue
            while len(self._ups()) == ups and time.monotonic() - began < 2 * RECONNECT_S:
                time.sleep(0.01)
            self.reconnects.append(time.monotonic() - began)

    def _ups(self):
        return [event for event in self._charger.events if matches(event, "ws", {"state": "up"})]


class Stopwatch:
    """Finds events that come after it was started."""

    def __init__(self, charger):
        self._charger = charger
        self._from = len(charger.events)
        self._held_ms = held_ms(charger.process.pid)

    def between(self, cause, effect):
        """Returns the milliseconds from one event to the other, without what the host took."""
        held = held_ms(self._charger.process.pid) - self._held_ms
        return max(0, effect["t"] - cause["t"] - held)

    def event(self, name, timeout=8, when=None, **fields):
        def found_in(events):
            return next((e for e in events if matches(e, name, fields) and (when is None or when(e))), None)

        def find():
            return found_in(self._charger.events[self._from :])

        found = self._charger.client.wait_for(find, timeout)
        assert found, f"no {name} {fields} in {self._charger.events[self._from :]}"
        return found


def _offers(pilot):
    return 0 < pilot["duty"] < 100


@pytest.fixture(scope="module")
def bench():
    """A station with two outlets that samples every second, and its central system."""
    config = {"hw": {"connectors": 2, "max_a": 64}}  # nobody waits for what the other yields
    with CentralSystem() as csms, Charger(csms.url, keys={"MeterValueSampleInterval": "1"}, config=config) as charger:
        charger.wait_boot()
        yield charger, csms


def test_every_deadline_is_kept_under_load(bench):
    """Plug to Preparing, authorisation to PWM, unplug to open contactor; replies and reconnects meanwhile."""
    charger, csms = bench
    opened = []
    with Load(charger, csms) as load:
        for _ in range(5):
            plugged = Stopwatch(charger)
            for n in (1, 2):
                began = time.monotonic()
                charger.plug(connector=n)
                cause = plugged.event("pilot", connector=n, volts=9.0)
                word = plugged.event("status", connector=n, status="Preparing")
                assert plugged.between(cause, word) <= CAUSE_TO_EVENT_MS
                assert time.monotonic() - began < PREPARING_S
            for n in (1, 2):
                shown = Stopwatch(charger)
                charger.swipe(TAGS[n], [n])
                authorised = shown.event("auth", token=TAGS[n])
                offer = shown.event("pilot", connector=n, when=_offers)
                assert shown.between(authorised, offer) < AUTHORISED_TO_PWM_MS
            for n in (1, 2):
                asked = Stopwatch(charger)
                charger.draw(32, connector=n)
                asked.event("relay", connector=n, on=True)
                asked.event("status", connector=n, status="Charging")
            for n in (1, 2):
                left = Stopwatch(charger)
                charger.unplug(n)
                cause = left.event("pilot", connector=n, volts=12.0)
                opened.append(left.between(cause, left.event("relay", connector=n, on=False)))
            for n in (1, 2):
                charger.wait_state(connector=n, status="Available", tx=None)
    assert max(opened) <= OPEN_MS, opened
    load.replies.sort()
    assert len(load.replies) > 100 and load.replies[len(load.replies) * 95 // 100] < REPLY_S, load.replies[-50:]
    assert load.reconnects and max(load.reconnects) < RECONNECT_S, load.reconnects
    assert csms.violations == [] and csms.ledger.problems == []


@pytest.mark.parametrize("danger", ["rcd", "emergency"])
def test_danger_opens_the_contactor_at_once(start_charger, csms, danger):
    charger = start_charger(csms.url)
    charger.wait_boot()
    charger.plug()
    charger.swipe(TAGS[1])
    charger.wait_state(duty=53.33)
    charger.draw(32)
    charger.expect("relay", on=True)
    watch = Stopwatch(charger)
    cause = charger.command("fault" if danger == "rcd" else "button", name=danger, on=True)
    assert watch.between(cause, watch.event("relay", on=False)) <= OPEN_MS


@pytest.mark.parametrize("after_s", [0.5, 1.0, VEHICLE_ANSWERS_S - 0.2])
def test_a_vehicle_that_answers_within_two_seconds_is_never_suspended(start_charger, csms, after_s):
    """simulator_control's last rule; found broken for vehicles that take more than 1.5 s."""
    charger = start_charger(csms.url)
    charger.wait_boot()
    charger.plug()
    charger.swipe(TAGS[1])
    offered = Stopwatch(charger).event("pilot", duty=53.33)
    time.sleep(after_s)
    charger.draw(16)
    asked = [e for e in charger.events if matches(e, "pilot", {"duty": 53.33, "volts": 6.0})][0]
    assert asked["t"] - offered["t"] <= VEHICLE_ANSWERS_S * 1000
    charger.wait_state(status="Charging")
    words = [e["status"] for e in charger.events if e["ev"] == "status" and e["connector"] == 1]
    assert words == ["Preparing", "Charging"]


def test_the_link_comes_back_soon_after_the_network_or_the_server(start_charger, csms):
    charger = start_charger(csms.url)
    charger.wait_boot()
    for take_away, give_back in (
        (lambda: charger.network(False), lambda: charger.network(True)),
        (csms.close_port, csms.open_port),
    ):
        gone = Stopwatch(charger)
        take_away()
        gone.event("ws", state="down", when=lambda event: (event["error"] or "").endswith(_NOBODY_THERE))
        back = Stopwatch(charger)
        given = charger.command("hello")
        give_back()
        assert back.between(given, back.event("ws", state="up")) < RECONNECT_S * 1000


def test_subscribe_is_answered_soon_after_power_on(tmp_path):
    """A new 16 MiB flash, nobody at the other end of the link."""
    charger = Charger(directory=tmp_path, config={"sim": {"flash_kib": 16_384}})
    began = time.monotonic()
    try:
        charger.start()
        assert time.monotonic() - began < SUBSCRIBE_S
        # Who can connect is answered at once, and before the firmware has done anything.
        assert not [event for event in charger.events if event["ev"] == "ws"]
        charger.expect("ws", state="down")
    finally:
        charger.close()
