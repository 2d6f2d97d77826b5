"""Wakes a vehicle that fell asleep: it is offered current and does not ask for it (IEC 61851-1 A.5.3).

The standard knows one interruption of 4 s; some vehicles need 30 s, and a few only react to state F. With a switch in
the pilot line it looks like unplugging; without one, state F for 4 s is all there is.
"""

from micropython import const

NOTHING = const(0)
DISCONNECT = const(1)  # open the pilot line
PULSE_F = const(2)  # drive -12 V

_HOUR_MS = const(3_600_000)

# (seconds since the offer, action); each entry lasts until the next.
_WITH_SWITCH = ((90, DISCONNECT), (94, NOTHING), (124, DISCONNECT), (154, NOTHING))
# State F only for a vehicle that has not charged for an hour: a full battery is no reason to be rude.
_WITH_SWITCH_THEN_F = _WITH_SWITCH + ((184, PULSE_F), (188, NOTHING), (218, PULSE_F), (248, NOTHING))
_WITHOUT_SWITCH = ((90, PULSE_F), (94, NOTHING))


class WakeUp:
    """`action` is what to do to the pilot now. One round for each offer."""

    def __init__(self, has_switch):
        self._has_switch = has_switch
        self._plan = ()
        self._index = 0
        self._since = None  # beginning of the offer, None while there is none
        self._charged_at = None
        self.action = NOTHING

    def step(self, offered, charging, now_ms):
        """`offered`: permission and enough current for a vehicle in B. `charging`: it takes it."""
        if charging:
            self._charged_at = now_ms
        if not offered:
            self._since = None
            self.action = NOTHING
            return
        if self._since is None:
            self._since = now_ms
            self._index = 0
            self._plan = self._choose(now_ms)
        if self._index < len(self._plan) and now_ms - self._since >= self._plan[self._index][0] * 1000:
            self.action = self._plan[self._index][1]
            self._index += 1

    def _choose(self, now_ms):
        if not self._has_switch:
            return _WITHOUT_SWITCH
        if self._charged_at is None or now_ms - self._charged_at >= _HOUR_MS:
            return _WITH_SWITCH_THEN_F
        return _WITH_SWITCH
