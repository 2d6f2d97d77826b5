# Electromechanical parts of a charging station. MIT license.
"""Contactor with auxiliary contacts, lock motor with feedback, residual current device with self-test."""

from micropython import const

_CLOSE_MS = const(20)  # from coil to main and auxiliary contacts
_OPEN_MS = const(12)
_LOCK_TRAVEL_MS = const(250)
_RCD_TEST_MS = const(30)


class Contactor:
    """Two coils: L1 with neutral, and L2 with L3. The auxiliary contacts follow the main contacts exactly."""

    def __init__(self, timeline, before, driven):
        self._timeline = timeline
        self._before = before  # called just before contacts move: what flowed until now is counted
        self._driven = driven  # called with (on, phases) soon after the coils were driven otherwise
        self._coils = [False, False]
        self._told = (False, 1)
        self._contacts = [False, False]
        self.welded = False
        self.stuck_open = False

    def drive(self, pole, on):
        on = bool(on)
        if self._coils[pole] != on:
            self._coils[pole] = on
            self._timeline.soon(self._tell)  # two coils that are switched by one step are one event
            self._timeline.after(_CLOSE_MS if on else _OPEN_MS, self._settle)

    def _tell(self):
        on = self._coils[0]
        phases = (3 if self._coils[1] else 1) if on else self._told[1]
        if (on, phases) != self._told:
            self._told = (on, phases)
            self._driven(on, phases)

    def _settle(self, _):
        contacts = [not self.stuck_open and (self.welded or coil) for coil in self._coils]
        if contacts != self._contacts:
            self._before()
            self._contacts = contacts

    def fault(self, name, on):
        """`welded`: the contacts stay closed whatever the coils do; `stuck_open`: they never close."""
        setattr(self, name, on)
        self._settle(None)

    def closed(self, pole):
        return self._contacts[pole]

    @property
    def coil(self):
        return self._coils[0]

    @property
    def phases(self):
        """How many phases are switched on, or were when they last were."""
        return self._told[1]


class Lock:
    """A bolt moved by a motor: it is where it was told to be once the motor has run for its travel time."""

    def __init__(self, timeline, moved):
        self._timeline = timeline
        self._moved = moved
        self._lock = self._unlock = False
        self._run = 0  # counts starts, so that an interrupted travel ends nowhere
        self.locked = False
        self.jammed = False

    def drive_lock(self, on):
        self._lock = bool(on)
        self._start()

    def drive_unlock(self, on):
        self._unlock = bool(on)
        self._start()

    def _start(self):
        self._run += 1
        # Both poles on the same side of the supply: the motor stands.
        if self._lock != self._unlock and self._lock != self.locked:
            self._timeline.after(_LOCK_TRAVEL_MS, self._arrive, self._run)

    def _arrive(self, run):
        if run == self._run and not self.jammed:
            self.locked = self._lock
            self._moved()


class Rcd:
    """Residual current monitor: trips on a real fault, and while its self-test input is high."""

    def __init__(self, timeline):
        self._timeline = timeline
        self._test = False
        self._answered = False
        self.fault = False
        self.dead = False  # its self-test has no effect any more

    def test(self, on):
        self._test = bool(on)
        self._timeline.after(_RCD_TEST_MS, self._answer)

    def _answer(self, _):
        self._answered = self._test and not self.dead

    @property
    def tripped(self):
        return self.fault or self._answered
