"""One link to the back-end: receives messages, decides about WebSocket pings, detects a dead link (OCPP-J 1.6 §5.3)."""

import asyncio

from micropython import const

from firmware.kernel.signal import Signal
from firmware.ocpp.errors import LinkDown

_WATCH_MS = const(500)
_PONG_MS = const(10_000)  # without any data after a ping the link is dead
_SEND_MS = const(30_000)  # time for a message to be sent; beyond that the back-end does not read

# A back-end may fail to answer one message. Three unanswered calls in a row mean that it is gone, even if a gateway
# still answers pings.
_DOUBTFUL_CALLS = const(2)
_MUTE_CALLS = const(3)

_NORMAL = const(1000)
_GOING_AWAY = const(1001)

# Before the link is closed, calls of the back-end are answered for at most this time.
_ANSWER_MS = const(2_000)
_ANSWER_STEP_MS = const(10)


class NoLink:
    """Stands in for a Link while there is none."""

    up = False

    async def call(self, action, payload, timeout_s, transmissions=None, patience_s=None):
        raise LinkDown()

    def drop(self, reason):
        pass


class Link:
    """A link that is up, over the WebSocket `socket`, with the Peer `peer`.

    `call` is that of Calls. `doubted()` is emitted when a call stays unanswered: a simple call should probe the link.
    """

    up = True

    def __init__(self, socket, peer, settings, log, clock):
        self._socket = socket
        self._peer = peer
        self._settings = settings
        self._log = log
        self._clock = clock
        self._dropped = None  # reason to end the link, or None
        self._closing = None  # task that ends it
        self._probe_wanted = False
        self.useful = False  # the back-end has sent a message
        self.doubted = Signal(log.observer_failed)
        self.call = peer.call
        peer.timed_out.connect(self._timed_out)
        peer.failed.connect(self.drop)

    async def run(self, beat):
        """Runs until the link ends; returns the reason."""
        watcher = asyncio.create_task(self._watch(beat))
        try:
            return await self._receive()
        finally:
            watcher.cancel()
            if self._closing:
                self._closing.cancel()
            self._peer.close()

    def drop(self, reason):
        """Ends the link after the calls being processed are answered: one of them may have asked for this."""
        if not self._dropped:
            self._dropped = reason
            self._closing = asyncio.create_task(self._answer_and_close())

    async def close(self):
        """Closes the connection. Call it when run() has ended."""
        await self._socket.close(_GOING_AWAY)

    async def _receive(self):
        """Receives messages until the link ends; returns the reason."""
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
        except (OSError, MemoryError) as exc:  # MemoryError: a message within MaxMessageBytes, but too little RAM now
            return self._dropped or str(exc)

    def _timed_out(self, unanswered):
        """After an unanswered CALL: checks the link with a ping, even if WebSocketPingInterval is 0."""
        if unanswered >= _MUTE_CALLS:
            self.drop("calls are not answered")
        elif unanswered == _DOUBTFUL_CALLS:
            self.doubted.emit()
        self._probe_wanted = True

    async def _watch(self, beat):
        """Sends pings and ends the link when no answer comes (errata 3.11)."""
        socket = self._socket
        pinged_ms = self._clock.ms()
        waiting = False  # for any data since pinged_ms
        while self._dropped is None:
            await self._clock.sleep_ms(_WATCH_MS)
            beat()
            if socket.blocked_ms() >= _SEND_MS:
                self.drop("the back-end does not read")
            since_ms = self._clock.ms() - pinged_ms
            # The answer may arrive in the same millisecond as the ping.
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
