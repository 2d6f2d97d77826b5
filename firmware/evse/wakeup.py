"""Wake-up of a vehicle that does not draw the offered current: interrupts the pilot (IEC 61851-1 A.5.3).

The standard has one interruption of 4 s; some vehicles need 30 s, and a few only react to state F. With a switch in the
pilot line the interruption looks like unplugging; without one only state F for 4 s is possible.
"""

from micropython import const

NOTHING = const(0)
DISCONNECT = const(1)  # open the pilot line
PULSE_F = const(2)  # drive -12 V

_HOUR_MS = const(3_600_000)

# (seconds since the offer, action); each entry lasts until the next. The first four are A.5.3 and common practice;
# state F comes last, and only for a vehicle that has not charged for an hour, since its battery may be full. After the
# last entry the offer stays without further attempts.
_WITH_SWITCH = ((90, DISCONNECT), (94, NOTHING), (124, DISCONNECT), (154, NOTHING))
_WITH_SWITCH_THEN_F = _WITH_SWITCH + ((184, PULSE_F), (188, NOTHING), (218, PULSE_F), (248, NOTHING))
_WITHOUT_SWITCH = ((90, PULSE_F), (94, NOTHING))


class WakeUp:
    """`action`: present action on the pilot. One round per offer, none once the vehicle has requested energy.

    An offer begins with the first current for a plugged-in vehicle (B1 -> B2) and ends with a pause or unplugging. A
    vehicle that goes back from C to B is awake: it is full, or does not charge for its own reasons.
    """

    def __init__(self, has_switch):
        self._has_switch = has_switch
        self._plan = ()
        self._index = 0
        self._since = None  # start of the offer, None without an offer
        self._awake = False  # the vehicle has requested energy during this offer
        self._charged_at = None
        self.action = NOTHING

    def step(self, offered, ready, charging, now_ms):
        """`offered`: permission and enough current. `ready`: the vehicle requests energy. `charging`: energy flows."""
        if charging:
            self._charged_at = now_ms
        if not offered:
            self._since = None
            self._awake = False
            self.action = NOTHING
            return
        if self._since is None:
            self._since = now_ms
            self._index = 0
            self._plan = self._choose(now_ms)
        if ready or charging:
            self._awake = True
        if self._awake:
            return
        if self._index < len(self._plan) and now_ms - self._since >= self._plan[self._index][0] * 1000:
            self.action = self._plan[self._index][1]
            self._index += 1

    def _choose(self, now_ms):
        if not self._has_switch:
            return _WITHOUT_SWITCH
        if self._charged_at is None or now_ms - self._charged_at >= _HOUR_MS:
            return _WITH_SWITCH_THEN_F
        return _WITH_SWITCH
