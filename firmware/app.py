"""The composition root: builds every part once, from the bottom layer to the top, wires them and runs their tasks."""

import asyncio
import os
import time

import network
from micropython import const

from firmware.boards import fitting
from firmware.charging.station import Station
from firmware.drivers import reset_cause, rtc
from firmware.drivers.uplink import Wifi
from firmware.evse.control import Control, Evse
from firmware.kernel.clock import Clock
from firmware.kernel.log import Log, level_of
from firmware.kernel.signal import Signal
from firmware.kernel.tasks import Supervisor
from firmware.maintenance.health import Health
from firmware.maintenance.restored import carry_on
from firmware.ocpp.connection import Connection
from firmware.ocpp.outbox import sequence_floor
from firmware.ocpp.spool import Spool
from firmware.ocpp.station_link import StationLink, outbox_state
from firmware.store.history import History
from firmware.store.journal import Journal
from firmware.store.registry import SETTINGS
from firmware.store.settings import Settings
from firmware.store.slots import Slots
from firmware.store.statefile import StateFile
from firmware.store.tags import AuthCache, TagList
from firmware.version import VERSION

_CONTROL_PERIOD_MS = const(20)
_CONTROL_HEARTBEAT_MS = const(1_000)
_READER_HEARTBEAT_MS = const(10_000)
_UPLINK_HEARTBEAT_MS = const(30_000)

_CAUSE_SHOWN_MS = const(60_000)  # how long the report of an unwanted restart stands once the back-end has it

# A reset waits that long for the back-end to acknowledge what it ought to know; the rest is sent after the restart.
_DRAIN_MS = const(10_000)


class App:
    """The station: `await run()` operates it until it has to restart.

    `board` is a boards.board.Board, `storage` the directory for everything durable. `factory` {setting: text} replaces
    declared defaults (what this board is), `provision` {setting: text} is stored while the storage is empty.
    """

    def __init__(self, board, storage="/data", factory=None, provision=None, log_sink=None):
        self.board = board
        self.clock = Clock(time.ticks_ms, time.ticks_diff, rtc.wall, rtc.set_wall)
        self.log = Log(self.clock, sink=log_sink)
        Signal.on_error = self._observer_failed
        self.supervisor = Supervisor(self.clock, self.log, board.watchdog, self._critical)
        self.station = None
        self._restart = None
        self._backup = None
        self._ended = asyncio.Event()
        self._build_store(storage, factory, provision)
        self._build_evses()
        self._build_station(storage)
        self._build_link(storage)
        self._build_readers()
        self.uplink = Wifi(network.WLAN(network.WLAN.IF_STA), self.clock, self.log, self._wifi_credentials)
        self.uplink.changed.connect(self._network_changed)
        self._add_tasks()

    # -- building, lowest layer first

    def _build_store(self, storage, factory, provision):
        for directory in ("", "/journal", "/history"):
            _make_directory(storage + directory)
        facts = fitting.facts(self.board)
        facts["FirmwareVersion"] = VERSION
        facts.update(factory or {})
        self.settings = Settings(storage + "/settings", SETTINGS, facts, provision, self.log)
        fitting.fit(self.board, self.settings, self.log)
        if "lock" not in self.board.parts:
            # What can be locked nowhere is always reported as false (OCPP 1.6 errata 3.84).
            self.settings.declare("UnlockConnectorOnEVSideDisconnect", default=False, access="r", who="")
        floor = sequence_floor(outbox_state(storage, self.log))
        self.journal = Journal(storage + "/journal", self.clock, self.log, self.settings, floor)
        self.tags = TagList(storage + "/tags", self.settings.get("LocalAuthListMaxLength"))
        try:
            carry_on(self.settings, self.tags)
        except OSError as exc:
            self.log.error("app", "restore not finished: %s", exc)
        self.cache = AuthCache(storage + "/cache", self.clock)
        self.history = History(storage + "/history")

    def _build_evses(self):
        board = self.board
        self.evses = [
            Evse(
                i + 1,
                drivers,
                self.clock,
                self.log,
                fixed_cable=board.fixed_cable,
                phases=board.phases,
                max_ma=board.max_ma,
            )
            for i, drivers in enumerate(board.connectors)
        ]
        self.control = Control(self.evses, self.clock, _CONTROL_PERIOD_MS)
        self.settings.changed.connect(self._setting_changed)
        for name in ("MaxCurrent", "LogLevel"):
            self._setting_changed(name)
        live = fitting.Fitting(self.board, self.evses, self.settings, self.log)
        live.apply()
        self.settings.changed.connect(live.changed)

    def _build_station(self, storage):
        self.station = Station(
            self.clock,
            self.log,
            self.settings,
            self.journal,
            self.tags,
            self.cache,
            self.evses,
            self.board.meters,
            self.history,
            StateFile(storage + "/station", self.log),
            Slots(storage + "/profiles", self.log),
            Slots(storage + "/reserved", self.log),
        )
        if len(self.evses) > 1:
            self.station.schedules.apply()  # the connectors share the supply
        self.station.reset_requested.connect(self._reset_requested)
        self.station.status_changed.connect(self._show)
        self.station.token_checked.connect(self._flash)
        fault = reset_cause.fault(self.board.reset_register)
        if fault:
            self.log.warning("app", "started after: %s", fault)
            self.station.raise_fault(fault)
        self.journal.room_changed.connect(self._room_changed)
        self._room_changed(self.journal.has_room)
        writers = (self.journal, self.history, self.cache, self.settings)
        self.health = Health(storage, self.clock, self.log, self.supervisor, writers, fault)
        self.clock.changed.connect(lambda delta, source: self.journal.clock_changed(delta))

    def _build_link(self, storage):
        spool = Spool(storage + "/large", self.clock)
        self.connection = Connection(self.settings, self.clock, self.log, spool=spool)
        self.link = StationLink(
            self.station, self.connection, self.settings, self.clock, self.log, self.journal, storage, self.tags
        )
        self.link.registered.connect(self._link_registered)

    def _build_readers(self):
        self.readers = self.board.readers
        for reader in self.readers:
            reader.card.connect(self._card)
            reader.health.connect(self._reader_health)
        self.board.buttons.changed.connect(self.station.button)

    def _add_tasks(self):
        add = self.supervisor.add
        # The control task is the first to run: nothing that blocks stands between power-on and a pilot under control.
        add("control", self.control.run, _CONTROL_HEARTBEAT_MS, critical=True, period_ms=_CONTROL_PERIOD_MS)
        add("buttons", self.board.buttons.run, _CONTROL_HEARTBEAT_MS)
        add("history", self._repair_history)  # before the charging task ends what the power cut left open
        for name, run, heartbeat_ms in self.station.tasks():
            add(name, run, heartbeat_ms)
        add("wifi", self.uplink.run, _UPLINK_HEARTBEAT_MS)
        add("health", self.health.run)
        for i, reader in enumerate(self.readers):
            add("reader %d" % (i + 1), reader.run, _READER_HEARTBEAT_MS)
        for name, run, heartbeat_ms in self.link.tasks():
            add(name, run, heartbeat_ms)

    @property
    def backup(self):
        """The maintenance.backup.Backup of this station."""
        if self._backup is None:
            from firmware.maintenance.backup import Backup  # some 6 KB of heap that few stations ever need

            self._backup = Backup(self.settings, self.tags, VERSION)
        return self._backup

    # -- running

    async def run(self):
        """Operates the station. Returns "soft" or "hard" when it has to restart, everything durable written."""
        asyncio.get_event_loop().set_exception_handler(self._task_failed)
        supervisor = asyncio.create_task(self.supervisor.run())
        try:
            await self._ended.wait()
            await self.link.drain(_DRAIN_MS)
            return self._restart
        finally:
            self.make_safe()
            supervisor.cancel()
            try:
                await supervisor  # the link says goodbye, drivers let go of their devices
            except asyncio.CancelledError:
                pass
            self.journal.flush()

    def make_safe(self):
        """Opens every contactor and withdraws the pilot, at once and without waiting for anything."""
        for evse in self.evses:
            evse.fail_safe()

    def _reset_requested(self, hard, by):
        self.log.warning("app", "%s reset by %s", "hard" if hard else "soft", by)
        self._restart = "hard" if hard else "soft"
        self._ended.set()

    # -- wiring

    def _flash(self, token, status, source):
        for parts in self.board.connectors:
            if parts.indicator:
                parts.indicator.flash("Accepted" if status == "Accepted" else "Rejected")

    async def _repair_history(self, beat):
        try:
            self.history.repair(self.journal)
        except OSError as exc:
            self.log.error("history", "not repaired: %s", exc)

    def _show(self, n, status):
        if n:
            self.evses[n - 1].show(status.state)

    def _setting_changed(self, name):
        if name == "MaxCurrent":
            # What the installation bears, within what the board was made for.
            for evse in self.evses:
                evse.limits.set("supply", min(self.settings.get(name), self.board.max_ma))
            if len(self.evses) > 1 and self.station:
                self.station.schedules.apply()
        elif name == "LogLevel":
            self.log.level = level_of(self.settings.get(name))

    def _network_changed(self, address):
        # Connections of an address that is gone stay open, and silent, for as long as nobody looks.
        if address:
            self.connection.hurry()
        else:
            self.connection.drop("network is down")

    def _wifi_credentials(self):
        return self.settings.get("WifiSsid"), self.settings.get("WifiPassword")

    def _card(self, uid):
        asyncio.create_task(self.station.swipe(uid))

    def _link_registered(self, status, interval_s):
        if status == "Accepted":  # the back-end gets it with the statuses of this moment
            asyncio.create_task(self._forget_cause())

    async def _forget_cause(self):
        await self.clock.sleep_ms(_CAUSE_SHOWN_MS)
        for name in ("watchdog_reset", "brown_out"):
            self.station.clear_fault(name)

    def _reader_health(self, ok, first):
        if ok:
            self.station.clear_fault("reader_lost")
        else:
            self.station.raise_fault("reader_lost", "AUTHENTICATOR NOT_PRESENT" if first else None)

    def _room_changed(self, has_room):
        if has_room:
            self.station.clear_fault("flash_full")
        else:
            self.station.raise_fault("flash_full")

    def _critical(self, name):
        self.log.error("app", "%s failed: contactors opened", name)
        self.make_safe()

    def _observer_failed(self, exc):
        self.log.exception("signal", exc)

    def _task_failed(self, loop, context):
        self.log.exception("task", context.get("exception"))


def _make_directory(path):
    try:
        os.mkdir(path)
    except OSError:
        os.stat(path)  # it was there: anything else is an error worth stopping for
