"""A month in minutes (MicroPython only): the real station over a flash whose power is cut, in virtual time.

Settings, journal, history, charging, outbox and link are the firmware's; the EVSE, the meter, the back-end and the
people are played. `Soak` compares each message that reaches the back-end with what really happened.
"""

import asyncio
import gc
import os
import random

from charging_bench import ScriptedEvse
from flash import format_flash, mounted
from harness import FakeClock, settle
from link_bench import ScriptedConnection

from firmware.charging.station import Station, Stores
from firmware.kernel.clock import iso8601, parse_iso8601
from firmware.kernel.log import ERROR, Log
from firmware.kernel.reading import Reading
from firmware.ocpp.backend import outbox_state
from firmware.ocpp.cursor import sequence_floor
from firmware.ocpp.errors import LinkDown, RpcTimeout
from firmware.ocpp.v16.version import build
from firmware.store.history import History
from firmware.store.journal import Journal
from firmware.store.registry import SETTINGS
from firmware.store.settings import Settings
from firmware.store.tags import AuthCache, TagList

_EPOCH = 1_800_000_000
_DAY_S = 86_400
_SESSIONS_A_DAY = 20
_BLOCKS = 128
_POWER_W = 11_000
_FINE_MS = 100  # while people are about
_COARSE_MS = 10_000  # while nothing but time goes on
_LOST_ANSWERS = 200  # one of so many messages gets no answer
_SETTINGS = {
    "CentralSystemUrl": "ws://127.0.0.1",
    "MeterValueSampleInterval": 60,
    "AllowOfflineTxForUnknownId": True,
    "MeterValuesSampledData": ["Energy.Active.Import.Register"],
}


class CoarseClock(FakeClock):
    """A clock on which all sleeps end together, at multiples of `grain_ms`."""

    grain_ms = _FINE_MS

    async def _sleep_virtually(self, ms):
        until = self.ms() + ms
        until = -(-until // self.grain_ms) * self.grain_ms
        await super()._sleep_virtually(max(until - self.ms(), 1))


class Meter:
    """The register lives on without the station; it counts while the contactor is closed."""

    def __init__(self):
        self.wh = 0
        self._part = 0  # W * ms

    def count(self, ms):
        self._part += _POWER_W * ms
        self.wh += self._part // 3_600_000
        self._part %= 3_600_000

    async def read(self):
        return Reading(energy_wh=self.wh)


class Truth:
    """What happened: the sessions that have begun and not all of whose messages have arrived, oldest first."""

    def __init__(self):
        self.sessions = []  # [begin Unix s, begin Wh, end Wh or None, trustworthy time]
        self.begun = 0

    def begin(self, unix, wh, known_time):
        self.begun += 1
        self.sessions.append([unix, wh, None, known_time])

    def end(self, wh):
        if self.sessions and self.sessions[-1][2] is None:
            self.sessions[-1][2] = wh


class CentralSystem:
    """Checks each transaction message against the truth when it arrives; keeps counts only."""

    def __init__(self, soak):
        self._soak = soak
        self.up = False
        self.ended = self.samples = self.repeated = self.unanswered = 0
        self._number = 0  # of the transaction that runs here, 0: none
        self._last = None  # the newest transaction message
        self._timestamp = ""

    async def call(self, action, payload, transmissions=None, patience_s=None):
        await asyncio.sleep(0)
        if self._soak.flash.off:
            await asyncio.Event().wait()
        if not self.up:
            raise LinkDown()
        now = iso8601(self._soak.unix)
        if action == "BootNotification":
            return {"status": "Accepted", "currentTime": now, "interval": 300}
        if action == "Heartbeat":
            return {"currentTime": now}
        if action == "Authorize":
            return {"idTagInfo": {"status": "Accepted"}}
        if action not in ("StartTransaction", "MeterValues", "StopTransaction"):
            return {}
        message = (action, str(sorted(payload.items())))
        if message == self._last:
            self.repeated += 1
        else:
            try:
                self._take(action, payload)
            except AssertionError as exc:
                self._soak.failure = exc
                raise
            self._last = message
        if not random.randrange(_LOST_ANSWERS):
            self.unanswered += 1
            raise RpcTimeout()
        return {"transactionId": self._number, "idTagInfo": {"status": "Accepted"}} if "Start" in action else {}

    def _take(self, action, payload):
        sessions = self._soak.truth.sessions
        if action == "StartTransaction":
            assert self._number == 0 and sessions, "a session that never was: %s" % payload
            unix, wh, _, known_time = sessions[0]
            assert payload["meterStart"] == wh
            self._follows(payload["timestamp"])
            assert not known_time or abs(parse_iso8601(payload["timestamp"]) - unix) <= 2
            self._number = self.ended + 1
            return
        assert self._number and payload["transactionId"] == self._number
        if action == "MeterValues":
            value = payload["meterValue"][0]
            self._follows(value["timestamp"])
            assert sessions[0][1] <= int(value["sampledValue"][0]["value"])
            self.samples += 1
        else:
            assert payload["meterStop"] == sessions[0][2], (payload, sessions[0])
            self._follows(payload["timestamp"])
            sessions.pop(0)
            self.ended += 1
            self._number = 0

    def _follows(self, timestamp):
        assert timestamp >= self._timestamp, (timestamp, self._timestamp)
        self._timestamp = timestamp


class PowerGone(Exception):
    """The power was cut."""


class Soak:
    """`await run()` lives through `days` with `cuts` power cuts; `report` says what came of it."""

    def __init__(self, days, cuts, seed=1):
        random.seed(seed)
        self.days = days
        self._cuts_left = cuts
        self._sessions_left = days * _SESSIONS_A_DAY
        self.cuts = self.boots = self.torn_begins = self.errors = self.erases = self.programmed = 0
        self.heap = []  # bytes in use at the end of each day
        self.meter = Meter()
        self.truth = Truth()
        self.central = CentralSystem(self)
        self.flash = format_flash(_BLOCKS)
        self._origin_ms = 0  # virtual time at power-on
        self._link_until_ms = 0
        self._mount = None
        self.failure = None  # what the central system has complained about

    @property
    def unix(self):
        return _EPOCH + self._now_ms() // 1000

    def _now_ms(self):
        return self._origin_ms + self.clock.ms()

    # -- the station

    def _power_on(self, time_is_known):
        self._mount = mounted(self.flash)
        path = self._mount.__enter__()
        self.boots += 1
        self.clock = clock = CoarseClock(_EPOCH + self._origin_ms // 1000, time_is_known)
        for name in ("/journal", "/history"):
            try:
                os.mkdir(path + name)
            except OSError:
                pass
        log = Log(clock, size=500, level=ERROR, sink=self._error)
        settings = Settings(path + "/settings", SETTINGS, log=log)
        for name, value in _SETTINGS.items():
            settings.set(name, value, "system")
        journal = Journal(path + "/journal", clock, log, settings, sequence_floor(outbox_state(path)))
        history = History(path + "/history")
        history.repair(journal)
        tags = TagList(path + "/tags")
        cache = AuthCache(path + "/cache", clock)
        self.evse = ScriptedEvse(clock)
        stores = Stores(journal, tags, cache, history, path)
        self.station = Station(clock, log, settings, stores, [self.evse], [self.meter])
        clock.changed.connect(lambda delta, source: journal.clock_changed(delta))
        self.connection = ScriptedConnection(self.central)
        self.link = build(
            self.connection,
            path,
            {
                "station": self.station,
                "settings": settings,
                "clock": clock,
                "log": log,
                "journal": journal,
                "tags": tags,
                "maintenance": None,
            },
        )
        self.station.transaction_changed.connect(self._transaction_changed)
        self.history = history
        # A begin that reached the flash just before the power went counts, though nobody heard of it.
        self._open = journal.open_transactions()
        if self._open and self._open[0].tx not in self._told:
            self.torn_begins += 1
            self.truth.begin(self._beginning[0], self.meter.wh, self._beginning[1])
            self.truth.end(self.meter.wh)
        self._tasks = []
        for tasks in (self.station.tasks(), self.link.tasks()):
            self._tasks += [asyncio.create_task(run(_beat)) for _, run, _ in tasks]
        self.connection.set(self.central.up)

    _told = ()
    _beginning = (0, False)

    def _error(self, line):
        self.errors += not self.flash.off

    def _transaction_changed(self, event, transaction):
        if self.flash.off and event == "start":
            return  # a dead station says nothing; what is on flash counts
        if event == "start":
            self._told = (transaction.number,)
            self.truth.begin(self.unix, transaction.begin_wh, self._time_will_be_known())
        elif not self.flash.off:
            self.truth.end(self.meter.wh)

    def _time_will_be_known(self):
        return self.clock.synchronised

    async def _power_cycle(self):
        self.flash.off = True
        self.cuts += 1
        self.truth.end(self.meter.wh)
        for task in self._tasks:
            task.cancel()
        await settle(4)
        self._mount.__exit__(None, None, None)
        self._count_wear()
        self._origin_ms = self._now_ms() + 1000 * random.randrange(1, 600)
        self.flash = self.flash.restarted()
        self.station = self.link = self.connection = self.evse = self.history = self._tasks = None
        gc.collect()
        self._power_on(time_is_known=random.randrange(2) == 0)

    def _count_wear(self):
        self.erases += self.flash.erases
        self.programmed += self.flash.programmed

    # -- time

    async def _pass(self, seconds, grain_ms=_FINE_MS):
        """Lets time pass. Raises PowerGone when it is cut."""
        clock = self.clock
        clock.grain_ms = grain_ms
        until = clock.ms() + seconds * 1000
        while clock.ms() < until:
            self._toggle_link()
            step = min(grain_ms, until - clock.ms())
            charging = self.evse.charging
            clock.advance(step)
            if charging:
                self.meter.count(step)
            self.evse.tick()
            await settle(12)
            if self.failure:
                raise self.failure
            if self.flash.off:
                raise PowerGone()

    def _toggle_link(self):
        """Up and down for as long, on average: each time between a minute and two hours."""
        if self._now_ms() < self._link_until_ms:
            return
        self._link_until_ms = self._now_ms() + 60_000 * random.randrange(1, 120)
        self.central.up = not self.central.up
        self.connection.set(self.central.up)

    # -- people

    async def _session(self):
        """Somebody charges for a while and stops by card, or at the vehicle."""
        evse = self.evse
        evse.cable_ma = 32_000
        evse.set_state("B")
        await self._pass(_COARSE_MS // 1000 + 2)  # until everybody is awake
        self._beginning = (self.unix, self.clock.synchronised)
        await self.station.swipe("CARD")
        await self._pass(3)
        if self.station.transaction(1):
            evse.set_state("C")
            await self._pass(3)
            await self._pass(random.randrange(600, 3000), _COARSE_MS)
            if random.randrange(2):
                await self.station.swipe("CARD")
                await self._pass(_COARSE_MS // 1000 + 10)
        await self._unplug()

    async def _unplug(self):
        self.evse.set_state("A")
        await self._pass(2)
        self.evse.cable_ma = None
        await self._pass(_COARSE_MS // 1000 + 10)

    def _plan_cut(self):
        """The power goes in the middle of some write, or at some moment."""
        if random.randrange(self._sessions_left) >= self._cuts_left:
            return None
        self._cuts_left -= 1
        if random.randrange(4):
            self.flash.cut_after(random.randrange(70), torn=random.randrange(2) == 0)
            return None
        return random.randrange(3600)

    async def _slot(self, seconds):
        """One session and the time around it; the power may go."""
        until = self._now_ms() + seconds * 1000
        moment = self._plan_cut()
        self._sessions_left -= 1
        task = self._session_until(until)
        try:
            if moment is None:
                await task
            else:
                await self._cut_at(task, moment)
        except PowerGone:
            await self._power_cycle()
            await self._settle_down(until)

    async def _session_until(self, until):
        await self._session()
        await self._pass(max(1, (until - self._now_ms()) // 1000), _COARSE_MS)

    async def _cut_at(self, session, seconds):
        moment = self.clock.ms() + seconds * 1000
        advance = self.clock.advance

        def advance_or_cut(ms):
            advance(ms)
            if self.clock.ms() >= moment:
                self.flash.off = True

        self.clock.advance = advance_or_cut
        try:
            await session
        finally:
            self.clock.advance = advance

    async def _settle_down(self, until):
        """After the power has come back: the vehicle is still there, and leaves."""
        self.evse.cable_ma = 32_000
        self.evse.set_state("B")
        await self._pass(30)
        await self._unplug()
        await self._pass(max(1, (until - self._now_ms()) // 1000), _COARSE_MS)

    async def run(self):
        self._power_on(True)
        for _ in range(self.days):
            for _ in range(_SESSIONS_A_DAY):
                await self._slot(_DAY_S // _SESSIONS_A_DAY)
            gc.collect()
            self.heap.append(gc.mem_alloc())
        self._link_until_ms = 1 << 60
        if not self.central.up:
            self.central.up = True
            self.connection.set(True)
        while self.link.queue_length:
            await self._pass(60)
        for task in self._tasks:
            task.cancel()
        await settle(4)
        self._count_wear()
        self.rows = sum([1 for _ in self.history.rows()])
        self._mount.__exit__(None, None, None)

    @property
    def report(self):
        sessions = max(1, self.central.ended)
        return (
            "%d days, %d power cuts: %d sessions, %d of them begun in a cut write; %d samples; %d answers lost, "
            "%d messages repeated; meter %d Wh; per session %.1f erases, %.1f KB; heap in use %d..%d"
            % (
                self.days,
                self.cuts,
                self.central.ended,
                self.torn_begins,
                self.central.samples,
                self.central.unanswered,
                self.central.repeated,
                self.meter.wh,
                self.erases / sessions,
                self.programmed / sessions / 1024,
                self.heap[0],
                self.heap[-1],
            )
        )


def _beat():
    pass
