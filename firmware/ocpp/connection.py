"""Keeps the WebSocket to the back-end: connects, supervises, comes back (OCPP-J 1.6 §3, §5.3, §6.2 with errata)."""

import asyncio
import os

from asyncdns import Resolver
from micropython import const

from firmware.kernel.signal import Signal
from firmware.ocpp.opening import connection_url, open_link
from firmware.ocpp.peer import Peer
from firmware.ocpp.protocol import MessageIds, Protocol
from firmware.ocpp.schema import Schema
from firmware.ocpp.v16.rules import Rules
from firmware.ocpp.waker import Waker

_WATCH_MS = const(500)
_PONG_MS = const(10_000)  # silence after a ping that proves the link dead
_SEND_MS = const(30_000)  # for a message to leave: beyond that the other side does not read
_MAX_DOUBLINGS = const(10)

# Calls in a row without an answer. A back-end may be at a loss with one message; one that answers nothing is none,
# whoever pongs for it.
_DOUBTFUL_CALLS = const(2)
_MUTE_CALLS = const(3)

_NORMAL = const(1000)
_GOING_AWAY = const(1001)

# What the back-end asked for is answered before the link is closed, if that does not take longer.
_ANSWER_MS = const(2_000)
_ANSWER_STEP_MS = const(10)


class Connection:
    """The link. `run()` is its only task; settings are read anew at each attempt.

    `handle(action, payload)` answers the calls of the back-end, see Answers. `rpc` is the Peer of the link, None while
    it is down. `resolve` and `dial` see uwebsockets.connect(), which `connect` replaces; `spool` is the spool.Spool for
    messages of more than LargeMessageBytes.

    Signal: `link_changed("up" | "down", url, error text or None)`, "down" also after each attempt that failed.
    """

    dial = None

    def __init__(self, settings, clock, log, handle=None, schema=None, resolve=None, connect=None, spool=None):
        self._settings = settings
        self._clock = clock
        self._log = log
        self.handle = handle
        self.silent = None  # see Peer; None: never
        self.doubted = None  # function to be called when calls stay unanswered: something simple should be asked
        self._schema = schema or Schema()
        self._resolve = resolve or Resolver()
        self._connect = connect
        self._spool = spool
        self._message_ids = MessageIds()
        self._waker = Waker(clock)
        self._failures = 0  # in a row
        self._useful = False  # the back-end has said something on this link
        self._ws = None  # the WebSocket of the link
        self._dropped = None  # why the link has to end
        self._closing = None  # task that ends it
        self._hurry = False  # the next attempt is not to wait
        self._probe_wanted = False
        self._last_error = None
        self.rpc = None
        self.url = ""
        self.link_changed = Signal()

    @property
    def connected(self):
        return self.rpc is not None

    def drop(self, reason):
        """Closes the link, if there is one; the next attempt comes after the usual wait."""
        if self.rpc and not self._dropped:
            self._dropped = reason
            self._closing = asyncio.create_task(self._close())

    def reconnect(self):
        """Closes the link, if there is one, and connects at once with the settings as they are now.

        Calls of the back-end that are in work are answered first: one of them may be why.
        """
        self.drop("reconnecting")
        self.hurry()

    def hurry(self):
        """Connects at once if there is no link: what kept it from coming up may be over."""
        self._hurry = True
        self._failures = 0
        self._waker.wake()

    async def run(self, beat):
        """Connects again and again until it is cancelled; then the link is closed and no task is left."""
        while True:
            beat()
            self._hurry = False
            error = None
            try:
                ws = await self._open()
                if ws:
                    await self._link(ws, beat)
            except (OSError, ValueError) as exc:
                error = str(exc) or type(exc).__name__
            if error:
                self._report(error)
            await self._pause(beat)

    def _report(self, error):
        # A back-end that is away for days is worth one line, not one a minute.
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
            wait_ms = 1000 * self._settings.get("ReconnectMax")  # nothing to connect to; reconnect() ends the wait
        until_ms = self._clock.ms() + wait_ms
        while not self._hurry:
            left_ms = until_ms - self._clock.ms()
            if left_ms <= 0:
                break
            await self._waker.wait(min(left_ms, _PONG_MS))
            beat()

    async def _open(self):
        """Returns an open WebSocket, or None when there is no address. Raises OSError or ValueError."""
        endpoint, identity = self._settings.get("CentralSystemUrl"), self._settings.get("ChargePointId")
        if not endpoint or not identity:
            self.url = ""
            return None
        self.url = connection_url(endpoint, identity)
        return await open_link(self.url, self._settings, self._resolve, self._spool, self.dial, self._connect)

    async def _link(self, ws, beat):
        """Lives through one link, from its opening to its end; returns without error if it was ended by our side."""
        self._ws = ws
        self._dropped = self._closing = None
        self._useful = self._probe_wanted = False
        watcher = asyncio.create_task(self._watch(ws, beat))
        reason = None
        try:
            self.rpc = self._new_peer(ws)
            self._last_error = None
            self._log.info("link", "%s: up", self.url)
            self.link_changed.emit("up", self.url, None)
            reason = await self._receive(ws, self.rpc)
        finally:
            if self._useful:
                self._failures = 0
            rpc, self.rpc = self.rpc, None
            self._ws = None
            watcher.cancel()
            if self._closing:
                self._closing.cancel()
            rpc.close()
            if self._spool:
                self._spool.abandon()
            try:
                await ws.close(_GOING_AWAY)
            finally:
                self._log.info("link", "%s: down, %s", self.url, reason)
                self.link_changed.emit("down", self.url, reason)

    def _new_peer(self, ws):
        protocol = Protocol(Rules(), self._schema, self._message_ids)
        peer = Peer(ws, protocol, self.handle, self.silent or (lambda: False), self._log, self._clock)
        peer.timed_out.connect(self._timed_out)
        peer.failed.connect(self.drop)
        return peer

    async def _receive(self, ws, rpc):
        """Passes messages on until the link ends; returns why it did."""
        try:
            while True:
                message = await ws.recv()
                if message is None:
                    return self._dropped or "closed by the back-end, code %s %s" % (ws.close_code, ws.close_reason)
                if isinstance(message, str):
                    self._useful = True
                    await rpc.receive(message)
                elif isinstance(message, bytes):
                    self._log.warning("link", "binary message of %d bytes ignored", len(message))
                else:
                    self._useful = True
                    await rpc.receive_large(message)
        except (OSError, MemoryError) as exc:  # MemoryError: a message within the limit for which there is no room now
            return self._dropped or str(exc)

    def _timed_out(self, unanswered):
        """A CALL got no answer: looks whether the link is there at all, even without WebSocketPingInterval.

        A gateway may go on answering pings for a back-end that is gone: pongs alone do not keep a link.
        """
        if unanswered >= _MUTE_CALLS:
            self.drop("calls are not answered")
        elif unanswered == _DOUBTFUL_CALLS and self.doubted:
            self.doubted()
        self._probe_wanted = True

    async def _watch(self, ws, beat):
        """Pings, and ends a link that is dead though nobody said so (errata 3.11)."""
        pinged_ms = self._clock.ms()
        waiting = False  # for a sign of life since pinged_ms
        while self._dropped is None:
            await self._clock.sleep_ms(_WATCH_MS)
            beat()
            self._schema.rest()
            if ws.blocked_ms() >= _SEND_MS:
                self.drop("the back-end does not read")
            since_ms = self._clock.ms() - pinged_ms
            # An answer may come in the very millisecond of the ping.
            if waiting and ws.silence_ms() <= since_ms:
                waiting = False
            if waiting:
                if since_ms >= _PONG_MS:
                    self.drop("no answer to a ping")
                continue
            interval_ms = 1000 * self._settings.get("WebSocketPingInterval")
            if self._probe_wanted or 0 < interval_ms <= since_ms:
                self._probe_wanted = False
                waiting = True
                pinged_ms = self._clock.ms()
                await self._ping(ws)

    async def _close(self):
        """Ends the link that has been dropped."""
        ws = self._ws
        deadline_ms = self._clock.ms() + _ANSWER_MS
        while self.rpc and self.rpc.answering and self._clock.ms() < deadline_ms:
            await self._clock.sleep_ms(_ANSWER_STEP_MS)
        await ws.close(_NORMAL, self._dropped)

    async def _ping(self, ws):
        try:
            await asyncio.wait_for(ws.ping(), _PONG_MS // 1000)
        except (OSError, asyncio.TimeoutError):
            self.drop("cannot send a ping")


def _random(limit):
    """Returns a random integer from 0 to `limit`, without."""
    return int.from_bytes(os.urandom(4), "big") % limit if limit > 0 else 0
