"""Registration at the back-end: may this station speak, may it charge, and when does it ask again (OCPP 1.6 §4.2)."""

import binascii

from micropython import const

ACCEPTED = "Accepted"
PENDING = "Pending"
REJECTED = "Rejected"
NONE = "None"  # not answered since power-on

# The station's own choice where the back-end names no interval (0), which shall not flood it.
_OWN_INTERVAL_MS = const(60_000)

# No answer, or one that makes no sense: the wait before the next BootNotification, doubled each time.
_FIRST_RETRY_MS = const(10_000)
_LONGEST_RETRY_MS = const(300_000)


class Registration:
    """The back-end's newest verdict on this station, and the one it gave before the last power cut.

    `state()` opens a StateFile, which holds the fingerprint of the back-end that accepted the station last. An accepted
    station keeps charging without a link; one that has never been accepted does not start to (§4.2.1).
    """

    def __init__(self, state, settings, clock):
        self._state = state
        self._settings = settings
        self._clock = clock
        self._accepted_by = state().load()
        self._next_ms = 0  # no BootNotification before this
        self._retry_ms = _FIRST_RETRY_MS
        self.status = NONE
        self.outdated = False  # the station is no longer what it said when it was accepted

    @property
    def current(self):
        """True when the back-end has accepted the station as it is now, and nothing is to be said (OCPP-J 1.6 §5.4)."""
        return self.status == ACCEPTED and not self.outdated

    @property
    def may_start(self):
        """True when transactions may begin: accepted now, or before the power went by the same back-end."""
        if self.status != NONE:
            return self.status == ACCEPTED
        return not self._settings.get("CentralSystemUrl") or self._accepted_by == self._fingerprint()

    def wait_ms(self):
        """Returns the milliseconds until BootNotification may be sent (again)."""
        return max(0, self._next_ms - self._clock.ms())

    def answered(self, status, interval_s):
        """Takes the back-end's verdict; `interval_s` is the wait it asks for when it is not Accepted."""
        self.status = status
        self._retry_ms = _FIRST_RETRY_MS
        if status != ACCEPTED:
            self._next_ms = self._clock.ms() + (interval_s * 1000 if interval_s > 0 else _OWN_INTERVAL_MS)
        elif self._accepted_by != self._fingerprint():
            self._accepted_by = self._fingerprint()
            self._state().save(self._accepted_by)

    def unanswered(self):
        """The back-end did not answer, or not so that it can be understood."""
        self._next_ms = self._clock.ms() + self._retry_ms
        self._retry_ms = min(self._retry_ms * 2, _LONGEST_RETRY_MS)

    def renew(self):
        """Another back-end, or another identity: everything begins anew."""
        self.status = NONE
        self._next_ms = 0

    def _fingerprint(self):
        """Returns that of the back-end, together with the name that the station has there."""
        url = self._settings.get("CentralSystemUrl") + "/" + self._settings.get("ChargePointId")
        return binascii.crc32(url.encode())
