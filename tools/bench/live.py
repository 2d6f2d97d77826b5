"""Latency of a charger under load in real time: scheduler blocking, and time from pilot change to opening.

The vehicle at one connector starts and stops charging repeatedly, the one at the other is unplugged and plugged in.
Meanwhile the central system requests the whole configuration in bursts, replaces a local list of thousands of tokens
and drops the link, the journal is flushed every few seconds, and a control client polls the state. Once over a plain
link, once with TLS.
"""

import json
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from tools.bench import probes
from tools.bench.report import Row, Section, Table, ms
from tools.csms import CallFailed, CentralSystem
from tools.csms.authority import Authority
from tools.image import ROOT
from tools.sim import Charger, ControlClient
from tools.sim.client import matches

COMMAND = "python -m tools.bench live"

_LOAD_S = 60
_OPENING_S = 1.0  # a longer opening has failed
_CLOSING_S = 15  # including self-test, lock and other conditions

_ASK_S = 0.05
_BURST_S = 1.0
_BURST = 5
_DROP_S = 10.0
_LIST_S = 0.5
_LIST_TOKENS = 2_000
# C to B is debounced longer right after the contactor has closed, because the coil disturbs the measurement.
_BLANKED_S = 0.25
# And for 0.55 s after another duty cycle, as some vehicles stumble over it.
_STUMBLES_MS = 600
_STUMBLED = "C to B as the duty cycle changes, opens"

_KEYS = {
    "MeterValueSampleInterval": "5",
    "ClockAlignedDataInterval": "30",
    "JournalBatch": "2",
    "FreevendEnabled": "false",
}
_TOKENS = {1: "04A1B2C3D4E5F6", 2: "04A1B2C3D4E5F7"}


class Load:
    """Threads that keep a charger busy until stop(); `done` counts their actions."""

    def __init__(self, csms, charger):
        self._csms = csms
        self._charger = charger
        self._stopped = threading.Event()
        works = (self._ask, self._burst, self._update, self._drop)
        self._threads = [threading.Thread(target=work) for work in works]
        self.done = {"state requests": 0, "GetConfiguration": 0, "list updates": 0, "reconnections": 0}

    def start(self):
        for thread in self._threads:
            thread.start()

    def stop(self):
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _ask(self):
        client = ControlClient("127.0.0.1", self._charger.port)
        while not self._stopped.wait(_ASK_S):
            client.command("state")
            self.done["state requests"] += 1
        client.close()

    def _burst(self):
        while not self._stopped.wait(_BURST_S):
            for _ in range(_BURST):
                try:
                    self._csms.call("GetConfiguration", timeout=5)
                    self.done["GetConfiguration"] += 1
                except (ConnectionError, TimeoutError, CallFailed):
                    break  # the link was just dropped

    def _update(self):
        version = 0
        while not self._stopped.wait(_LIST_S):
            version += 1
            entries = [
                {"idTag": f"{n * 40503 % 65536:04X}{version:04X}", "idTagInfo": {"status": "Accepted"}}
                for n in range(_LIST_TOKENS)
            ]
            try:
                self._csms.call(
                    "SendLocalList",
                    timeout=20,
                    listVersion=version,
                    updateType="Full",
                    localAuthorizationList=entries,
                )
                self.done["list updates"] += 1
            except (ConnectionError, TimeoutError, CallFailed):
                pass  # as above

    def _drop(self):
        while not self._stopped.wait(_DROP_S):
            try:
                self._csms.abort()
                self.done["reconnections"] += 1
            except ConnectionError:
                pass  # not connected again yet


class WatchedCharger(Charger):
    program = str((probes.HERE / "watched_charger.py").relative_to(ROOT))

    def own_gaps(self):
        """Stops the charger; returns its loop gaps without the time it waited for a CPU."""
        self.stop()
        return json.loads((self.state_directory / "loop_gaps.json").read_text())


def measure(scratch):
    authority = Authority(scratch)
    rows, tables = [], []
    for secure in (False, True):
        config = {"hw": {"connectors": 2}, "ocpp": {"ca_file": str(authority.ca_file)}}
        with CentralSystem(ssl=authority.context if secure else None) as csms:
            url = csms.url.replace("127.0.0.1", "localhost")
            with WatchedCharger(url, keys=_KEYS, config=config) as charger:
                found = under_load(csms, charger)
        section = report("with TLS" if secure else "under load", secure, *found)
        rows.extend(section.rows)
        tables.extend(section.tables)
    return Section(rows, tables)


def under_load(csms, charger):
    """Returns the gaps without and with the host's share, those of a bare loop, the moves, and the load's counts."""
    charger.wait_boot()
    begin(charger, 1)
    begin(charger, 2)
    load = Load(csms, charger)
    host = probes.start("bare_loop")
    charger.command("gaps", reset=True)
    load.start()
    try:
        moves = drive(charger, time.monotonic() + _LOAD_S)
    finally:
        load.stop()
    gaps = charger.command("gaps")
    alone = probes.result(host)
    own = charger.own_gaps()
    if csms.violations:
        raise RuntimeError(f"violations under load: {csms.violations[:3]}")
    return own, gaps, alone, moves, load.done


def begin(charger, connector):
    """Plugs in a vehicle and presents a card; returns when current flows."""
    mark = len(charger.events)
    charger.plug(connector=connector)
    charger.swipe(_TOKENS[connector], [connector])
    following(charger, mark, "tx", _CLOSING_S, connector=connector, event="start")
    charger.draw(10, connector=connector)
    following(charger, mark, "relay", _CLOSING_S, connector=connector, on=True)


def drive(charger, deadline):
    """Makes both connectors open and close until the deadline; returns {what: list of ms}."""
    moves = {"C to B, opens": [], "unplugged, opens": [], "B to C, closes": [], _STUMBLED: []}
    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(pause, charger, moves, deadline), pool.submit(pull, charger, moves, deadline)]:
            done.result()
    return moves


def pause(charger, moves, deadline):
    """The vehicle at connector 1 stops and resumes charging."""
    count = 0
    while time.monotonic() < deadline:
        time.sleep(phase(count))
        changes = duty_changes(charger, 1)
        while changes and charger.state()["t"] - changes[-1] < _STUMBLES_MS:
            time.sleep(phase(count))
            changes = duty_changes(charger, 1)
        took_ms = moved(charger, False, _OPENING_S, "cp", connector=1, state="B")
        moves["C to B, opens" if duty_changes(charger, 1) == changes else _STUMBLED].append(took_ms)
        time.sleep(0.1)
        moves["B to C, closes"].append(moved(charger, True, _CLOSING_S, "cp", connector=1, state="C"))
        count += 1


def pull(charger, moves, deadline):
    """Unplugs the cable at connector 2 and plugs it in again."""
    count = 0
    while time.monotonic() < deadline:
        time.sleep(phase(count))
        mark = len(charger.events)
        moves["unplugged, opens"].append(moved(charger, False, _OPENING_S, "unplug", connector=2))
        following(charger, mark, "tx", _CLOSING_S, connector=2, event="stop")
        begin(charger, 2)
        count += 1


def phase(count):
    """Returns seconds to wait, so that events occur at every phase of the station's periods."""
    return _BLANKED_S + 0.0037 * (count % 16)


def moved(charger, on, timeout, command, connector, **arguments):
    """Runs a command that changes a pilot; returns the ms until the contactor's coil is switched."""
    mark = len(charger.events)
    cause = charger.client.command(command, connector=connector, **arguments)
    return following(charger, mark, "relay", timeout, connector=connector, on=on)["t"] - cause["t"]


def duty_changes(charger, connector):
    """Returns the times (ms) of changes of a pilot's duty cycle."""
    pilots = [event for event in charger.events if matches(event, "pilot", {"connector": connector})]
    return [after["t"] for before, after in zip(pilots, pilots[1:]) if after["duty"] != before["duty"]]


def following(charger, mark, name, timeout, **fields):
    """Returns the first matching event after the first `mark` events. Raises AssertionError without one."""

    def find():
        return next((event for event in charger.events[mark:] if matches(event, name, fields)), None)

    found = charger.client.wait_for(find, timeout)
    if found is None:
        raise AssertionError(f"no {name} {fields} in {timeout} s\n{charger.output()}")
    return found


def report(how, secure, own, seen, alone, moves, done):
    load = ", ".join(f"{number} {what}" for what, number in done.items())
    host = f"a bare loop beside it: p99.9 {alone['p999']}, max {alone['max']} ms"
    held = (
        f"{seen['count']} periods; by what the process ran at most p99.9 {own['most_p999']}, max {own['most']} ms;"
        f" with the time it waited for a CPU {seen['p999']} and {seen['max']} ms ({host})"
    )
    opened, pulled = moves["C to B, opens"], moves["unplugged, opens"]
    both = opened + pulled
    times = f"{len(opened)} times C to B, {len(pulled)} times unplugged; with waiting for a CPU ({host})"
    period, table_a6 = "control period 20 ms", "IEC 61851-1 table A.6"
    rows = [
        # A handshake with TLS blocks by itself: the budgets do not count there.
        Row(f"scheduler hold {how}, p99.9", own["p999"], None if secure else 5, ms, period, held, COMMAND),
        Row(f"scheduler hold {how}, longest", own["max"], None if secure else 20, ms, period, held, COMMAND),
        Row(f"pilot to contactor open {how}, median", statistics.median(both), 60, ms, table_a6, times, COMMAND),
        Row(f"pilot to contactor open {how}, longest", max(both), 100, ms, table_a6, f"with {load}", COMMAND),
    ]
    details = [
        (name, str(len(values)), ms(min(values)), ms(statistics.median(values)), ms(max(values)))
        for name, values in moves.items()
        if values
    ]
    title = f"From pilot to contactor, {how}"
    return Section(rows, [Table(title, ("event", "times", "least", "median", "most"), details)])
