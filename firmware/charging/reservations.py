"""Reservations of connectors for a user until a time, kept over restarts (OCPP 1.6 §3.11, §5.13)."""

import json
from collections import namedtuple

from firmware.charging.status import FAULTED, OUT_OF_SERVICE
from firmware.charging.usage import IDLE, WAITING, in_service, is_faulted, phase
from firmware.store.tokens import same_token

# connector 0: any one of them. `parent` is the group that may use it as well, or None; expiry in Unix seconds.
Reservation = namedtuple("Reservation", ("number", "connector", "token", "parent", "expiry"))

_BROKEN = (FAULTED, OUT_OF_SERVICE)


class Reservations:
    """One reservation for each connector, and one that leaves the connector open.

    `store` keeps a text (store.slots.Slots) or is None; `zero` is the ConnectorZero, `claims` the Claims of tokens that
    are being checked. A connector's `usage.reserved` is True while it is kept: by a reservation of its own, or as the
    last free one.
    """

    def __init__(self, connectors, services, store, zero, claims, transaction_changed):
        self._connectors = connectors
        self._clock = services.clock
        self._log = services.log
        self._settings = services.settings
        self._store = store
        self._zero = zero
        self._claims = claims
        self._all = self._load()
        transaction_changed.connect(self._transaction_changed)
        self.step()

    def reserve(self, number, n, token, parent, expiry):
        """Reserves connector n, or with 0 any one; the reservation with the same number is replaced.

        Returns "accepted", or why everything stays as it is, in this order (OCPP 1.6 §5.13): "rejected" (no such
        connector, 0 not supported), "faulted", "unavailable", "occupied" (in use or reserved), and again
        "rejected" (already expired, flash refuses). With 0 it is "faulted" or "unavailable" when all connectors are.
        """
        self.step()
        others = [r for r in self._all if r.number != number]
        refusal = self._refusal(others, n)
        if refusal is None and expiry <= self._clock.now():
            refusal = "rejected"
        if refusal:
            return refusal
        if not self._save(others + [Reservation(number, n, token, parent, expiry)]):
            return "rejected"
        self._log.info("reservation", "%d: connector %d for %s", number, n, token)
        return "accepted"

    def cancel(self, number):
        """Ends a reservation; False when there is none with this number (OCPP 1.6 §5.1)."""
        self.step()  # one that has just come to its end cannot be cancelled
        if all(r.number != number for r in self._all):
            return False
        self._end([r for r in self._all if r.number == number], "cancelled")
        return True

    def admits(self, connector, token, parent=None, asked=True):
        """Tells whether a user may begin on a connector. Before his group was `asked` for, any group may be his."""
        own, any_one = self._for(connector.number), self._for(0)
        if own:
            return _matches(own, token, parent) or (own.parent is not None and not asked)
        if any_one is None or _matches(any_one, token, parent) or (any_one.parent is not None and not asked):
            return True
        return any(self._is_free(c) and not self._claims.has(c) for c in self._connectors if c is not connector)

    def number_for(self, connector, token, parent=None):
        """Returns the number of the reservation that a user's transaction on a connector ends, or None (§4.8)."""
        for reservation in (self._for(connector.number), self._for(0)):
            if reservation and _matches(reservation, token, parent):
                return reservation.number
        return None

    def step(self):
        """Ends what has expired or has become impossible (§5.13); to be called several times a second."""
        if not self._all:
            return
        now = self._clock.now()
        self._end_used()
        self._end([r for r in self._all if r.expiry <= now], "expired")
        self._end([r for r in self._all if self._is_broken(r.connector)], "connector out of order")
        self._mark()

    # -- inside

    def _refusal(self, others, n):
        """Returns why connector n cannot be reserved beside `others`, or None."""
        if n == 0:
            if not self._settings.get("ReserveConnectorZeroSupported"):
                return "rejected"
            concerned = self._connectors
        else:
            concerned = [c for c in self._connectors if c.number == n]
            if not concerned:
                return "rejected"
        words = [self._zero.status.state]
        if words[0] not in _BROKEN:
            words = [c.status.state for c in concerned]
        if all(word in _BROKEN for word in words):
            return "faulted" if FAULTED in words else "unavailable"
        taken = [r.connector for r in others]
        usable = [c.number for c in self._connectors if _is_usable(c.usage) and not self._claims.has(c)]
        free = [number for number in usable if number not in taken]
        if n in taken or (n and n not in free):
            return "occupied"
        # One has to remain for the user who may take any.
        return "occupied" if len(free) <= (0 in taken) else None

    def _for(self, n):
        for reservation in self._all:
            if reservation.connector == n:
                return reservation
        return None

    def _is_free(self, connector):
        return _is_usable(connector.usage) and self._for(connector.number) is None

    def _is_broken(self, n):
        if self._zero.status.state in _BROKEN:
            return True
        return all(c.status.state in _BROKEN for c in self._connectors if n in (0, c.number))

    def _transaction_changed(self, event, transaction):
        self._end_used()

    def _end_used(self):
        numbers = [c.transaction.grant.reservation for c in self._connectors if c.transaction]
        self._end([r for r in self._all if r.number in numbers], "used")

    def _end(self, ended, why):
        if not ended:
            return
        kept = [r for r in self._all if r not in ended]
        for reservation in ended:
            self._log.info("reservation", "%d: %s", reservation.number, why)
        if not self._save(kept):
            self._all = kept  # it comes to the same end after a restart
            self._mark()

    def _mark(self):
        """Tells the connectors whether they are kept, and users who have not begun what has become of theirs."""
        numbers = [r.number for r in self._all]
        for connector in self._connectors:
            usage = connector.usage
            if usage.grant and usage.grant.reservation not in numbers:
                usage.grant.reservation = None
            reserved = self._for(connector.number) is not None
            if not reserved and self._for(0) and phase(usage) in (IDLE, WAITING):
                reserved = not any(self._is_free(c) for c in self._connectors if c is not connector)
            if reserved != usage.reserved:
                connector.change(reserved=reserved)

    def _load(self):
        text = self._store.load() if self._store else None
        try:
            return [Reservation(*row) for row in json.loads(text or "[]")]
        except (TypeError, ValueError) as exc:
            self._log.error("reservation", "stored reservations are invalid: %s", exc)
            return []

    def _save(self, reservations):
        rows = [list(reservation) for reservation in reservations]
        try:
            if self._store:
                self._store.save(json.dumps(rows, separators=(",", ":")) if rows else "")
        except OSError as exc:
            self._log.error("reservation", "not stored: %s", exc)
            return False
        self._all = reservations
        self._mark()
        return True


def _is_usable(usage):
    """Tells whether the next user could begin there, for whichever user it is kept."""
    return phase(usage) == IDLE and in_service(usage) and not is_faulted(usage.evse)


def _matches(reservation, token, parent):
    return same_token(token, reservation.token) or same_token(parent, reservation.parent)
