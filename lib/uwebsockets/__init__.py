# WebSocket client for asyncio (RFC 6455). MIT license.
"""WebSocket client for MicroPython and CPython: `ws = await connect("ws://host/path", subprotocols=("chat",))`.

    async def hello():
        ws = await connect("ws://127.0.0.1:8080/")
        await ws.send("hello")
        message = await ws.recv()  # str, bytes, or None once the connection is closed
        await ws.close()

An open connection needs `frame`, the framing, which is free of I/O, `transport`, the byte stream of either
interpreter, and `client`, which ties them together. `opening` opens one, with `url` for addresses, `tcp`, and
`handshake` for the HTTP part. Extensions (compression) and the server's side are left out.
"""

from uwebsockets.client import WebSocket
from uwebsockets.errors import ConnectionClosed, HandshakeError, ProtocolError, WebSocketError
from uwebsockets.opening import connect
from uwebsockets.url import quote

__all__ = ("ConnectionClosed", "HandshakeError", "ProtocolError", "WebSocket", "WebSocketError", "connect", "quote")
