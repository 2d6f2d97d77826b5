"""Connects to the back-end and reconnects, with back-off (OCPP-J 1.6 §3, §5.3 with errata)."""

import os

from micropython import const

from firmware.kernel.signal import Signal
from firmware.ocpp.link import Link, NoLink
from firmware.ocpp.peer import Peer
from firmware.ocpp.protocol import MessageIds, Protocol
from firmware.ocpp.target import target_of
from firmware.ocpp.waker import Waker

_BEAT_MS = const(10_000)
_MAX_DOUBLINGS = const(10)


class Connection:
    """Keeps one link open. `run()` is its only task; the settings are read again at each attempt.

    `versions` are the Rules of the supported versions, the preferred one first; `opener` is an Opener.
    `choose(settings, failures)` returns the Target for the next attempt, or None. serve() sets what answers the calls
    of the back-end.

    Signals: `link_changed("up" | "down", url, error text or None)`, "down" also after each failed attempt;
    `doubted()` see Link.
    """

    def __init__(self, settings, clock, log, versions, opener, choose=target_of):
        self._settings = settings
        self._clock = clock
        self._log = log
        self._versions = versions
        self._opener = opener
        self._choose = choose
        self._handle = self._silent = None
        self._message_ids = MessageIds()
        self._waker = Waker(clock)
        self._failures = 0  # in a row
        self._hurry = False  # connect without waiting
        self._last_error = None
        self._link = NoLink()
        self.url = ""
        self.link_changed = Signal(log.observer_failed)
        self.doubted = Signal(log.observer_failed)

    def serve(self, handle, silent):
        """Sets `handle`, which answers the calls of the back-end unless `silent()` returns True; see Peer."""
        self._handle = handle
        self._silent = silent

    @property
    def connected(self):
        return self._link.up

    async def call(self, action, payload, transmissions=None, patience_s=None):
        """Calls the back-end, see Calls.call(). Raises LinkDown when there is no link."""
        timeout_s = self._settings.get("MessageTimeout")
        return await self._link.call(action, payload, timeout_s, transmissions, patience_s)

    def drop(self, reason):
        """Closes the link, if any; reconnects after the usual wait."""
        self._link.drop(reason)

    def reconnect(self):
        """Closes the link, if any, and reconnects at once with the current settings."""
        self.drop("reconnecting")
        self.hurry()

    def hurry(self):
        """Connects at once if there is no link, for example when the network is back."""
        self._hurry = True
        self._failures = 0
        self._waker.wake()

    async def run(self, beat):
        """Keeps the link up until cancelled; then closes it and ends its tasks."""
        while True:
            beat()
            self._hurry = False
            error = None
            try:
                target = self._choose(self._settings, self._failures)
                self.url = target.url if target else ""
                if target:
                    subprotocols = tuple([rules.subprotocol for rules in self._versions])
                    await self._live(await self._opener.open(target, subprotocols), beat)
            except (OSError, ValueError) as exc:
                error = str(exc) or type(exc).__name__
            if error:
                self._report(error)
            await self._pause(beat)

    def _report(self, error):
        # The same error is logged once, not every minute for days.
        if error != self._last_error:
            self._last_error = error
            self._log.warning("link", "%s: %s", self.url, error)
        self.link_changed.emit("down", self.url, error)

    async def _pause(self, beat):
        """Waits before the next attempt: ReconnectMin, doubled with each failure up to ReconnectMax, plus jitter."""
        if self.url:
            wait_ms = 1000 * self._settings.get("ReconnectMin") * (1 << min(self._failures, _MAX_DOUBLINGS))
            wait_ms = min(wait_ms, 1000 * self._settings.get("ReconnectMax"))
            wait_ms += _random(1000 * self._settings.get("ReconnectJitter"))
            self._failures += 1
        else:
            wait_ms = 1000 * self._settings.get("ReconnectMax")  # no URL configured; reconnect() ends the wait
        until_ms = self._clock.ms() + wait_ms
        while not self._hurry:
            left_ms = until_ms - self._clock.ms()
            if left_ms <= 0:
                break
            await self._waker.wait(min(left_ms, _BEAT_MS))
            beat()

    async def _live(self, socket, beat):
        """Runs one link from its opening to its end; raises nothing if our side ended it."""
        reason = None
        rules = [rules for rules in self._versions if rules.subprotocol == socket.subprotocol][0]
        protocol = Protocol(rules, self._message_ids)
        peer = Peer(socket, protocol, self._handle, self._silent, self._log, self._clock)
        link = self._link = Link(socket, peer, self._settings, self._log, self._clock)
        link.doubted.connect(self.doubted.emit)
        try:
            self._last_error = None
            self._log.info("link", "%s: up", self.url)
            self.link_changed.emit("up", self.url, None)
            reason = await link.run(beat)
        finally:
            self._link = NoLink()
            if link.useful:
                self._failures = 0
            self._opener.link_ended()
            try:
                await link.close()
            finally:
                self._log.info("link", "%s: down, %s", self.url, reason)
                self.link_changed.emit("down", self.url, reason)


def _random(limit):
    """Returns a random integer in 0..limit-1, 0 for a limit of 0."""
    return int.from_bytes(os.urandom(4), "big") % limit if limit > 0 else 0
