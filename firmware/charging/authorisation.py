"""Authorisation of a token: local list, cache, back-end, rules while offline, random UIDs.

OCPP 1.6 §3.5 and §4.1. The list has priority over the cache, the back-end decides whenever it can be asked, and a token
that is listed as anything but valid is refused whatever else is allowed.
"""

from micropython import const

from firmware.kernel.signal import Signal
from firmware.store.tokens import ACCEPTED, CONCURRENT, EXPIRED, INVALID, TokenInfo
from firmware.store.values import is_hex

_SINGLE_DIGITS = const(8)  # hex digits of a card's id of single size (ISO 14443-3), and of one of double size
_DOUBLE_DIGITS = const(14)


def is_made_up(token, reverse=False, shorten=True):
    """True for the id of a card that makes up another one each time (ISO 14443-3 §6.5.4: four bytes, the first 08).

    Such an id is no identity: phones and some cards have another one each time. `reverse` and `shorten` are the form in
    which the readers hand in ids (settings ReverseUIDs, ShortenUIDs).
    """
    if not shorten and len(token) == _DOUBLE_DIGITS and token.endswith("000000"):
        token = token[:_SINGLE_DIGITS]
    if len(token) != _SINGLE_DIGITS or not is_hex(token):
        return False
    return (token[-2:] if reverse else token[:2]) == "08"


class Authoriser:
    """Decides on tokens. `operation.backend` is None or has `online` and `async authorize(token)`.

    That returns a TokenInfo, or None for an answer without a verdict that can be read. OSError: out of reach.
    """

    def __init__(self, clock, log, settings, tags, cache, operation):
        self._clock = clock
        self._log = log
        self._settings = settings
        self._tags = tags
        self._cache = cache
        self._operation = operation
        self.checked = Signal(log.observer_failed)  # (token, status, source "csms|list|cache|offline")
        self.conflict = Signal(log.observer_failed)  # (token): the verdict contradicts the local list (OCPP 1.6 §3.5.2)

    async def check(self, token):
        """Returns the TokenInfo of `token`, from wherever the settings allow; emits `checked`."""
        info, source = await self._decide(token)
        self.checked.emit(token, info.status, source)
        return info

    def refuse(self, token):
        """Refuses a card without asking the back-end; emits `checked`, so that the light answers."""
        self.checked.emit(token, INVALID, "offline")

    async def _decide(self, token):
        backend = self._operation.backend
        if backend and backend.online:
            # OCPP 1.6 §3.5: LocalPreAuthorize starts without waiting. Tokens known as not valid are asked about: the
            # back-end may have changed its mind (§3.5.1).
            if self._settings.get("LocalPreAuthorize"):
                info, source = self._local(token)
                if info and info.accepted:
                    return info, source
            try:
                info = await backend.authorize(token)
                if info is None:
                    # Refused, but not remembered: that was no verdict on this token.
                    self._log.warning("auth", "%s: verdict cannot be read, refused", token)
                    return TokenInfo(INVALID), "csms"
                self.learn(token, info)
                return info, "csms"
            except OSError as exc:
                self._log.info("auth", "back-end out of reach: %s", exc)
        return self._offline(token)

    def _offline(self, token):
        """OCPP 1.6 §3.5.4: what is allowed without the back-end."""
        info, source = self._local(token)
        if info and (self._settings.get("LocalAuthorizeOffline") or not info.accepted):
            return info, source
        if self._settings.get("AllowOfflineTxForUnknownId"):
            return TokenInfo(ACCEPTED), "offline"
        return TokenInfo(INVALID), "offline"

    def _local(self, token):
        """Returns (TokenInfo, source) from the list or, for tokens that are not in it, the cache; or (None, None)."""
        entry = self._listed(token)
        if entry:
            # ConcurrentTx in the list stands for a valid token (§3.5.2).
            status = ACCEPTED if entry.status == CONCURRENT else entry.status
            return self._aged(status, entry), "list"
        if self._settings.get("AuthorizationCacheEnabled"):
            entry = self._cache.get(token)
            if entry:
                return self._aged(entry.status, entry), "cache"
        return None, None

    def _listed(self, token):
        if not self._settings.get("LocalAuthListEnabled"):
            return None
        try:
            return self._tags.get(token)
        except OSError as exc:
            self._log.error("auth", "local list cannot be read: %s", exc)
            return None

    def _aged(self, status, entry):
        if status == ACCEPTED and entry.expiry is not None and entry.expiry <= self._clock.now():
            status = EXPIRED
        return TokenInfo(status, entry.expiry, entry.parent)

    def learn(self, token, info):
        """Takes the back-end's verdict of any message into the cache (§3.5.1), unless the token is listed (§3.5.3)."""
        entry = self._listed(token)
        if entry:
            listed = self._aged(ACCEPTED if entry.status == CONCURRENT else entry.status, entry)
            if listed.accepted != (info.status in (ACCEPTED, CONCURRENT)):
                self._log.warning("auth", "%s: listed as %s, back-end says %s", token, entry.status, info.status)
                self.conflict.emit(token)
        elif self._settings.get("AuthorizationCacheEnabled"):
            self._cache.put(token, info)

    def clear_cache(self):
        """Empties the cache. Returns False when there is none to empty (OCPP 1.6 erratum 3.23)."""
        if not self._settings.get("AuthorizationCacheEnabled"):
            return False
        self._cache.clear()
        return True
