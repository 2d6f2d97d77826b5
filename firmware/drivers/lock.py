"""Plug lock: motor pulses to lock and unlock, and the feedback contact (IEC 61851-1 D.6.5).

The motor burns if it stays energised, so step() must be called while a pulse runs, for example every 20 ms.
"""

from micropython import const

# Pause between two pulses, for the half bridge and for the motor to stop.
_REVERSE_MS = const(100)


class Lock:
    """forward and backward are the motor's machine.Pin outputs (1 = drive), never 1 at the same time.

    feedback   machine.Pin, `feedback_locked` = locked; None: the position is assumed when the pulse has ended
    pulse_ms   common actuators need 300 to 600 ms
    """

    fitted = True

    def __init__(self, forward, backward, feedback=None, feedback_locked=1, pulse_ms=400):
        self._forward = forward
        self._backward = backward
        self._feedback = feedback
        self._feedback_locked = feedback_locked
        self._pulse_ms = pulse_ms
        self._wanted = None  # no pulse at power-on: the bolt stays where it is until drive()
        self._moved_to = None
        self._pulsing = False
        self._since = 0  # begin of the pulse, or of the pause after it
        self._resting = False
        self._stop()

    def drive(self, locked):
        """Locks or unlocks the plug. Starts a pulse if the position differs from that of the last call."""
        self._wanted = locked

    def step(self, now_ms):
        """Starts and ends the motor's pulses."""
        if self._pulsing:
            if now_ms - self._since >= self._pulse_ms:
                self._stop()
                self._pulsing = False
                self._resting = True
                self._since = now_ms
        elif self._resting and now_ms - self._since < _REVERSE_MS:
            return
        elif self._wanted != self._moved_to:
            self._moved_to = self._wanted
            self._pulsing = True
            self._since = now_ms
            (self._forward if self._wanted else self._backward)(1)

    def halt(self):
        """Ends a pulse at once, for when step() will not be called. The bolt stays where it is."""
        self._stop()
        self._pulsing = False
        self._wanted = self._moved_to = None

    def is_locked(self):
        """Returns the position by the feedback contact."""
        if self._feedback is None:
            return bool(self._moved_to) and not self._pulsing
        return self._feedback() == self._feedback_locked

    def _stop(self):
        self._forward(0)
        self._backward(0)
