"""Current rating of the cable: from the proximity resistor in a socket (IEC 61851-1 table B.2), or fixed cable."""

from micropython import const

# (ohm from, mA). The coding values are 1500, 680, 220 and 100; the bands meet half-way between them, and both ends are
# closed: an open or shorted contact is no 13 A cable.
_BANDS = (
    (4_500, None),
    (2_700, 0),
    (1_000, 13_000),
    (330, 20_000),
    (150, 32_000),
    (60, 63_000),
)
# The contacts of a plug that goes in bounce; two equal looks 100 ms apart are a cable.
_SETTLE_MS = const(100)


def rating_ma(ohm):
    """Returns the mA that a proximity resistance allows, 0 for one that is no coding, None for no plug (or no ohm)."""
    if ohm is None:
        return None
    for low, milliamps in _BANDS:
        if ohm >= low:
            return milliamps
    return 0


class Cable:
    """The cable in a socket. `ma` is the settled rating: mA, 0 when unreadable, None without a plug."""

    def __init__(self):
        self.ma = None
        self._seen = None
        self._seen_since = 0

    @property
    def usable(self):
        """Its rating is known: current may be offered."""
        return bool(self.ma)

    @property
    def missing(self):
        """The proximity contact is open: no plug is in."""
        return self.ma is None and self._seen is None

    @property
    def settling(self):
        """A readable rating has been seen and is not settled yet."""
        return bool(self._seen) and self._seen != self.ma

    def see(self, ohm, now_ms):
        """Takes the newest proximity resistance in ohm (None = open); returns True when `ma` has changed."""
        rating = rating_ma(ohm)
        if rating != self._seen:
            self._seen = rating
            self._seen_since = now_ms
        elif rating != self.ma and now_ms - self._seen_since >= _SETTLE_MS:
            self.ma = rating
            return True
        return False


class FixedCable:
    """Stands where a socket has its Cable and its LockSupervision.

    The cable cannot be taken out, so the plug counts as locked; it has no proximity contact and no rating of its own,
    for the station's limit allows for it.
    """

    ma = None
    usable = True
    missing = False
    settling = False
    confirmed = True
    failed = False
    drive = None

    def see(self, ohm, now_ms):
        return False

    def step(self, wanted, closed, now_ms):
        pass

    def retry(self):
        pass
