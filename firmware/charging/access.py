"""Card, remote start or group token presented: which connector starts or stops, or why it is refused.

A card is looked at in this order: it stops its own transaction, it releases its own locked plug, it takes back its own
start; only then it is authorised, to start on a connector that is ready, to stop a transaction of its group (OCPP 1.6
§3.10), or to reserve a place for the plug that is about to come.
"""

import asyncio

from micropython import const

from firmware.charging.authorisation import is_made_up
from firmware.charging.session import LOCAL
from firmware.charging.usage import Grant, is_faulted, is_startable, is_vacated
from firmware.store.tokens import CONCURRENT, same_token, valid_token

# How long a card waits for the answer about the user whose vehicle is at the only connector. Then it is refused.
_TURN_MS = const(4_500)
_TURN_STEP_MS = const(100)


class Claim:
    """A connector (`place`) for which a token is being checked, so that no other user is sent there meanwhile.

    `floating`: the user has not plugged in and may still choose another connector.
    """

    def __init__(self, token, place, floating, until_ms):
        self.token = token
        self.place = place
        self.floating = floating
        self.until_ms = until_ms  # whatever becomes of the check


class Claims:
    """The Claims of the tokens that are being checked, the oldest first."""

    def __init__(self, clock, settings):
        self._clock = clock
        self._settings = settings
        self._claims = []

    def deadline_ms(self):
        """Until when a check that begins now may last: its call may have to wait for another one."""
        return self._clock.ms() + 2_000 * self._settings.get("MessageTimeout") + _TURN_MS

    def add(self, claim):
        self._claims.append(claim)

    def alive(self):
        now = self._clock.ms()
        return [claim for claim in self._claims if now < claim.until_ms]

    def end(self, claim):
        self._claims = [other for other in self.alive() if other is not claim]

    def has(self, connector):
        """Tells whether a token is being checked for a connector."""
        return any(claim.place is connector for claim in self.alive())


class Access:
    """Decides for all `connectors`; `operation` is the Operation.

    may_start, may_begin   those of Operation
    claims                 Claims
    """

    def __init__(self, connectors, authoriser, services, operation):
        self._connectors = connectors
        self._authoriser = authoriser
        self._clock = services.clock
        self._log = services.log
        self._settings = services.settings
        self.may_start = operation.may_start
        self.may_begin = operation.may_begin
        self.reservations = None  # Reservations, once there has been one
        self._checking = {}  # token in lower case -> until when it is being checked at most, ms
        self.claims = Claims(services.clock, services.settings)
        self._acted_ms = {}  # token in lower case -> when it last did something, ms

    async def swipe(self, token, numbers=None):
        """See Station.swipe."""
        if not valid_token(token):
            self._log.warning("access", "no token: %d characters", len(token) if isinstance(token, str) else 0)
            self._authoriser.refuse(token)
            return "refused"
        if self._has_just_acted(token):
            return "busy"
        get = self._settings.get
        if not get("AcceptRandomUIDs") and is_made_up(token, get("ReverseUIDs"), get("ShortenUIDs")):
            self._log.warning("access", "card %s: it makes up its id, no identity (AcceptRandomUIDs)", token)
            self._authoriser.refuse(token)
            return "refused"
        served = [c for c in self._connectors if numbers is None or c.number in numbers]
        outcome = self._own(token, served)
        if outcome is None:
            if self._clock.ms() < self._checking.get(token.lower(), 0):
                return "busy"
            outcome = await self._other(token, served)
        if outcome not in ("busy", "refused"):
            self._acted_ms[token.lower()] = self._clock.ms()
        self._log.info("access", "card %s: %s", token, outcome)
        return outcome

    def _has_just_acted(self, token):
        """A card that is shown once may be read twice; what it has just done is not undone by that (ReswipeGuard)."""
        since = self._clock.ms() - self._settings.get("ReswipeGuard") * 1000
        self._acted_ms = {key: ms for key, ms in self._acted_ms.items() if ms > since}
        return token.lower() in self._acted_ms

    def _own(self, token, served):
        """What needs no authorisation because it is the token's own (OCPP 1.6 §4.1)."""
        for connector in served:
            transaction = connector.transaction
            if transaction and same_token(token, transaction.token) and not is_vacated(connector.usage):
                return self._stop_own(connector, token)
        for connector in served:
            owner = connector.usage.owner
            if owner and same_token(token, owner[0]):
                connector.change(owner=None)
                return "released"
        for connector in served:
            grant = connector.usage.grant
            if grant and same_token(token, grant.token):
                # With the vehicle there the transaction is about to begin; without, this is the second presentation.
                if not connector.evse.connected:
                    connector.cancel()
                    return "cancelled"
                if not is_faulted(connector.evse):
                    return "busy"
                connector.cancel()  # nothing begins there; another connector may be free
        return None

    def _stop_own(self, connector, token):
        transaction = connector.transaction
        running_ms = self._clock.ms() - transaction.begin_ms
        if transaction.stopping or running_ms < self._settings.get("ReswipeGuard") * 1000:
            return "busy"
        connector.stop(LOCAL, token)
        return "stop"

    async def _other(self, token, served):
        """A token that has to be authorised first."""
        key = token.lower()
        self._checking[key] = self.claims.deadline_ms()
        try:
            in_use = [c for c in served if c.transaction or c.usage.owner]
            place = self._place(served, True, token) if in_use else await self._turn(served, token)
            if not (place and self.may_start()) and not in_use:
                self._authoriser.refuse(token)  # without it the user would wait for a light that never comes
                return "refused"
            return await self._checked(token, served, in_use, place)
        finally:
            self._checking.pop(key, None)

    async def _turn(self, served, token):
        """Returns the connector where a user would start, or None; may wait for the answer about another user.

        A back-end that lets one user wait must not keep all others out for as long (OCPP 1.6 §4.1 names no order).
        """
        until_ms = self._clock.ms() + _TURN_MS
        place = self._place(served, True, token)
        while (
            place is None
            and self._clock.ms() < until_ms
            and any(is_startable(c.usage) and self.claims.has(c) for c in served)
        ):
            await self._clock.sleep_ms(_TURN_STEP_MS)
            place = self._place(served, True, token)
        return place

    async def _checked(self, token, served, in_use, place):
        """Has a token checked and does what follows for it; `place` is where he would start, or None."""
        claim = None
        if place:
            claim = Claim(token, place, not place.evse.connected, self.claims.deadline_ms())
            self.claims.add(claim)
        try:
            info = await self._authoriser.check(token)
        finally:
            self.claims.end(claim)
        # CONCURRENT only speaks against another start (OCPP 1.6 §7.2).
        if not info.accepted and info.status != CONCURRENT:
            return "refused"
        # The world may have moved on while the back-end was asked.
        place = self._place(served, True, token, info, claim and claim.place)
        if place is None or not place.evse.connected:
            outcome = self._group(token, info.parent, in_use)
            if outcome:
                return outcome
        if place is None or not info.accepted or not self.may_start():
            return "refused"
        self._use(place, Grant(token, info.parent, floating=not place.evse.connected))
        for connector in served:
            # Who plugged in earlier and did not identify has to do it again: the next card is not for that plug.
            if connector is not place and is_startable(connector.usage) and not self.claims.has(connector):
                if connector.evse.connected:
                    connector.cancel()
        return "start"

    def _group(self, token, parent, in_use):
        """Another token of the group stops a transaction or releases the plug. Parents are never compared to tokens."""
        for connector in in_use:
            transaction = connector.transaction
            if transaction and not transaction.stopping and same_token(parent, transaction.parent):
                connector.stop(LOCAL, token)
                return "stop"
            owner = connector.usage.owner
            if owner and same_token(parent, owner[1]):
                connector.change(owner=None)
                return "released"
        return None

    def _place(self, served, local, token, info=None, mine=None):
        """Returns the connector where a user who named none would start, or None. Without `info` his group is unknown.

        A connector that is reserved for others is none. One that is kept for him comes first, with or without a plug;
        then the vehicle plugged in last. A plug that has had its turn counts for a card only where there is no
        other connector: with one reader for several, a stranger's forgotten cable must not charge on this card
        (OCPP 1.6 erratum 3.20).

        Where another token is being checked, the vehicle that is there is that user's; without one, who is accepted
        first may plug in. `mine` is where his own token was being checked until now.
        """
        parent = info.parent if info else None
        startable = [c for c in served if is_startable(c.usage) and self._admits(c, token, parent, info is not None)]
        taken = [c for c in startable if self.claims.has(c) and c is not mine]
        startable = [c for c in startable if c not in taken] + [c for c in taken if not c.evse.connected]
        for connector in startable:
            if connector.usage.reserved and self._reservation(connector, token, parent) is not None:
                return connector
        connected = [c for c in startable if c.evse.connected and not c.usage.used_up]
        if connected:
            return max(connected, key=lambda c: c.usage.plugged_ms)
        if not local or len(self._connectors) == 1:
            for connector in startable:
                if connector.evse.connected:
                    return connector
        if self._settings.get("ConnectionTimeOut") > 0:
            for connector in startable:
                if not connector.evse.connected:
                    return connector
        return None

    def _admits(self, connector, token, parent, asked=True):
        return self.reservations is None or self.reservations.admits(connector, token, parent, asked)

    def _reservation(self, connector, token, parent):
        return self.reservations and self.reservations.number_for(connector, token, parent)

    def _use(self, connector, grant):
        grant.reservation = self._reservation(connector, grant.token, grant.parent)
        connector.use(grant)

    def remote_start(self, token, number, profile):
        """See Station.remote_start."""
        if not valid_token(token) or not self.may_start():
            return False
        served = [c for c in self._connectors if number in (None, c.number) and not self.claims.has(c)]
        place = self._place(served, False, token)
        if place is None:
            return False
        # Whether the group of a reservation is his, only the back-end can say (OCPP 1.6 §5.13).
        if self._settings.get("AuthorizeRemoteTxRequests") or not self._admits(place, token, None):
            claim = Claim(token, place, False, self.claims.deadline_ms())
            asyncio.create_task(self._authorised_start(token, claim, profile))
            self.claims.add(claim)
        else:
            self._use(place, Grant(token, profile=profile))
        return True

    async def _authorised_start(self, token, claim, profile):
        try:
            info = await self._authoriser.check(token)
        finally:
            self.claims.end(claim)
        place = claim.place
        if info.accepted and is_startable(place.usage) and self._admits(place, token, info.parent):
            self._use(place, Grant(token, info.parent, profile=profile))

    def plugged(self, connector):
        """A vehicle came to `connector`: a card that was shown before any plug goes where the plug is.

        Of two such cards it is that of the user who has been accepted, else that which was shown first.
        """
        claims = [claim for claim in self.claims.alive() if claim.place is connector]
        if not is_startable(connector.usage) or any(not claim.floating for claim in claims):
            return
        for other in self._connectors:
            grant = other.usage.grant
            if grant and grant.floating and not other.evse.connected:
                if self._admits(connector, grant.token, grant.parent):
                    # At once: a card is good for one connector.
                    connector.usage.grant, other.usage.grant = grant, None
                    other.cancel()
                    self._use(connector, grant)
                    return
        for claim in self.claims.alive():
            if claim.floating and self._admits(connector, claim.token, None, False):
                claim.place, claim.floating = connector, False
                return
