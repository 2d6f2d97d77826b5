"""Reactions to the signals of the parts: what is shown, logged or reported."""

import asyncio

from micropython import const

from firmware import fitting
from firmware.kernel.log import level_of
from firmware.store.tokens import ACCEPTED

_CAUSE_SHOWN_MS = const(60_000)  # how long the report of an unwanted restart stands once the back-end has it

# Settings about the parts of the board that count at once when they change.
_FITTING = (
    "DeratingStart DeratingEnd LightIntensity BlinkRepeat MaxImbalance PilotCalibration ReverseUIDs ShortenUIDs "
    "VentilationFitted WakeUp"
)


class Reactions:
    """Of an app.App to the signals of its parts; `board` is the Board, of which only the parts are kept."""

    def __init__(self, app, board, memory):
        self._clock = app.clock
        self._log = app.log
        self._settings = app.settings
        self._evses = app.evses
        self._station = app.station
        self._connection = app.link.connection
        self._memory = memory
        self._drivers = board.connectors
        self._readers = board.readers
        self._max_ma = board.max_ma

    def after_turn(self):
        """Collects garbage if that is due; returns True when it took its time."""
        for evse in self._evses:
            if evse.charging:
                return self._memory.after_step(True)
        return self._memory.after_step(False)

    def show(self, n, status):
        if n:
            self._evses[n - 1].show(status.state)

    def token_checked(self, token, status, source):
        """All lights answer: the reader may serve all connectors."""
        for parts in self._drivers:
            parts.indicator.flash("accepted" if status == ACCEPTED else "refused")

    def setting_changed(self, name):
        if name == "MaxCurrent":
            # What the installation bears, within what the board was made for.
            for evse in self._evses:
                self._station.set_limit(evse.number, "supply", min(self._settings.get(name), self._max_ma))
        elif name == "LogLevel":
            self._log.level = level_of(self._settings.get(name))
        elif name in _FITTING.split():
            fitting.apply(self._evses, self._drivers, self._readers, self._settings, self._log)

    def network_changed(self, address):
        """The network is there, with this address, or gone (None)."""
        # Connections of an address that is gone stay open and silent.
        if address:
            self._connection.hurry()
        else:
            self._connection.drop("network is down")

    def registered(self, status, interval_s):
        """The back-end has answered a BootNotification."""
        if status == "Accepted":  # it gets the faults with the statuses of this moment
            asyncio.create_task(self._forget_cause())

    async def _forget_cause(self):
        await self._clock.sleep_ms(_CAUSE_SHOWN_MS)
        for name in ("watchdog_reset", "brown_out"):
            self._station.zero.clear_fault(name)

    def reader_health(self, ok, trouble):
        """Reports a reader that is lost."""
        if ok:
            self._station.zero.clear_fault("reader_lost")
        else:
            silent = trouble in ("TIMEOUT", "NOT_PRESENT")
            text = None if silent else "Card reader answers wrongly"
            self._station.zero.raise_fault("reader_lost", "AUTHENTICATOR " + trouble, text)

    def room_changed(self, has_room):
        """Reports a flash without room for transactions."""
        if has_room:
            self._station.zero.clear_fault("flash_full")
        else:
            self._station.zero.raise_fault("flash_full")
