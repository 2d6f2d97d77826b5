"""One link to the back-end: receives messages, decides about WebSocket pings, detects a dead link (OCPP-J 1.6 §5.3)."""

import asyncio

from micropython import const

from firmware.kernel.signal import Signal
from firmware.ocpp.errors import LinkDown

_WATCH_MS = const(500)
_PONG_MS = const(10_000)  # silence after a ping that proves the link dead
_SEND_MS = const(30_000)  # for a message to leave: beyond that the other side does not read

# Calls in a row without an answer. A back-end may be at a loss with one message; three mean that it is gone, even if a
# gateway still answers pings.
_DOUBTFUL_CALLS = const(2)
_MUTE_CALLS = const(3)

_NORMAL = const(1000)
_GOING_AWAY = const(1001)

# What the back-end asked for is answered before the link is closed, if that does not take longer.
_ANSWER_MS = const(2_000)
_ANSWER_STEP_MS = const(10)


class NoLink:
    """Stands where there is no link."""

    up = False

    async def call(self, action, payload, timeout_s, transmissions=None, patience_s=None):
        raise LinkDown()

    def drop(self, reason):
        pass


class Link:
    """A link that is up. `socket` is its WebSocket, `peer` the Peer at its other end.

    `call` is that of Calls. `doubted()` is emitted when calls stay unanswered: something simple should be asked.
    """

    up = True

    def __init__(self, socket, peer, settings, log, clock):
        self._socket = socket
        self._peer = peer
        self._settings = settings
        self._log = log
        self._clock = clock
        self._dropped = None  # why the link has to end
        self._closing = None  # task that ends it
        self._probe_wanted = False
        self.useful = False  # the back-end has said something
        self.doubted = Signal()
        self.call = peer.call
        peer.timed_out.connect(self._timed_out)
        peer.failed.connect(self.drop)

    async def run(self, beat):
        """Lives until the link ends; returns why it did."""
        watcher = asyncio.create_task(self._watch(beat))
        try:
            return await self._receive()
        finally:
            watcher.cancel()
            if self._closing:
                self._closing.cancel()
            self._peer.close()

    def drop(self, reason):
        """Ends the link; calls of the back-end that are in work are answered first: one of them may be why."""
        if not self._dropped:
            self._dropped = reason
            self._closing = asyncio.create_task(self._answer_and_close())

    async def close(self):
        """To be called at the end."""
        await self._socket.close(_GOING_AWAY)

    async def _receive(self):
        """Passes messages on until the link ends; returns why it did."""
        socket = self._socket
        try:
            while True:
                message = await socket.recv()
                if message is None:
                    closed = "closed by the back-end, code %s %s" % (socket.close_code, socket.close_reason)
                    return self._dropped or closed
                if isinstance(message, bytes):
                    self._log.warning("link", "binary message of %d bytes ignored", len(message))
                    continue
                self.useful = True
                if isinstance(message, str):
                    await self._peer.receive(message)
                else:
                    await self._peer.receive_large(message)
        except (OSError, MemoryError) as exc:  # MemoryError: a message within the limit for which there is no room now
            return self._dropped or str(exc)

    def _timed_out(self, unanswered):
        """A CALL got no answer: looks whether the link is there at all, even without WebSocketPingInterval."""
        if unanswered >= _MUTE_CALLS:
            self.drop("calls are not answered")
        elif unanswered == _DOUBTFUL_CALLS:
            self.doubted.emit()
        self._probe_wanted = True

    async def _watch(self, beat):
        """Pings, and ends a link that is dead without a word (errata 3.11)."""
        socket = self._socket
        pinged_ms = self._clock.ms()
        waiting = False  # for a sign of life since pinged_ms
        while self._dropped is None:
            await self._clock.sleep_ms(_WATCH_MS)
            beat()
            if socket.blocked_ms() >= _SEND_MS:
                self.drop("the back-end does not read")
            since_ms = self._clock.ms() - pinged_ms
            # An answer may come in the very millisecond of the ping.
            if waiting and socket.silence_ms() <= since_ms:
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
                await self._ping()

    async def _ping(self):
        try:
            await asyncio.wait_for(self._socket.ping(), _PONG_MS // 1000)
        except (OSError, asyncio.TimeoutError):
            self.drop("cannot send a ping")

    async def _answer_and_close(self):
        deadline_ms = self._clock.ms() + _ANSWER_MS
        while self._peer.answering and self._clock.ms() < deadline_ms:
            await self._clock.sleep_ms(_ANSWER_STEP_MS)
        await self._socket.close(_NORMAL, self._dropped)
