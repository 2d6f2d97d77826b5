# A whole station above the simulated circuit, in one process and in virtual time. MIT license.
"""Bench: the firmware's drivers, EVSE, charging, journal and settings above the simulated world, in one process.

There is no event loop: `run(ms)` calls the steps of the firmware's tasks at their periods, so an hour takes seconds.
Not included: Modbus, card reader and link; meters are read directly from the outlets. Runs on CPython and MicroPython.
"""

import sys

from micropython import const

from tools.sim.device import machine
from tools.sim.world.world import World

sys.modules["machine"] = machine  # before the import of the board, which uses it

from firmware.boards import simulated  # noqa: E402
from firmware.boards.board import Board  # noqa: E402
from firmware.charging.station import Station, Stores  # noqa: E402
from firmware.drivers import pilot  # noqa: E402
from firmware.evse.control import Control, Evse  # noqa: E402
from firmware.kernel.clock import Clock  # noqa: E402
from firmware.kernel.log import Log  # noqa: E402
from firmware.kernel.reading import Reading  # noqa: E402
from firmware.ocpp.v16.status import StatusReporter  # noqa: E402
from firmware.store.journal import Journal  # noqa: E402
from firmware.store.records import BEGIN, END  # noqa: E402
from firmware.store.registry import SETTINGS  # noqa: E402
from firmware.store.settings import Settings  # noqa: E402

pilot.ticks_us = machine.ticks_us

TICK_MS = const(20)
_STATION_MS = const(100)
_METER_MS = const(1_000)
_UNIX = const(1_800_000_000)
CARD = "04A1B2C3"


class OutletMeter:
    """The meter of an outlet. `lost_phase`: index of a missing phase of the supply, or None.

    `backwards`: it measures powers, with the wrong sign.
    """

    measures_currents = True
    backwards = False
    repeats = False  # repeats the last reading
    stands = False  # its register does not move

    def __init__(self, outlet):
        self._outlet = outlet
        self._shown = None
        self._wh = 0
        self.lost_phase = None

    async def read(self):
        outlet = self._outlet
        if outlet.meter.silent:
            raise OSError("no answer")
        if not self.repeats:
            self._shown = outlet.meter_shows()
        shown = self._shown
        currents = shown.currents_ma[:1] + shown.currents_ma[1:]  # a new object for each reading
        voltages = tuple(0 if phase == self.lost_phase else mv for phase, mv in enumerate(shown.voltages_mv))
        power_w = -sum(shown.powers_mw) // 1000 if self.backwards else None
        if not self.measures_currents or outlet.meter.blind:
            currents = None
        if not self.stands:
            self._wh = shown.imported_uj // 3_600_000_000
        return Reading(energy_wh=self._wh, power_w=power_w, currents_ma=currents, voltages_mv=voltages)


class Bench:
    """One power-on. `folder` is an empty directory for the store; `settings` are values by name.

    station, evses, outlets, meters, board, journal, settings, clock: the parts. `opened_at`: for each connector the
    time in ms when the coil was last switched off.
    """

    def __init__(self, folder, connectors=1, noise_mv=10, socket=True, adc_us=45, **settings):
        self.ms = 0
        self._next_station = self._next_meter = 0
        self.opened_at = [None] * connectors
        self.world = World(lambda: self.ms, self._told, connectors, socket)
        machine.attach(self.world, None, noise_uv=noise_mv * 110, processor=machine.Processor(), adc_us=adc_us)
        self.outlets = self.world.outlets
        layout = dict(simulated.LAYOUT)
        layout.update({"meter_bus": None, "readers": ()})
        self.board = Board(layout, {"connectors": connectors, "cable": "socket" if socket else "fixed"})
        self.clock = Clock(lambda: self.ms, lambda a, b: a - b, lambda: _UNIX)
        self.log = Log(self.clock)
        self.settings = Settings(folder + "/settings", SETTINGS, log=self.log)
        self.settings.set("AllowOfflineTxForUnknownId", True, "system")
        self.settings.set("ReswipeGuard", 0, "system")
        for name, value in settings.items():
            self.settings.set(name, value, "system")
        self.journal = Journal(folder, self.clock, self.log, self.settings)
        self.meters = [OutletMeter(outlet) for outlet in self.outlets]
        self.evses = [
            Evse(i + 1, parts, self.clock, self.log, fixed_cable=not socket)
            for i, parts in enumerate(self.board.connectors)
        ]
        self.control = Control(self.evses, self.clock)
        stores = Stores(self.journal, {}, _NoCache(), None, None)
        self.station = Station(self.clock, self.log, self.settings, stores, self.evses, self.meters)
        self.reporter = StatusReporter(self.station, self.settings, self.clock, lambda: None)
        self.board.buttons.changed.connect(self.station.button)
        _complete(self.station.task.restart())
        self.run(3_000)  # the self-test of the residual current device

    def _told(self, name, fields):
        if name == "relay" and not fields["on"]:
            self.opened_at[fields["connector"] - 1] = self.ms

    # Time

    def tick(self, ms=TICK_MS):
        """One period of all tasks. A longer one simulates a blocked loop."""
        self.ms += ms
        self.world.timeline.now()
        self.control.turn(self.ms)
        self.board.buttons.poll()
        if self.ms >= self._next_meter:
            self._next_meter = self.ms + _METER_MS
            for connector in self.station.connectors:
                _complete(connector.metering.poll())
        if self.ms >= self._next_station:
            self._next_station = self.ms + _STATION_MS
            self.station.task.step()

    def run(self, ms, tick_ms=TICK_MS):
        end = self.ms + ms
        while self.ms < end:
            self.tick(tick_ms)

    def until(self, condition, limit_ms, tick_ms=TICK_MS):
        """Runs until condition() is true; returns the ms it took, None at the time-out."""
        began = self.ms
        while not condition():
            if self.ms - began >= limit_ms:
                return None
            self.tick(tick_ms)
        return self.ms - began

    # People and vehicles

    def swipe(self, token=CARD):
        return _complete(self.station.swipe(token))

    def session(self, n=1, token=CARD, amps=16):
        """Presents a card for a plugged-in vehicle that requests current; returns when energy flows."""
        outlet = self.outlets[n - 1]
        outlet.set_load((amps * 1000,) * 3, 230_000)
        assert self.swipe(token) == "start"
        assert self.until(lambda: self.evses[n - 1].offered_ma, 15_000) is not None, self.word(n)
        self.run(1_000)
        outlet.set_vehicle("C")
        assert self.until(lambda: self.word(n) == "charging", 10_000) is not None, self.evses[n - 1].suspended_reason
        self.run(2_000)

    # Looks

    def word(self, n=1):
        return self.station.status(n).state

    def report(self, n=1):
        """Returns the StatusNotification.req of a connector."""
        return self.reporter.payload(n)

    def closed(self, n=1):
        """True when the main contacts (not only the coil) are closed."""
        return self.outlets[n - 1].contactor.closed(0)

    def books(self):
        """Returns ({transaction: begin Wh}, {transaction: (end Wh, reason)}) of the journal."""
        begins, ends = {}, {}
        for record in self.journal.read():
            if record.kind == BEGIN:
                begins[record.tx] = record.wh
            elif record.kind == END:
                assert record.tx not in ends, "ended twice"
                ends[record.tx] = (record.wh, record.reason)
        return begins, ends


class _NoCache:
    def get(self, token):
        return None

    def put(self, token, info):
        pass


def _complete(coroutine):
    """Runs a coroutine that does not wait; returns its result."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("the coroutine waits")
