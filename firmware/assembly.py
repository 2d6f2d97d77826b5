"""Builders for the parts of the App, one function for each, in boot order.

App drops it afterwards, with all that only builds.
"""

import asyncio
import os
import sys
import time

import network
from micropython import const

from firmware import fitting, maintenance
from firmware.charging.station import Station, Stores
from firmware.drivers import reset_cause, rtc
from firmware.drivers.pacer import Pacer
from firmware.drivers.uplink import Wifi
from firmware.evse.control import Control, Evse
from firmware.kernel.clock import Clock
from firmware.kernel.log import Log, level_of
from firmware.kernel.tasks import Supervisor
from firmware.maintenance.confirmation import Confirmation
from firmware.maintenance.health import Health
from firmware.maintenance.service_button import ServiceButton
from firmware.ocpp.backend import outbox_state
from firmware.ocpp.connection import Connection
from firmware.ocpp.cursor import sequence_floor
from firmware.ocpp.spool import Spool
from firmware.ocpp.target import Opener
from firmware.ocpp.v16.rules import Rules
from firmware.ocpp.v16.version import build as build_backend
from firmware.reactions import Reactions
from firmware.store.history import History
from firmware.store.journal import Journal
from firmware.store.registry import SETTINGS
from firmware.store.settings import Settings
from firmware.store.statefile import StateFile
from firmware.store.tags import AuthCache, TagList
from firmware.version import VERSION

_CONTROL_PERIOD_MS = const(20)
_CONTROL_HEARTBEAT_MS = const(1_000)
_READER_HEARTBEAT_MS = const(10_000)
_WIFI_HEARTBEAT_MS = const(30_000)


def clock():
    return Clock(time.ticks_ms, time.ticks_diff, rtc.wall, rtc.set_wall)


def log(clock, sink, board, slots, cause):
    """Returns the Log, in which one line says what has started, whatever its level is set to."""
    log = Log(clock, sink=sink)
    clock.changed.on_error = log.observer_failed
    log.info(
        "app",
        "firmware %s on board %s, connectors: %d, MicroPython %s, started after %s",
        VERSION,
        board.name,
        len(board.connectors),
        ".".join([str(part) for part in sys.implementation.version[:3]]),
        cause,
    )
    if slots.text():
        log.info("start", "%s", slots.text())
    if slots.failures:
        for crash in slots.crashes()[-1:]:
            log.warning("start", "failed %d times before, the last time: %s", slots.failures, crash["why"])
    return log


def supervisor(clock, log, board, critical):
    return Supervisor(clock, log, board.watchdog, critical)


def settings(board, storage, factory, provision, log, slots):
    for directory in ("", "/journal", "/history"):
        _make_directory(storage + directory)
    facts = fitting.facts(board)
    facts["FirmwareVersion"] = VERSION
    facts.update(factory or {})
    settings = Settings(storage + "/settings", SETTINGS, facts, provision, log)
    if settings.get("FactoryReset"):
        maintenance.FactoryReset(storage, settings, log).perform()
    settings.declare("FirmwareSlot", default=slots.text())
    fitting.fit(board, settings, log)
    if "lock" not in board.parts:
        # What can be locked nowhere is always reported as false (OCPP 1.6 errata 3.84).
        settings.declare("UnlockConnectorOnEVSideDisconnect", default=False, access="r", who="")
    log.level = level_of(settings.get("LogLevel"))
    return settings


def stores(storage, settings, clock, log):
    journal = Journal(storage + "/journal", clock, log, settings, sequence_floor(outbox_state(storage, log)))
    tags = TagList(storage + "/tags", settings.get("LocalAuthListMaxLength"))
    try:
        tags.settle(settings.get("RestoredList"))
    except OSError as exc:
        log.error("app", "restore not finished: %s", exc)
    return Stores(journal, tags, AuthCache(storage + "/cache", clock), History(storage + "/history"), storage)


def evses(board, storage, settings, clock, log):
    most_ma = min(settings.get("MaxCurrent"), board.max_ma)
    evses = []
    for i, drivers in enumerate(board.connectors):
        memory = StateFile("%s/closing%d" % (storage, i + 1), log)
        evse = Evse(
            i + 1,
            drivers,
            clock,
            log,
            fixed_cable=board.fixed_cable,
            phases=board.phases,
            max_ma=most_ma,
            memory=memory,
        )
        evses.append(evse)
    fitting.apply(evses, board.connectors, board.readers, settings, log)
    fitting.check_speed(board, evses, log)
    return evses


def station(clock, log, settings, stores, evses, meters):
    station = Station(clock, log, settings, stores, evses, meters)
    if len(evses) > 1:
        station.schedules.apply()  # the connectors share the supply
    return station


def link(storage, station, settings, stores, clock, log):
    """Returns the Backend, which speaks OCPP 1.6."""
    opener = Opener(settings, Spool(storage + "/large", Rules.streamed, clock))
    connection = Connection(settings, clock, log, (Rules(),), opener)
    parts = {"station": station, "settings": settings, "clock": clock, "log": log}
    parts.update({"journal": stores.journal, "tags": stores.tags, "maintenance": None})
    return build_backend(connection, storage, parts)


def health(app, memory, cause):
    fault = reset_cause.fault(cause)
    if fault:
        app.station.zero.raise_fault(fault)
    writers = app.stores.journal, app.stores.history, app.stores.cache, app.settings
    return Health(app.stores.folder, app.clock, app.log, app.supervisor, memory, writers, cause, app.slots)


def connect(app, board, memory):
    """Connects what the parts of an app.App tell with what follows from it, and gives their tasks to the supervisor."""
    reactions = Reactions(app, board, memory)
    journal = app.stores.journal
    app.settings.changed.connect(reactions.setting_changed)
    app.clock.changed.connect(lambda delta_s, source: journal.clock_changed(delta_s))
    journal.room_changed.connect(reactions.room_changed)
    reactions.room_changed(journal.has_room)
    station = app.station
    station.operation.reset_requested.connect(app.reset_requested)
    station.status_changed.connect(reactions.show)
    station.authoriser.checked.connect(reactions.token_checked)
    app.link.registered.connect(reactions.registered)
    board.buttons.changed.on_error = app.log.observer_failed
    for reader in board.readers:
        reader.card.on_error = reader.health.on_error = app.log.observer_failed
        reader.card.connect(lambda token: asyncio.create_task(station.swipe(token)))
        reader.health.connect(reactions.reader_health)
    board.buttons.changed.connect(station.button)
    service = ServiceButton(app.clock)
    board.buttons.changed.connect(service.changed)
    service.factory_reset.connect(app.factory_reset)
    get = app.settings.get
    wifi = Wifi(network.WLAN(network.WLAN.IF_STA), app.clock, app.log, lambda: (get("WifiSsid"), get("WifiPassword")))
    wifi.changed.connect(reactions.network_changed)
    seconds = get("FirmwareConfirmTime")
    confirmation = Confirmation(app.slots, app.supervisor, app.clock, app.log, seconds, app.health.keep)
    confirmation.confirmed.connect(lambda: app.settings.declare("FirmwareSlot", default=app.slots.text()))
    confirmation.given_back.connect(app.go_back)
    add = app.supervisor.add
    # The control task is the first to run: nothing that blocks stands between power-on and a pilot under control.
    pacer = Pacer(app.clock, app.log)
    control = Control(app.evses, app.clock, _CONTROL_PERIOD_MS, reactions.after_turn, pacer)
    add("control", control.run, _CONTROL_HEARTBEAT_MS, critical=True, period_ms=_CONTROL_PERIOD_MS)
    add("buttons", board.buttons.run, _CONTROL_HEARTBEAT_MS)
    for name, run, heartbeat_ms in station.tasks():
        add(name, run, heartbeat_ms)
    add("wifi", wifi.run, _WIFI_HEARTBEAT_MS)
    add("health", app.health.run)
    if hasattr(app.log.sink, "run"):
        add("console", app.log.sink.run)
    add("start", confirmation.run)
    for i, reader in enumerate(board.readers):
        add("reader %d" % (i + 1), reader.run, _READER_HEARTBEAT_MS)
    for name, run, heartbeat_ms in app.link.tasks():
        add(name, run, heartbeat_ms)


def _make_directory(path):
    try:
        os.mkdir(path)
    except OSError as exc:
        try:
            os.stat(path)  # it existed already; any other error is worth stopping for
        except OSError:
            raise exc
