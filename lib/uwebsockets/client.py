# WebSocket client. MIT license.
"""connect() and the WebSocket that it returns."""

import asyncio
import os
from binascii import b2a_base64

from micropython import const

from uwebsockets import frame, handshake, transport
from uwebsockets.errors import ConnectionClosed, HandshakeError, ProtocolError
from uwebsockets.url import parse

_TIMEOUT_S = const(20)
_MAX_SIZE = const(65536)
_SPOOL_ABOVE = const(8192)
_CLOSE_S = const(3)  # the server has this long to answer a Close frame
_LINGER_S = const(1)  # and this long to close the TCP connection, which is its part (RFC 6455 §7.1.1)


async def connect(
    url,
    subprotocols=None,
    headers=None,
    ssl=None,
    timeout_s=_TIMEOUT_S,
    max_size=_MAX_SIZE,
    resolve=None,
    spool=None,
    spool_above=_SPOOL_ABOVE,
):
    """Opens a connection and returns it as a WebSocket.

    `url` is ws:// or wss://, percent-encoded; wss needs an SSLContext as `ssl`, so that nobody goes unverified by
    oversight. `subprotocols` are offered in this order; WebSocket.subprotocol tells which one the server took, if any.
    `headers` (dict or pairs) are added to the request. `timeout_s` covers all of it, messages of more than `max_size`
    bytes are refused. `resolve(host, port)` may replace the DNS look-up, which blocks MicroPython, by a coroutine
    function that returns what socket.getaddrinfo() does.

    Messages of more than `spool_above` bytes need not fit into RAM: `spool(is_text, size)`, when given, returns an
    object whose write(bytes) takes one piece by piece as it arrives; recv() returns that object when it is complete.
    An OSError that either of them raises ends the connection.

    Raises ValueError for arguments that cannot work, HandshakeError and other OSErrors for everything on the wire.
    """
    target = parse(url)
    if target.secure == (ssl is None):
        raise ValueError("wss needs an SSLContext, ws must not have one")
    key = b2a_base64(os.urandom(16)).strip().decode()
    request = handshake.request(target, key, subprotocols, headers)
    links = []  # what has been opened, so that it is closed even if a cancellation crosses with success
    ws = None
    try:
        opening = _open(links, target, ssl, resolve, request, key, subprotocols)
        subprotocol, rest = await asyncio.wait_for(opening, timeout_s)
        ws = WebSocket(links[0], subprotocol, rest, frame.Decoder(max_size, spool, spool_above))
        return ws
    except asyncio.TimeoutError:
        raise HandshakeError("no connection within %d s" % timeout_s)
    finally:
        if ws is None:
            for link in links:
                await link.close()


async def _open(links, target, ssl, resolve, request, key, subprotocols):
    """Returns the chosen sub-protocol and what came behind the server's header; `links` gets the Transport."""
    link = await transport.open(target, ssl, resolve)
    links.append(link)
    await link.write((request,))
    head = b""
    end = -1
    while end < 0:
        data = await link.read()
        if not data:
            raise HandshakeError("server closed the connection during the handshake")
        head += data
        end = head.find(b"\r\n\r\n")
        if (len(head) if end < 0 else end) > handshake.MAX_HEADER:
            raise HandshakeError("server's header is too long")
    return handshake.check_response(head[:end], key, subprotocols), head[end + 4 :]


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

    async def send(self, message):
        """Sends a str as text or bytes as binary message; returns when the socket has taken it. Raises OSError."""
        await self._send(frame.TEXT if isinstance(message, str) else frame.BINARY, message)

    async def ping(self, data=b""):
        """Sends a ping with up to 125 bytes, whose pong counts as a sign of life for silence_ms()."""
        if len(data) > frame.MAX_CONTROL:
            raise ValueError("ping of more than 125 bytes")
        await self._send(frame.PING, data)

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
                message = await self._receive()
                if message is not None and not self._close_sent:
                    return message
            return None
        except OSError as exc:
            await self._fail(exc)
            if self._close_sent and not isinstance(exc, ProtocolError):
                return None  # close() had given up waiting
            raise
        finally:
            self._receiving = False

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

    async def _send(self, opcode, payload):
        if not await self._write(opcode, payload):
            raise ConnectionClosed("connection is closed")

    async def _send_close(self, payload):
        self._close_sent = True
        await self._write(frame.CLOSE, payload)

    async def _write(self, opcode, payload):
        """Returns False when it is too late: nothing may follow a Close frame (RFC 6455 §5.5.1)."""
        async with self._turn:
            if self.closed or (self._close_sent and opcode != frame.CLOSE):
                return False
            await self._link.write(frame.encode(opcode, payload, os.urandom(4)))
            return True

    async def _receive(self):
        """One step: returns a message, or None after anything else."""
        if self._pong is not None:
            await self._write(frame.PONG, self._pong)
            self._pong = None
        event = self._decoder.next()
        if event is None:
            data = await self._link.read()
            if not data:
                raise ConnectionClosed("connection lost")
            self._last = transport.ticks_ms()
            self._decoder.feed(data)
            return None
        opcode, payload = event
        if opcode < frame.CLOSE:
            return payload
        if opcode == frame.PING:
            self._pong = payload
        elif opcode == frame.CLOSE:
            self.close_code, self.close_reason = frame.decode_close(payload)
            if not self._close_sent:
                await self._send_close(payload[:2])
            await self._linger()
            await self._end()
        return None

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
