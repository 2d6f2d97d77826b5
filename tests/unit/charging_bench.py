"""A station on a bench: real charging, journal and settings; the EVSE, the meter and the back-end are scripted."""

import asyncio

from folder import fresh_folder
from harness import FakeClock

from firmware.charging.station import Station, Stores
from firmware.evse.faults import Fault
from firmware.evse.limits import Limits
from firmware.evse.wishes import Wishes
from firmware.kernel.log import Log
from firmware.kernel.reading import Reading
from firmware.kernel.signal import Signal
from firmware.store.journal import Journal
from firmware.store.records import BEGIN, END, SAMPLE
from firmware.store.registry import SETTINGS
from firmware.store.settings import Settings
from firmware.store.slots import Slots
from firmware.store.tokens import TokenInfo

_TICK_MS = 20


class ScriptedEvse:
    """An EVSE without physics: a vehicle in state C is supplied 20 ms after all wishes allow it."""

    def __init__(self, clock, socket=True):
        self._clock = clock
        self.state = "A"
        self.cable_ma = None  # with a fixed cable, too
        self.locked = False if socket else None
        self.faults = ()
        self.limits = Limits()
        self.limits.set("supply", 32_000)
        self.wishes = Wishes()
        self.offered_ma = 0
        self.waking = False
        self.duty_interval_ms = 0  # between one offer and another one; withdrawing does not wait
        self._next_duty_ms = 0
        self.charging = False
        self.duty = 10_000
        self.meter = None
        self.lock_works = True
        self.state_changed = Signal()
        self.pilot_changed = Signal()
        self.contactor_changed = Signal()
        self.lock_changed = Signal()
        self.fault_changed = Signal()
        self.limit_changed = Signal()
        self.stop_pressed = Signal()
        self.lock_retries = 0
        self.recovering = False

    @property
    def connected(self):
        return self.state in "BCD"

    @property
    def plug_locked(self):
        return self.locked is not False

    @property
    def vehicle_ready(self):
        return self.state == "C"

    @property
    def limit(self):
        return self.limits.allowed()

    @property
    def phases(self):
        return self.wishes.phases

    @property
    def permitted(self):
        return self.wishes.permitted

    @property
    def available(self):
        return self.wishes.available

    @property
    def held(self):
        return self.wishes.hold_plug

    def set_meter(self, reading):
        self.meter = reading

    def raise_fault(self, name, vendor_code=None, info=None):
        fault = Fault(name, vendor_code, info)
        self.faults = self.faults + (fault,)
        self.fault_changed.emit(self, fault, True)

    def clear_fault(self, name):
        for fault in self.faults:
            if fault.name == name:
                self.faults = tuple(f for f in self.faults if f is not fault)
                self.fault_changed.emit(self, fault, False)

    def press_stop(self):
        self.wishes.permitted = False
        self.stop_pressed.emit(self)

    def retry_lock(self):
        self.lock_retries += 1

    def emergency(self, on):
        if on:
            self.raise_fault("emergency_stop")
        else:
            self.clear_fault("emergency_stop")

    def plug_in(self):
        if self.locked is not None:
            self.cable_ma = 32_000
        self.set_state("B")

    def pull_out(self):
        self.cable_ma = None
        self.set_state("A")

    def set_state(self, state):
        self.state = state
        self.tick()
        self.state_changed.emit(self, state)

    def tick(self):
        blocked = any(fault.blocks for fault in self.faults) or not self.available
        offer = self.limit[0] if self.permitted and self.connected and not blocked else 0
        charging = offer > 0 and self.vehicle_ready
        if self.locked is not None and self.lock_works:
            self.locked = bool(self.held) and self.cable_ma is not None
        now_ms = self._clock.ms()
        if offer and self.offered_ma and now_ms < self._next_duty_ms:
            offer = self.offered_ma
        if offer != self.offered_ma:
            self._next_duty_ms = now_ms + self.duty_interval_ms
            self.offered_ma = offer
            self.pilot_changed.emit(self)
        if charging != self.charging:
            self.charging = charging
            self.contactor_changed.emit(self, charging)


class ScriptedMeter:
    def __init__(self, wh=1_000):
        self.wh = wh
        self.draws_w = 0  # while the contactor is closed
        self.fails = False
        self._failing = 0  # polls without an answer that are still to come
        self._part = 0  # W * ms

    def fail_next(self, polls):
        self._failing = polls

    def count(self):
        """One tick with closed contactor."""
        self._part += self.draws_w * _TICK_MS
        self.wh += self._part // 3_600_000
        self._part %= 3_600_000

    async def read(self):
        if self.fails or self._failing:
            self._failing = max(0, self._failing - 1)
            raise OSError("no answer")
        return Reading(energy_wh=self.wh, currents_ma=(self.draws_w * 1000 // 230,))


class ScriptedBackend:
    """`tokens` maps a token to its TokenInfo; unknown ones are Invalid."""

    def __init__(self):
        self.online = True
        self.may_start = True
        self.reachable = True
        self.tokens = {"CARD": TokenInfo("accepted"), "OTHER": TokenInfo("accepted")}
        self.asked = []

    async def authorize(self, token):
        self.asked.append(token)
        await asyncio.sleep(0)
        if not self.reachable:
            raise OSError("time-out")
        return self.tokens.get(token, TokenInfo("invalid"))


class TokenTable:
    """Stands for the local list and for the cache."""

    def __init__(self):
        self.entries = {}

    def get(self, token):
        return self.entries.get(token.lower())

    def put(self, token, info):
        self.entries[token.lower()] = info

    def clear(self):
        self.entries = {}


class full_flash:
    """While this lasts, nothing can be stored in two slots: `with full_flash():`"""

    def __enter__(self):
        self._save = Slots.save
        Slots.save = self._refuse

    def _refuse(self, *_):
        raise OSError(28)

    def __exit__(self, *_):
        Slots.save = self._save


class Bench:
    """One power-on. `restart()` returns the next one over the same storage."""

    def __init__(
        self,
        connectors=1,
        socket=True,
        folder=None,
        clock=None,
        meters=None,
        make_evse=ScriptedEvse,
        cache=None,
        **settings,
    ):
        self.folder = folder or fresh_folder()
        self.clock = clock or FakeClock()
        self.log = Log(self.clock)
        self.settings = Settings(self.folder + "/settings", SETTINGS, log=self.log)
        self.settings.set("ReswipeGuard", 0, "system")  # the tests show a card again without waiting
        for name, value in settings.items():
            self.settings.set(name, value, "system")
        self.journal = Journal(self.folder, self.clock, self.log, self.settings)
        self.evses = [make_evse(self.clock, socket) for _ in range(connectors)]
        self.meters = meters or [ScriptedMeter() for _ in range(connectors)]
        self.tags = TokenTable()
        self.cache = cache or TokenTable()
        self.backend = ScriptedBackend()
        self.station = Station(
            self.clock,
            self.log,
            self.settings,
            Stores(self.journal, self.tags, self.cache, self, self.folder),
            self.evses,
            self.meters,
        )
        self.station.operation.backend = self.backend
        self.statuses = []  # (connector, word), in order
        self.events = []  # ("start" | "stop", transaction)
        self.checks = []
        self.history = []  # (event, transaction) of the rows that were written
        self.history_works = True
        self.station.status_changed.connect(lambda n, status: self.statuses.append((n, status.state)))
        self.station.transaction_changed.connect(lambda event, tx: self.events.append((event, tx)))
        self.station.authoriser.checked.connect(lambda *args: self.checks.append(args))
        self._tasks = []

    @property
    def evse(self):
        return self.evses[0]

    @property
    def meter(self):
        return self.meters[0]

    @property
    def words(self):
        return [word for _, word in self.statuses]

    @property
    def word(self):
        return self.station.status(1).state

    @property
    def transaction(self):
        return self.station.transaction(1)

    def plug(self, n=1):
        self.evses[n - 1].plug_in()

    def unplug(self, n=1):
        self.evses[n - 1].pull_out()

    def unplug_ev_side(self):
        self.evse.set_state("A")

    def repair(self, journal):
        """The bench is the charge history, too."""

    def settle(self, connector, number, journal):
        pass

    def began(self, transaction):
        self._enter("began", transaction)

    def ended(self, transaction):
        self._enter("ended", transaction)

    def _enter(self, event, transaction):
        if not self.history_works:
            raise OSError(28)
        self.history.append((event, transaction))

    async def run(self, ms=1_000):
        """Lets time pass, everything running."""
        if not self._tasks:
            self._tasks = [asyncio.create_task(run(lambda: None)) for _, run, _ in self.station.tasks()]
            self._tasks.append(asyncio.create_task(self._tick()))
        await self.clock.run_for(ms)

    def spawn(self, coroutine):
        """Runs a coroutine beside the station."""
        self._tasks.append(asyncio.create_task(coroutine))

    async def charging(self, token="CARD"):
        """A vehicle is plugged in, a card shown, current flows."""
        await self.run(100)
        self.plug()
        await self.station.swipe(token)
        await self.run(800)
        self.evse.set_state("C")
        await self.run(200)
        assert self.word == "charging"
        return self.transaction

    async def flow(self, wh, n=1):
        """Lets a meter count so many Wh, no faster than the supply gives them."""
        while wh:
            part = min(5, wh)
            wh -= part
            self.meters[n - 1].wh += part
            await self.run(1_000)

    def power_cut(self):
        """Nothing runs any more; returns the Bench of the next power-on."""
        for task in self._tasks:
            task.cancel()
        return Bench(len(self.evses), folder=self.folder, clock=self.clock, meters=self.meters)

    def records(self, *kinds):
        return [record for record in self.journal.read() if record.kind in (kinds or (BEGIN, SAMPLE, END))]

    def ends(self):
        return [(record.tx, record.reason, record.wh) for record in self.records(END)]

    def samples_outside(self):
        """Returns (connector, context, time, Wh) of the samples that belong to no transaction."""
        samples = [s for s in self.records(SAMPLE) if not s.tx]
        return [(s.connector, s.context, s.t, s.reading.energy_wh) for s in samples]

    def contexts(self):
        return [record.context for record in self.records(SAMPLE)]

    async def _tick(self):
        while True:
            for i, evse in enumerate(self.evses):
                evse.tick()
                if evse.charging and self.meters[i]:
                    self.meters[i].count()
            await self.clock.sleep_ms(_TICK_MS)
