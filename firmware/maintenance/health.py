"""How the station itself is doing: looked at on demand, logged once a day; what wears its flash is kept."""

from micropython import const

from firmware.kernel.borrow import borrowed
from firmware.store.statefile import StateFile
from firmware.store.wear import Wear

_FIRST_MS = const(60_000)  # when everything has settled after the start
_HOUR_MS = const(3_600_000)
_DAY = const(24)  # hours

_FIGURES = "firmware.maintenance.figures"


class Health:
    """Figures of this station. `supervisor` is kernel.tasks.Supervisor; `writers` have a `wear` (store.wear.Wear): all
    that write more than now and then. `cause` says why the station was started, for a person.
    """

    def __init__(self, storage, clock, log, supervisor, writers, cause=""):
        self._storage = storage
        self._clock = clock
        self._log = log
        self._supervisor = supervisor
        self._writers = writers
        self._cause = cause
        self._before = self._file().load() or (0, 0)  # what earlier power-ons wrote

    def snapshot(self):
        """Returns the figures, see there; raises OSError when the flash cannot be looked at."""
        return borrowed(_FIGURES, "figures")(*self._station())

    async def run(self, beat):
        """Logs the figures a minute after the start and then once a day; keeps those of the flash every hour."""
        await self._clock.sleep_ms(_FIRST_MS)
        hours = 0
        while True:
            if hours % _DAY == 0:
                borrowed(_FIGURES, "tell")(self._log, *self._station())
            hours += 1
            try:
                wear = self._wear()
                self._file().save((wear.erases, wear.programmed))
            except OSError as exc:
                self._log.error("health", "wear is not kept: %s", exc)
            await self._clock.sleep_ms(_HOUR_MS)

    def _file(self):
        return StateFile(self._storage + "/wear", self._log)

    def _station(self):
        return self._storage, self._clock, self._supervisor, self._wear(), self._cause

    def _wear(self):
        """Returns the Wear of all power-ons."""
        wear = Wear(*self._before)
        for writer in self._writers:
            wear += writer.wear
        return wear
