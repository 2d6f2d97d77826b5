"""Pilot output: +12 V, PWM or state F, and the least time of each (IEC 61851-1 tables A.5 and A.6)."""

from micropython import const

from firmware.evse.limits import STATE_F, STEADY

# A.5.3: a vehicle has 5 s to follow a duty cycle; the next one comes after that.
DUTY_INTERVAL_MS = const(5_000)
# A.6 seq. 10.1: after the PWM was withdrawn, none is offered for the 3 s that the vehicle has to respond.
WITHDRAWN_AT_LEAST_MS = const(3_000)
# Table A.5: some vehicles do not detect a shorter state F.
STATE_F_AT_LEAST_MS = const(300)
# Between state F and a PWM the pilot is at +12 V, so that a vehicle that was reset detects the station first.
STEADY_AFTER_F_MS = const(750)

_STEADY = const(0)
_PWM = const(1)
_F = const(2)

# Least time in ms of the output of a row before that of a column; None: not in one step.
_LEAST_MS = (
    # steady, PWM, F
    (0, 0, 0),  # steady; before a PWM see `_pwm_from` and `_withdrawn_at`, too
    (0, DUTY_INTERVAL_MS, 0),  # PWM
    (STATE_F_AT_LEAST_MS, None, 0),  # F
)


class PilotOutput:
    """`duty` in 0.01 % (STEADY, STATE_F); `offered_ma`: what it signals, 0 without PWM; `since`: last change, ms."""

    def __init__(self):
        self.duty = STEADY
        self.offered_ma = 0
        self.since = 0
        self._kind = _STEADY
        self._pwm_from = 0
        self._withdrawn_at = None  # when this vehicle's offer was withdrawn

    @property
    def pwm(self):
        """True while a current is offered."""
        return self._kind == _PWM

    def drive(self, duty, milliamps, plugged, now_ms):
        """Sets a duty cycle, or the output on the way there, once the present one has lasted long enough.

        `plugged`: a vehicle is connected, which needs time when its offer is withdrawn.
        """
        if duty == self.duty:
            return
        kind = _kind_of(duty)
        if self._kind == _F and kind == _PWM:
            duty, kind = STEADY, _STEADY
        if now_ms - self.since < _LEAST_MS[self._kind][kind]:
            return
        if self._kind == _STEADY and kind == _PWM:
            withdrawn = self._withdrawn_at
            if now_ms < self._pwm_from:
                return
            if withdrawn is not None and now_ms - withdrawn < WITHDRAWN_AT_LEAST_MS:
                return
        elif self._kind == _F:
            self._pwm_from = now_ms + STEADY_AFTER_F_MS
        elif self._kind == _PWM and kind != _PWM and plugged:
            self._withdrawn_at = now_ms
        self._enter(kind, duty, milliamps if kind == _PWM else 0, now_ms)

    def withdraw(self, now_ms):
        """State F at once, in any state."""
        self._enter(_F, STATE_F, 0, now_ms)

    def unplugged(self):
        """The vehicle was unplugged: the next one has had no offer yet."""
        self._withdrawn_at = None

    def forget(self):
        """Resets the waiting times, after a restart."""
        self._pwm_from = 0
        self._withdrawn_at = None

    def _enter(self, kind, duty, milliamps, now_ms):
        self._kind = kind
        self.duty = duty
        self.offered_ma = milliamps
        self.since = now_ms


def _kind_of(duty):
    if duty == STEADY:
        return _STEADY
    return _F if duty == STATE_F else _PWM
