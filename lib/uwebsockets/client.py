# WebSocket client. MIT license.
"""WebSocket: an open connection with send(), recv(), ping() and close()."""

import asyncio
import os

from micropython import const

from uwebsockets import frame, transport
from uwebsockets.errors import ConnectionClosed, ProtocolError

_CLOSE_S = const(3)  # time for the server to answer a Close frame
_LINGER_S = const(1)  # time for the server to close the TCP connection (RFC 6455 §7.1.1)


class WebSocket:
    """An open connection. One task receives, any task may send; every method may be cancelled at any point.

    recv() answers pings, so a task must be receiving all the time. `close_code` and `close_reason` say how the
    connection ended: 1005 = Close frame without code, 1006 = no Close frame, None = still open.
    """

    def __init__(self, link, subprotocol, data, decoder):
        self.subprotocol = subprotocol
        self.close_code = None
        self.close_reason = ""
        self._link = link
        self._decoder = decoder
        self._decoder.feed(data)
        self._turn = asyncio.Lock()  # one frame is sent at a time
        self._begun = None  # start time of the frame being sent
        self._receiving = False
        self._pong = None  # payload of the last ping that has not been answered
        self._close_sent = False
        self._finished = asyncio.Event()
        self._last = transport.ticks_ms()

    @property
    def closed(self):
        """True when no messages can be sent or received any more."""
        return self._finished.is_set()

    def silence_ms(self):
        """Returns the time since the last byte from the server; with ping() this detects a dead connection."""
        return transport.ticks_diff(transport.ticks_ms(), self._last)

    def blocked_ms(self):
        """Returns how long the frame being sent has been waiting for the server to read, 0 without one."""
        return 0 if self._begun is None else transport.ticks_diff(transport.ticks_ms(), self._begun)

    # These return awaitables: a coroutine would keep the message in RAM until its frame was sent.

    def send(self, message):
        """Sends a str as text or bytes as binary message; returns when the socket has taken it. Raises OSError."""
        opcode = frame.TEXT if isinstance(message, str) else frame.BINARY
        return self._write(opcode, frame.encode(opcode, message, os.urandom(4)))

    def send_pieces(self, size, pieces):
        """Sends a text message of `size` bytes in UTF-8, produced meanwhile by the iterable `pieces` (str).

        After an empty piece other tasks run. Raises OSError, also for pieces of a different total length: an incomplete
        frame was sent, and the connection must be closed.
        """
        return self._write(frame.TEXT, frame.encode_pieces(frame.TEXT, size, pieces, os.urandom(4)))

    def ping(self, data=b""):
        """Sends a ping with up to 125 bytes; its pong resets silence_ms()."""
        if len(data) > frame.MAX_CONTROL:
            raise ValueError("ping of more than 125 bytes")
        return self._write(frame.PING, frame.encode(frame.PING, data, os.urandom(4)))

    async def recv(self):
        """Returns the next message: str, bytes, or the object it was spooled to; None once the connection is closed.

        Raises ProtocolError when the server violates the protocol (closes the connection with that code), and
        ConnectionClosed or another OSError when the connection is lost.
        """
        if self._receiving:
            raise RuntimeError("another task is receiving")
        self._receiving = True
        try:
            while not self.closed:
                if self._pong is not None:
                    await self._write(frame.PONG, frame.encode(frame.PONG, self._pong, os.urandom(4)))
                    self._pong = None
                event = self._decoder.next()
                if event is None:
                    self._feed(await self._link.read())
                elif event[0] < frame.CLOSE:
                    if not self._close_sent:
                        return event[1]
                elif event[0] == frame.PING:
                    self._pong = event[1]
                elif event[0] == frame.CLOSE:
                    await self._close_received(event[1])
            return None
        except OSError as exc:
            await self._fail(exc)
            if self._close_sent and not isinstance(exc, ProtocolError):
                return None  # close() has stopped waiting
            raise
        finally:
            self._receiving = False

    def _feed(self, data):
        if not data:
            raise ConnectionClosed("connection lost")
        self._last = transport.ticks_ms()
        self._decoder.feed(data)

    async def _close_received(self, payload):
        self.close_code, self.close_reason = frame.decode_close(payload)
        if not self._close_sent:
            await self._send_close(payload[:2])
        await self._linger()
        await self._end()

    async def close(self, code=frame.NORMAL, reason=""):
        """Closes the connection and waits a limited time for the server's Close frame. Does not raise OSError."""
        try:
            if not self.closed:
                await asyncio.wait_for(self._close(code, reason), _CLOSE_S)
        except (OSError, asyncio.TimeoutError):
            pass
        finally:
            await self._end()

    async def _close(self, code, reason):
        if not self._close_sent:
            await self._send_close(frame.encode_close(code, reason))
        if self._receiving:
            await self._finished.wait()  # the receiving task gets the answer
        else:
            while await self.recv() is not None:
                pass

    async def _send_close(self, payload):
        self._close_sent = True
        await self._write(frame.CLOSE, frame.encode(frame.CLOSE, payload, os.urandom(4)))

    async def _write(self, opcode, pieces):
        """Sends a frame, unless a Close frame was sent: nothing may follow it (RFC 6455 §5.5.1)."""
        async with self._turn:
            if self.closed or (self._close_sent and opcode != frame.CLOSE):
                if opcode == frame.CLOSE or opcode == frame.PONG:
                    return
                raise ConnectionClosed("connection is closed")
            self._begun = transport.ticks_ms()
            try:
                await self._link.write(pieces)
            finally:
                self._begun = None

    async def _fail(self, exc):
        """Ends the connection after an error; for a ProtocolError a Close frame says why (RFC 6455 §7.1.7)."""
        try:
            if isinstance(exc, ProtocolError):
                self.close_code = exc.code
                self.close_reason = str(exc)
                if not self._close_sent:
                    await self._send_close(frame.encode_close(exc.code, str(exc)))
                await self._linger()
        except OSError:
            pass  # already lost
        finally:
            await self._end()

    async def _linger(self):
        """Waits for the server to close first, reading what it still sends: a reset could overtake our Close frame."""
        try:
            await asyncio.wait_for(self._discard(), _LINGER_S)
        except (OSError, asyncio.TimeoutError):
            pass

    async def _discard(self):
        while await self._link.read():
            pass

    async def _end(self):
        if self.close_code is None:
            self.close_code = frame.ABNORMAL
        self._finished.set()
        await self._link.close()
