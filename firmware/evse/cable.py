"""Current rating of the cable in a socket, from its proximity resistor (IEC 61851-1 table B.2)."""

from micropython import const

# (ohm from, mA). The coding values are 1500, 680, 220 and 100; the bands meet half-way between them. Beyond both ends
# the value is invalid: an open or shorted contact is not a 13 A cable.
_BANDS = (
    (4_500, None),
    (2_700, 0),
    (1_000, 13_000),
    (330, 20_000),
    (150, 32_000),
    (60, 63_000),
)
# Contacts bounce while a plug is inserted: two equal readings 100 ms apart are required.
_SETTLE_MS = const(100)


def rating_ma(ohm):
    """Returns the mA coded by a proximity resistance, 0 for an invalid one, None for no plug (or ohm None)."""
    if ohm is None:
        return None
    for low, milliamps in _BANDS:
        if ohm >= low:
            return milliamps
    return 0


class Cable:
    """The cable in a socket. `ma` is the debounced rating: mA, 0 if invalid, None without a plug."""

    def __init__(self):
        self.ma = None
        self._seen = None
        self._seen_since = 0

    @property
    def usable(self):
        """True when the rating is valid: current may be offered."""
        return bool(self.ma)

    @property
    def missing(self):
        """True when the proximity contact is open: no plug."""
        return self.ma is None and self._seen is None

    @property
    def settling(self):
        """True when a valid rating was read and is not debounced yet."""
        return bool(self._seen) and self._seen != self.ma

    def see(self, ohm, now_ms):
        """Takes the latest proximity resistance in ohm (None = open); returns True when `ma` has changed."""
        rating = rating_ma(ohm)
        if rating != self._seen:
            self._seen = rating
            self._seen_since = now_ms
        elif rating != self.ma and now_ms - self._seen_since >= _SETTLE_MS:
            self.ma = rating
            return True
        return False
