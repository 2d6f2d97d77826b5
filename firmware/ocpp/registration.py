"""Registration at the back-end: BootNotification status, retry interval, may it send and charge (§4.2)."""

import binascii

from micropython import const

from firmware.ocpp.errors import CallError, LinkDown

ACCEPTED = "Accepted"
PENDING = "Pending"
REJECTED = "Rejected"
NONE = "None"  # no answer since power-on

# Interval where the back-end leaves it to the station (0).
_OWN_INTERVAL_MS = const(60_000)

# Wait after no answer, or an unreadable one; doubled each time.
_FIRST_RETRY_MS = const(10_000)
_LONGEST_RETRY_MS = const(300_000)


class Registration:
    """Registration status: the newest answer of the back-end, and whether it accepted the station before power-on.

    `state` is a StateFile with the fingerprint of the back-end that last accepted the station. An accepted station
    keeps charging without a link; a station that was never accepted does not start (§4.2.1). `address()` returns the
    back-end and the station's identity there as text, "" when none is configured. `rules`: status -> (sends requested
    messages, answers calls).
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
        self.outdated = False  # the identity has changed since the station was accepted

    @property
    def accepted(self):
        return self.status == ACCEPTED

    @property
    def current(self):
        """True when accepted with the present identity: no new registration is needed (OCPP-J 1.6 §5.4)."""
        return self.status == ACCEPTED and not self.outdated

    @property
    def obeys(self):
        """True while the station sends requested messages."""
        return self._rules[self.status][0]

    @property
    def answers(self):
        """True while the station answers calls."""
        return self._rules[self.status][1]

    @property
    def may_start(self):
        """True when transactions may begin: accepted now, or by the same back-end before the last power-on."""
        if self.status != NONE:
            return self.status == ACCEPTED
        return not self._address() or self._accepted_by == self._fingerprint()

    def wait_ms(self):
        """Returns the milliseconds until the next registration request is allowed."""
        return max(0, self._next_ms - self._clock.ms())

    def answered(self, status, interval_s):
        """Takes the back-end's answer; `interval_s` is the wait before the next request unless Accepted."""
        self.status = status
        self._retry_ms = _FIRST_RETRY_MS
        if status != ACCEPTED:
            self._next_ms = self._clock.ms() + (interval_s * 1000 if interval_s > 0 else _OWN_INTERVAL_MS)
        elif self._accepted_by != self._fingerprint():
            self._accepted_by = self._fingerprint()
            self._state.save(self._accepted_by)

    def unanswered(self):
        """Takes note that no answer came, or an unreadable one."""
        self._next_ms = self._clock.ms() + self._retry_ms
        self._retry_ms = min(self._retry_ms * 2, _LONGEST_RETRY_MS)

    def renew(self):
        """Starts over for another back-end or another identity."""
        self.status = NONE
        self._next_ms = 0

    def _fingerprint(self):
        return binascii.crc32(self._address().encode())


class Registrar:
    """Sends the registration requests. A source of the Sender.

    `version` has boot(), which returns (action, payload), and verdict(response), which returns (status or None,
    interval in s).
    """

    def __init__(self, registration, version, call, log):
        self._registration = registration
        self._version = version
        self._call = call
        self._log = log
        self._asked = False
        self.booted = False  # the back-end has accepted the station on the present link
        self._take = None

    def serve(self, take):
        """Sets `take(status, interval_s, response)`, which is called at each answer."""
        self._take = take

    def ask(self):
        """Sends the request without waiting for the interval, because the back-end has asked for it."""
        self._asked = True

    def wait_ms(self):
        if self._asked:
            return 0
        return None if self._registration.current else self._registration.wait_ms()

    async def send(self):
        """Sends the request. Raises LinkDown: then the next attempt waits for the link, not for the interval."""
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
            self._log.warning("ocpp", "%s: answer without a valid status", action)
            self._registration.unanswered()
            return
        self._log.info("ocpp", "%s, interval %d s", status, interval_s)
        self._registration.outdated = True  # until all of this is done: after an exception the request is repeated
        self._registration.answered(status, interval_s)
        self.booted = status == ACCEPTED
        self._take(status, interval_s, response)
        self._registration.outdated = self._version.boot() != (action, payload)  # changed meanwhile?
