"""Debounced vehicle state (A to E) on the control pilot, for each transition as its deadline allows."""

from micropython import const

from firmware.evse.pilot_levels import PilotLevels

# Two samples: a plug that goes in bounces, but nothing hangs on the first 20 ms.
_CONNECT_MS = const(15)
# IEC 61851-1 table A.6 seq. 2.2, 8.1: contactor open within 100 ms after S2 opens or the plug goes. Three samples at
# 20 ms; when the loop was held, two samples this far apart will do, so that the hold does not add up.
LEAVE_MS = const(35)
# While a contactor switches next to the pilot's wire four samples are asked for, which still keeps the 100 ms.
LEAVE_DISTURBED_MS = const(55)
# Table A.6 seq. 4 allows 3 s. BMW iX3 shows C for 250 ms as a toggle; 500 ms is what the field waits.
_READY_MS = const(500)


class PilotState:
    """`state` is "A" to "E", or "F": not known yet.

    A vehicle that shows C (or D) at once counts as B until it has held that for 500 ms, so a simplified vehicle that
    goes from A straight to C is accepted (IEC 61851-1 A.2.3).
    """

    def __init__(self, state="A", connected=False):
        self._levels = PilotLevels()
        self._contrary_since = None  # first sample in a row that was not `state`
        self._letter = None  # newest level, and since when it has been that
        self._letter_since = 0
        self.state = state
        self.connected = connected  # survives E, where the pilot cannot tell

    def see(self, high_mv, now_ms, leave_ms=LEAVE_MS):
        """Takes one sample of the positive half-wave in mV.

        C or D ends when B has lasted for `leave_ms`; with None it does not, for some vehicles glitch to 9 V after a
        change of the duty cycle. A, D and E always count.
        """
        letter = self._levels.letter(high_mv)
        if letter != self._letter:
            self._letter = letter
            self._letter_since = now_ms
        state = self.state
        powered = state == "C" or state == "D"
        if letter == state or (leave_ms is None and powered and letter == "B"):
            self._contrary_since = None
            return
        if self._contrary_since is None:
            self._contrary_since = now_ms
        held_ms = now_ms - self._letter_since
        if powered:
            # A plug that bounces between A and B on its way out has left C all the same.
            if now_ms - self._contrary_since >= (leave_ms if letter == "B" else LEAVE_MS):
                self._enter(letter)
        elif letter == "C" or letter == "D":
            if held_ms >= _READY_MS:
                self._enter(letter)
            elif state != "B" and held_ms >= _CONNECT_MS:
                self._enter("B")
        elif held_ms >= (_CONNECT_MS if letter == "B" else LEAVE_MS):
            self._enter(letter)

    def forget(self):
        """What was seen says nothing any more: the next samples decide, debounced as for a plug that comes or goes."""
        self.state = "F"
        self._letter = self._contrary_since = None

    def unplugged(self):
        """The plug is out, says the proximity contact: in E the pilot cannot tell, nor while it is cut."""
        self.connected = False
        if self.state != "E":
            self.state = "A"

    def _enter(self, state):
        self.state = state
        self._contrary_since = None
        if state != "E":
            self.connected = state != "A"
