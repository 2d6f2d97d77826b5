"""Registration at the back-end: BootNotification status, retry interval, may it send and charge (§4.2)."""

import binascii

from micropython import const

from firmware.ocpp.errors import CallError, LinkDown

ACCEPTED = "Accepted"
PENDING = "Pending"
REJECTED = "Rejected"
NONE = "None"  # not answered since power-on

# The station's own choice where the back-end names no interval (0), which shall not flood it.
_OWN_INTERVAL_MS = const(60_000)

# No answer, or one that makes no sense: the wait before the next request, doubled each time.
_FIRST_RETRY_MS = const(10_000)
_LONGEST_RETRY_MS = const(300_000)


class Registration:
    """The back-end's newest verdict on this station, and the one it gave before the last power cut.

    `state` is a StateFile, which holds the fingerprint of the back-end that accepted the station last. An accepted
    station keeps charging without a link; one that has never been accepted does not start to (§4.2.1). `address()`
    returns the back-end and the name that the station has there as text, "" when there is none. `rules` says for each
    verdict what the station does: (sends what it is asked for, answers calls).
    """

    def __init__(self, state, address, clock, rules):
        self._state = state
        self._address = address
        self._clock = clock
        self._rules = rules
        self._accepted_by = state.load()
        self._next_ms = 0  # no request before this
        self._retry_ms = _FIRST_RETRY_MS
        self.status = NONE
        self.outdated = False  # the station is no longer what it said when it was accepted

    @property
    def accepted(self):
        return self.status == ACCEPTED

    @property
    def current(self):
        """True when the back-end has accepted the station as it is now, and nothing is to be said (OCPP-J 1.6 §5.4)."""
        return self.status == ACCEPTED and not self.outdated

    @property
    def obeys(self):
        """True while the station sends what it is asked for."""
        return self._rules[self.status][0]

    @property
    def answers(self):
        """True while the station answers calls, were it only to say that they make no sense."""
        return self._rules[self.status][1]

    @property
    def may_start(self):
        """True when transactions may begin: accepted now, or before the power went by the same back-end."""
        if self.status != NONE:
            return self.status == ACCEPTED
        return not self._address() or self._accepted_by == self._fingerprint()

    def wait_ms(self):
        """Returns the milliseconds until the station may ask (again)."""
        return max(0, self._next_ms - self._clock.ms())

    def answered(self, status, interval_s):
        """Takes the back-end's verdict; `interval_s` is the wait it asks for when it is not Accepted."""
        self.status = status
        self._retry_ms = _FIRST_RETRY_MS
        if status != ACCEPTED:
            self._next_ms = self._clock.ms() + (interval_s * 1000 if interval_s > 0 else _OWN_INTERVAL_MS)
        elif self._accepted_by != self._fingerprint():
            self._accepted_by = self._fingerprint()
            self._state.save(self._accepted_by)

    def unanswered(self):
        """The back-end did not answer, or not so that it can be understood."""
        self._next_ms = self._clock.ms() + self._retry_ms
        self._retry_ms = min(self._retry_ms * 2, _LONGEST_RETRY_MS)

    def renew(self):
        """Another back-end, or another identity: everything begins anew."""
        self.status = NONE
        self._next_ms = 0

    def _fingerprint(self):
        return binascii.crc32(self._address().encode())


class Registrar:
    """Asks the back-end for its verdict: a source of the Sender.

    `version` has boot(), which returns (action, payload), and verdict(response), which returns (status or None,
    interval in s).
    """

    def __init__(self, registration, version, call, log):
        self._registration = registration
        self._version = version
        self._call = call
        self._log = log
        self._asked = False
        self.booted = False  # the back-end has accepted the station on this very link
        self._take = None

    def serve(self, take):
        """Has `take(status, interval_s, response)` called at each verdict."""
        self._take = take

    def ask(self):
        """Has the request sent without waiting for the interval; the back-end asked for it."""
        self._asked = True

    def wait_ms(self):
        if self._asked:
            return 0
        return None if self._registration.current else self._registration.wait_ms()

    async def send(self):
        """Raises LinkDown without a link: then the link's next signal counts, and no interval."""
        self._asked = False
        action, payload = self._version.boot()
        try:
            response = await self._call(action, payload)
        except LinkDown:
            raise
        except (CallError, OSError) as exc:
            self._log.warning("ocpp", "%s: %s", action, exc)
            self._registration.unanswered()
            return
        status, interval_s = self._version.verdict(response)
        if status is None:
            self._log.warning("ocpp", "%s: no status that can be read", action)
            self._registration.unanswered()
            return
        self._log.info("ocpp", "%s, interval %d s", status, interval_s)
        self._registration.outdated = True  # until the rest is done, too: a station that breaks off here says it again
        self._registration.answered(status, interval_s)
        self.booted = status == ACCEPTED
        self._take(status, interval_s, response)
        self._registration.outdated = self._version.boot() != (action, payload)  # it may have changed meanwhile
