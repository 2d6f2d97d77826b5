"""The running station: its parts, what they tell each other, and its end. How they are built is in assembly.py."""

import asyncio
import sys

from micropython import const

from firmware import fitting, maintenance
from firmware.evse.control import make_safe
from firmware.kernel.log import level_of
from firmware.maintenance.slots import NoSlots
from firmware.version import VERSION

_CAUSE_SHOWN_MS = const(60_000)  # how long the report of an unwanted restart stands once the back-end has it

# A reset waits that long for the back-end to acknowledge what it ought to know; the rest is sent after the restart.
_DRAIN_MS = const(10_000)

# What only builds a station, 20 KB of heap. It is dropped once the station is there; no other code ever is.
_SCAFFOLDING = ("firmware.assembly", "firmware.boards", "firmware.drivers.reset_cause", "firmware.factory")

# Settings about the parts of the board that count at once when they change.
_FITTING = (
    "DeratingStart DeratingEnd LightIntensity BlinkRepeat MaxImbalance PilotCalibration ReverseUIDs ShortenUIDs "
    "VentilationFitted WakeUp"
)


class App:
    """The station: `await run()` operates it until it has to restart.

    `board` is a boards.board.Board, `storage` the directory for everything durable. `factory` {setting: text} replaces
    declared defaults (what this board is), `provision` {setting: text} is stored while the storage is empty. `mistakes`
    are those of the factory file, one line each: logged, and kept as `factory_mistakes` for the commissioning page.
    `slots` is a maintenance.slots.ApplicationSlots, None where no boot.py chooses between versions.
    """

    def __init__(self, board, storage="/data", factory=None, provision=None, log_sink=None, mistakes=(), slots=None):
        from firmware import assembly

        self._ended = asyncio.Event()
        self._restart = None  # "soft" or "hard"
        self._backup = None  # a feature that is loaded when it is first asked for
        self.factory_mistakes = tuple(mistakes)
        self.slots = slots or NoSlots()
        (
            self.clock,
            self.log,
            self.memory,
            self.supervisor,
            self.settings,
            self.journal,
            self.tags,
            self.cache,
            self.history,
            self.evses,
            self.station,
            self.health,
            self.connection,
            self.link,
        ) = assembly.build(self, board, storage, factory, provision, log_sink, self.slots)
        # The board is what the settings say by now.
        self.max_ma = board.max_ma
        self.connectors = board.connectors
        self.readers = board.readers
        assembly.wire(self, board)
        _drop_scaffolding()

    @property
    def backup(self):
        """The maintenance.backup.Backup of this station."""
        if self._backup is None:
            self._backup = maintenance.Backup(self.settings, self.tags, VERSION)
        return self._backup

    # -- running

    async def run(self):
        """Operates the station. Returns "soft" or "hard" when it has to restart, everything durable written."""
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
        make_safe(self.evses)

    def reset_requested(self, hard, by):
        self.log.warning("app", "%s reset by %s", "hard" if hard else "soft", by)
        self._restart = "hard" if hard else "soft"
        self._ended.set()

    def go_back(self):
        """This version has not been confirmed: the one before runs next."""
        self.station.operation.request_reset(True, "trial of this version")

    # -- what the parts tell

    def after_turn(self):
        """All connectors have been stepped. Returns True when it took its time until now."""
        for evse in self.evses:
            if evse.charging:
                return self.memory.after_step(True)
        return self.memory.after_step(False)

    def show(self, n, status):
        """A connector has another status."""
        if n:
            self.evses[n - 1].show(status.state)

    def token_checked(self, token, status, source):
        """Every light answers: the reader may serve all connectors."""
        for parts in self.connectors:
            parts.indicator.flash("accepted" if status == "accepted" else "refused")

    def setting_changed(self, name):
        """A setting has another value."""
        if name == "MaxCurrent":
            # What the installation bears, within what the board was made for.
            for evse in self.evses:
                self.station.set_limit(evse.number, "supply", min(self.settings.get(name), self.max_ma))
        elif name == "LogLevel":
            self.log.level = level_of(self.settings.get(name))
        elif name in _FITTING.split():
            fitting.apply(self.evses, self.connectors, self.readers, self.settings, self.log)

    def network_changed(self, address):
        """The network is there, with this address, or gone (None)."""
        # Connections of an address that is gone stay open, and silent, for as long as nobody looks.
        if address:
            self.connection.hurry()
        else:
            self.connection.drop("network is down")

    def wifi_credentials(self):
        """Returns (ssid, password)."""
        return self.settings.get("WifiSsid"), self.settings.get("WifiPassword")

    def clock_changed(self, delta_s, source):
        """The clock was set."""
        self.journal.clock_changed(delta_s)

    def card(self, token):
        """A card was put to a reader."""
        asyncio.create_task(self.station.swipe(token))

    def registered(self, status, interval_s):
        """The back-end has answered a BootNotification."""
        if status == "Accepted":  # it gets the faults with the statuses of this moment
            asyncio.create_task(self._forget_cause())

    async def _forget_cause(self):
        await self.clock.sleep_ms(_CAUSE_SHOWN_MS)
        for name in ("watchdog_reset", "brown_out"):
            self.station.zero.clear_fault(name)

    def reader_health(self, ok, trouble):
        """A reader is lost or back."""
        if ok:
            self.station.zero.clear_fault("reader_lost")
        else:
            silent = trouble in ("TIMEOUT", "NOT_PRESENT")
            text = None if silent else "Card reader answers wrongly"
            self.station.zero.raise_fault("reader_lost", "AUTHENTICATOR " + trouble, text)

    def room_changed(self, has_room):
        """The journal has room for transactions, or none."""
        if has_room:
            self.station.zero.clear_fault("flash_full")
        else:
            self.station.zero.raise_fault("flash_full")

    def critical(self, name):
        """A task on which safety hangs has died."""
        self.log.error("app", "%s failed: contactors opened", name)
        self.make_safe()

    def observer_failed(self, exc):
        """What a signal called has raised."""
        self.log.exception("signal", exc)


def _drop_scaffolding():
    """Forgets the modules that only build a station; what they have made lives on."""
    for name in [name for name in sys.modules if name.startswith(_SCAFFOLDING)]:
        del sys.modules[name]
        package, _, part = name.rpartition(".")
        if package in sys.modules:
            delattr(sys.modules[package], part)
