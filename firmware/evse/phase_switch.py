"""Phase switching between one and three phases, without load and with the vehicle's charger asleep.

Switching without interrupting the pilot destroys some vehicles, so the order is: withdraw the offer, open, cut the
pilot (by its switch, or state F without one), wait, switch, wait, continue. Unplugging ends the wait.
"""

from micropython import const

_SETTLE_MS = const(100)  # between opening, cutting the pilot, changing and going on
_WAIT_MS = const(60_000)  # needed by the slowest known vehicles to detect a new number of phases

_IDLE = const(0)
_OPENING = const(1)
_WAITING = const(2)
_SETTLING = const(3)


class PhaseSwitch:
    """`phases`: phases for the contactors to connect. `holds`: no offer now. `cuts`: the pilot must be cut."""

    def __init__(self, phases, wanted=None, energised=False):
        self.phases = phases
        self.wanted = wanted or phases
        self.holds = False
        self.cuts = False
        self._phase = _IDLE
        self._since = 0
        self._energised = energised  # the vehicle has had voltage since it was plugged in

    def step(self, closed, vehicle_away, now_ms):
        """`closed`: the contactor is or should be closed; `vehicle_away`: the pilot is in A."""
        if closed:
            self._energised = True
        elif vehicle_away:
            self._energised = False
        if self._phase == _IDLE:
            if self.wanted != self.phases:
                if not self._energised:
                    self.phases = self.wanted
                    return
                self.holds = True
                self._enter(_OPENING, now_ms)
        elif self._phase == _OPENING:
            if closed:
                self._since = now_ms
            elif now_ms - self._since >= _SETTLE_MS:
                self.cuts = True
                self._enter(_WAITING, now_ms)
        elif self._phase == _WAITING:
            if vehicle_away or now_ms - self._since >= _WAIT_MS:
                self.phases = self.wanted
                self._enter(_SETTLING, now_ms)
        elif now_ms - self._since >= _SETTLE_MS:
            self.holds = self.cuts = False
            self._enter(_IDLE, now_ms)

    def _enter(self, phase, now_ms):
        self._phase = phase
        self._since = now_ms
