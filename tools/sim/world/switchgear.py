# Electromechanical parts of a charging station. MIT license.
"""Switchgear: contactor with auxiliary contacts, lock motor with feedback, residual current device with self-test."""

from micropython import const

_CLOSE_MS = const(20)  # from coil to main and auxiliary contacts
_OPEN_MS = const(12)
_LOCK_TRAVEL_MS = const(250)
_BOUNCE_MS = const(300)  # of a worn auxiliary contact, after each movement
_BOUNCE_PERIOD_MS = const(10)

AUX = ("follow", "open", "closed", "bounce")
BOLT = ("follow", "stuck_open", "stuck_closed", "half", "no_feedback")
# From a change of the test line to the answer; "slow" is later than allowed (IEC 62955: about 740 ms).
SELFTEST_MS = {"ok": 30, "fail": None, "slow": 1500, "stuck": 30}


class Contactor:
    """Two coils: L1 with neutral, and L2 with L3. The auxiliary contacts follow the main contacts exactly, unless `aux`
    (one of AUX) says otherwise: "bounce" chatters for 300 ms after each movement."""

    def __init__(self, timeline, before, driven):
        self._timeline = timeline
        self._before = before  # called just before contacts move, to count the energy so far
        self._driven = driven  # called with (on, phases) soon after the coils have changed
        self._coils = [False, False]
        self._told = (False, 1)
        self._contacts = [False, False]
        self._moved_at = timeline.time
        self.welded = False
        self.stuck_open = False
        self.aux = "follow"

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
            self._moved_at = self._timeline.time

    def set_aux(self, aux):
        self.aux = aux
        self._moved_at = self._timeline.time

    def auxiliary(self, pole):
        """Returns the level of an auxiliary contact."""
        if self.aux == "bounce":
            since = self._timeline.time - self._moved_at
            if since < _BOUNCE_MS and since // _BOUNCE_PERIOD_MS & 1:
                return not self._contacts[pole]
        elif self.aux != "follow":
            return self.aux == "closed"
        return self._contacts[pole]

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
        """Number of phases that are switched on, or were last."""
        return self._told[1]


class Lock:
    """A bolt moved by a motor: it reaches its position when the motor has run for the travel time.

    `bolt` is one of BOLT; a stuck bolt is moved there first. `locked` is the position of the bolt, `feedback` the level
    of its contact. A bolt that stops half-way counts as open.
    """

    def __init__(self, timeline, moved):
        self._timeline = timeline
        self._moved = moved
        self._lock = self._unlock = False
        self._run = 0  # counts starts, so that an interrupted travel has no effect
        self.locked = False
        self.jammed = False
        self.bolt = "follow"

    def drive_lock(self, on):
        self._lock = bool(on)
        self._start()

    def drive_unlock(self, on):
        self._unlock = bool(on)
        self._start()

    def set_bolt(self, bolt):
        self.bolt = bolt
        if bolt.startswith("stuck_"):
            self._arrive_at(bolt == "stuck_closed")

    @property
    def feedback(self):
        return self.locked and self.bolt != "no_feedback"

    def _start(self):
        self._run += 1
        # Both poles on the same side of the supply: the motor stands.
        if self._lock != self._unlock and self._lock != self.locked:
            self._timeline.after(_LOCK_TRAVEL_MS, self._arrive, self._run)

    def _arrive(self, run):
        if run == self._run and not self.jammed and not self.bolt.startswith("stuck_"):
            self._arrive_at(self._lock and self.bolt != "half")

    def _arrive_at(self, locked):
        if locked != self.locked:
            self.locked = locked
            self._moved()


class Rcd:
    """Residual current monitor: trips on a real fault, and answers its test line as `selftest` (of SELFTEST_MS) says:
    "stuck" stays tripped after a test."""

    def __init__(self, timeline):
        self._timeline = timeline
        self._answered = False
        self.fault = False
        self.selftest = "ok"

    def set_selftest(self, selftest):
        self.selftest = selftest
        self._answered = False

    def test(self, on):
        delay_ms = SELFTEST_MS[self.selftest]
        if delay_ms is not None:
            self._timeline.after(delay_ms, self._answer, bool(on))

    def _answer(self, on):
        self._answered = on or (self._answered and self.selftest == "stuck")

    @property
    def tripped(self):
        return self.fault or self._answered
