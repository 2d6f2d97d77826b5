# WebSocket client for asyncio (RFC 6455). MIT license.
"""WebSocket client for MicroPython and CPython: `ws = await connect("ws://host/path", subprotocols=("chat",))`.

    async def hello():
        ws = await connect("ws://127.0.0.1:8080/")
        await ws.send("hello")
        message = await ws.recv()  # str, bytes, or None once the connection is closed
        await ws.close()

Modules of an open connection: `frame` (framing without I/O), `transport` (byte stream on both interpreters), `client`.
For opening: `opening`, `url`, `tcp`, `handshake` (HTTP upgrade). Extensions (compression) and servers are not
supported.
"""

from uwebsockets.client import WebSocket
from uwebsockets.errors import ConnectionClosed, HandshakeError, ProtocolError, WebSocketError
from uwebsockets.opening import connect
from uwebsockets.url import quote

__all__ = ("ConnectionClosed", "HandshakeError", "ProtocolError", "WebSocket", "WebSocketError", "connect", "quote")
