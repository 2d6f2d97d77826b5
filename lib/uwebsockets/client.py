# WebSocket client. MIT license.
"""WebSocket: an open connection with send(), recv(), ping() and close()."""

import asyncio
import os

from micropython import const

from uwebsockets import frame, transport
from uwebsockets.errors import ConnectionClosed, ProtocolError

_CLOSE_S = const(3)  # the server has this long to answer a Close frame
_LINGER_S = const(1)  # and this long to close the TCP connection, which is its part (RFC 6455 §7.1.1)


class WebSocket:
    """An open connection. One task receives, any task may send; every method may be cancelled at any point.

    Pings are answered by recv(), so somebody must be receiving. `close_code` and `close_reason` tell how the
    connection ended: 1005 without a code, 1006 without a Close frame, None while it is open.
    """

    def __init__(self, link, subprotocol, data, decoder):
        self.subprotocol = subprotocol
        self.close_code = None
        self.close_reason = ""
        self._link = link
        self._decoder = decoder
        self._decoder.feed(data)
        self._turn = asyncio.Lock()  # one frame on its way at a time
        self._begun = None  # when that was
        self._receiving = False
        self._pong = None  # payload of the newest ping that has not been answered
        self._close_sent = False
        self._finished = asyncio.Event()
        self._last = transport.ticks_ms()

    @property
    def closed(self):
        """True when no more messages can be sent or received."""
        return self._finished.is_set()

    def silence_ms(self):
        """Returns how long nothing at all has come from the server: with ping(), this finds a half-open connection."""
        return transport.ticks_diff(transport.ticks_ms(), self._last)

    def blocked_ms(self):
        """Returns how long the frame on its way has waited for the server to read, 0 when there is none."""
        return 0 if self._begun is None else transport.ticks_diff(transport.ticks_ms(), self._begun)

    # Sending is to be awaited. Functions of their own, as a coroutine would hold the message until its frame has gone.

    def send(self, message):
        """Sends a str as text or bytes as binary message; ends when the socket has taken it. Raises OSError."""
        opcode = frame.TEXT if isinstance(message, str) else frame.BINARY
        return self._write(opcode, frame.encode(opcode, message, os.urandom(4)))

    def send_pieces(self, size, pieces):
        """Sends one text message of `size` bytes in UTF-8 that is made meanwhile by the iterable `pieces` (str).

        After an empty piece other tasks have their turn. Raises OSError, for pieces of another length too: half a frame
        has gone then, and the connection has to be closed.
        """
        return self._write(frame.TEXT, frame.encode_pieces(frame.TEXT, size, pieces, os.urandom(4)))

    def ping(self, data=b""):
        """Sends a ping with up to 125 bytes, whose pong counts as a sign of life for silence_ms()."""
        if len(data) > frame.MAX_CONTROL:
            raise ValueError("ping of more than 125 bytes")
        return self._write(frame.PING, frame.encode(frame.PING, data, os.urandom(4)))

    async def recv(self):
        """Returns the next message as str or bytes, or as what it was spooled to; None once the connection is closed.

        Raises ProtocolError when the server breaks the protocol (which ends the connection with its code) and
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
                return None  # close() had given up waiting
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
        """Closes the connection and waits for the server's consent, but not for long. Does not raise OSError."""
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
            await self._finished.wait()  # the receiving task will see the answer
        else:
            while await self.recv() is not None:
                pass

    async def _send_close(self, payload):
        self._close_sent = True
        await self._write(frame.CLOSE, frame.encode(frame.CLOSE, payload, os.urandom(4)))

    async def _write(self, opcode, pieces):
        """Sends a frame, unless it is too late: nothing may follow a Close frame (RFC 6455 §5.5.1)."""
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
        """Ends a connection that is of no use any more; a peer that caused it gets to know why (RFC 6455 §7.1.7)."""
        try:
            if isinstance(exc, ProtocolError):
                self.close_code = exc.code
                self.close_reason = str(exc)
                if not self._close_sent:
                    await self._send_close(frame.encode_close(exc.code, str(exc)))
                await self._linger()
        except OSError:
            pass  # it is lost already
        finally:
            await self._end()

    async def _linger(self):
        """Lets the server close first, reading what it still sends: a reset could overtake our Close frame."""
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
