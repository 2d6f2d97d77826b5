"""App: builds the station in boot order, runs its tasks, and ends it."""

import asyncio
import sys

from micropython import const

from firmware import maintenance
from firmware.evse.control import make_safe
from firmware.kernel.memory import Memory
from firmware.maintenance.slots import NoSlots
from firmware.version import VERSION

# A reset waits that long for the back-end to acknowledge what it ought to know; the rest is sent after the restart.
_DRAIN_MS = const(10_000)

# What only builds a station, 20 KB of heap. It is dropped once the station is there; no other code ever is.
_SCAFFOLDING = ("firmware.assembly", "firmware.boards", "firmware.drivers.reset_cause", "firmware.factory")


class App:
    """The station: `await run()` operates it until it has to restart.

    `board` is a boards.board.Board, `storage` the directory for everything durable. `factory` {setting: text} replaces
    declared defaults (what this board is), `provision` {setting: text} is stored while the storage is empty.
    `slots` is a maintenance.slots.ApplicationSlots, None where no boot.py chooses between versions.
    """

    def __init__(self, board, storage="/data", factory=None, provision=None, log_sink=None, slots=None):
        from firmware import assembly as build

        self._ended = asyncio.Event()
        self._restart = None  # "soft" or "hard"
        self._backup = None  # a feature that is loaded when it is first asked for
        self.factory_mistakes = ()
        self.slots = slots or NoSlots()
        # The boot order: each part is built from those above it.
        self.clock = build.clock()
        cause = build.reset_cause.cause(board.reset_register)
        self.log = build.log(self.clock, log_sink, board, self.slots, cause)
        self.supervisor = build.supervisor(self.clock, self.log, board, self.critical)
        self.settings = build.settings(board, storage, factory, provision, self.log, self.slots)
        self.stores = build.stores(storage, self.settings, self.clock, self.log)
        self.evses = build.evses(board, storage, self.settings, self.clock, self.log)
        self.station = build.station(self.clock, self.log, self.settings, self.stores, self.evses, board.meters)
        self.link = build.link(storage, self.station, self.settings, self.stores, self.clock, self.log)
        memory = Memory(self.clock)
        self.health = build.health(self, memory, cause)
        build.connect(self, board, memory)
        _drop_scaffolding()

    def report_mistakes(self, mistakes):
        """Logs the mistakes of the factory file, and keeps them as `factory_mistakes` for the commissioning page."""
        self.factory_mistakes = tuple(mistakes)
        for mistake in mistakes:
            self.log.error("factory", "%s", mistake)

    @property
    def backup(self):
        """The maintenance.backup.Backup of this station."""
        if self._backup is None:
            self._backup = maintenance.Backup(self.settings, self.stores.tags, VERSION)
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
            self.stores.journal.flush()

    def make_safe(self):
        """Opens every contactor and withdraws the pilot, at once and without waiting for anything."""
        make_safe(self.evses)

    def abandon(self):
        """Makes safe, and writes what waits to be written, when run() may not have come to its end."""
        self.make_safe()
        try:
            self.stores.journal.flush()
        except OSError as exc:
            self.log.error("app", "journal: %s", exc)

    def reset_requested(self, hard, by):
        self.log.warning("app", "%s reset by %s", "hard" if hard else "soft", by)
        self._restart = "hard" if hard else "soft"
        self._ended.set()

    def factory_reset(self):
        """Somebody wants the state of delivery: sets the wish, and restarts."""
        self.settings.set("FactoryReset", True, "system")
        self.station.operation.request_reset(True, "factory reset")

    def go_back(self):
        """This version has not been confirmed: the one before runs next."""
        self.station.operation.request_reset(True, "trial of this version")

    def critical(self, name):
        """A task on which safety hangs has died."""
        self.log.error("app", "%s failed: contactors opened", name)
        self.make_safe()


def _drop_scaffolding():
    """Forgets the modules that only build a station; what they have made lives on."""
    for name in [name for name in sys.modules if name.startswith(_SCAFFOLDING)]:
        del sys.modules[name]
        package, _, part = name.rpartition(".")
        if package in sys.modules:
            delattr(sys.modules[package], part)
