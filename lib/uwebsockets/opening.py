# Opening of a WebSocket. MIT license.
"""connect(): opens a connection. Imports what only opening needs."""

import asyncio
import os
from binascii import b2a_base64

from micropython import const

from uwebsockets.client import WebSocket
from uwebsockets.errors import HandshakeError
from uwebsockets.frame import Decoder
from uwebsockets.handshake import ResponseReader, check_response, request
from uwebsockets.tcp import dial
from uwebsockets.url import parse

_TIMEOUT_S = const(20)
_MAX_SIZE = const(65536)
_SPOOL_ABOVE = const(8192)


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
    dial=dial,
):
    """Opens a connection and returns it as a WebSocket.

    `url` is ws:// or wss://, percent-encoded; wss needs an SSLContext as `ssl`, so that certificates are not left
    unchecked by oversight. `subprotocols` are offered in this order; WebSocket.subprotocol is the one the server chose,
    or None. `headers` (dict or pairs) are added to the request. `timeout_s` limits the whole opening; messages of more
    than `max_size` bytes are refused. `resolve(host, port)`, a coroutine function with the result of
    socket.getaddrinfo(), may replace the DNS look-up, which blocks MicroPython; `dial(target, ssl, resolve)` may
    replace tcp.dial().

    Messages of more than `spool_above` bytes need not fit into RAM: `spool(is_text, size)`, if given, returns an object
    whose write(bytes) is called for each piece; recv() returns that object when the message is complete. An OSError
    from them ends the connection.

    Raises ValueError for invalid arguments, HandshakeError and other OSErrors for errors on the wire.
    """
    target = parse(url)
    if target.secure == (ssl is None):
        raise ValueError("a wss URL needs an SSLContext, a ws URL must not have one")
    key = b2a_base64(os.urandom(16)).strip().decode()
    asked = request(target, key, subprotocols, headers)
    links = []  # opened connections, to close them if a cancellation coincides with success
    ws = None
    try:
        opening = _open(links, dial, target, ssl, resolve, asked, key, subprotocols)
        subprotocol, rest = await asyncio.wait_for(opening, timeout_s)
        ws = WebSocket(links[0], subprotocol, rest, Decoder(max_size, spool, spool_above))
        return ws
    except asyncio.TimeoutError:
        raise HandshakeError("no connection within %d s" % timeout_s)
    finally:
        if ws is None:
            for link in links:
                await link.close()


async def _open(links, dial, target, ssl, resolve, asked, key, subprotocols):
    """Returns the chosen sub-protocol and the bytes after the response; the Transport is added to `links`."""
    link = await dial(target, ssl, resolve)
    links.append(link)
    await link.write((asked,))
    reader = ResponseReader()
    answer = None
    while answer is None:
        data = await link.read()
        if not data:
            raise HandshakeError("server closed the connection during the handshake")
        answer = reader.feed(data)
    return check_response(answer[0], key, subprotocols), answer[1]
