"""Debounced vehicle state (A to E) on the control pilot, for each transition as its deadline allows."""

from micropython import const

from firmware.evse.pilot_levels import PilotLevels

# Two samples, since contacts bounce while a plug is inserted.
_CONNECT_MS = const(15)
# IEC 61851-1 table A.6 seq. 2.2, 8.1: contactor open within 100 ms after S2 opens or the plug goes. Three samples at
# 20 ms; when the loop was blocked, two samples this far apart are enough, so that delays do not add up.
LEAVE_MS = const(35)
# Four samples while the contactor switches next to the pilot's wire, still within 100 ms.
LEAVE_DISTURBED_MS = const(55)
# Table A.6 seq. 4 allows 3 s. BMW iX3 toggles to C for 250 ms; 500 ms is common practice.
_READY_MS = const(500)


class PilotState:
    """`state` is "A" to "E", or "F": not known yet.

    A vehicle that shows C (or D) at once counts as B for the first 500 ms, so a simplified vehicle that goes directly
    from A to C is accepted (IEC 61851-1 A.2.3).
    """

    def __init__(self, state="A", connected=False):
        self._levels = PilotLevels()
        self._contrary_since = None  # time of the first sample in a row that differs from `state`
        self._letter = None  # latest level, and its start time
        self._letter_since = 0
        self.state = state
        self.connected = connected  # kept in E, where the pilot does not show it

    def see(self, high_mv, now_ms, leave_ms=LEAVE_MS):
        """Takes one sample of the positive half-wave in mV.

        C or D ends when B has lasted for `leave_ms`; with None it does not, because some vehicles glitch to 9 V after a
        change of the duty cycle. A, D and E are never ignored.
        """
        letter = self._levels.letter(high_mv)
        if letter != self._letter:
            self._letter = letter
            self._letter_since = now_ms
        state = self.state
        powered = state == "C" or state == "D"
        if letter == state or (leave_ms is None and powered and letter == "B"):
            self._contrary_since = None
            if letter == state and state != "E":
                self.connected = state != "A"  # again, for an exception may have come between the two
            return
        if self._contrary_since is None:
            self._contrary_since = now_ms
        held_ms = now_ms - self._letter_since
        if powered:
            # A plug that bounces between A and B while it is pulled has left C.
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
        """Forgets the state: the next samples decide, debounced as for plugging and unplugging."""
        self.state = "F"
        self._letter = self._contrary_since = None

    def unplugged(self):
        """The plug is out by the proximity contact, while the pilot does not show it (E, or pilot cut)."""
        self.connected = False
        if self.state != "E":
            self.state = "A"

    def _enter(self, state):
        self.state = state
        self._contrary_since = None
        if state != "E":
            self.connected = state != "A"
