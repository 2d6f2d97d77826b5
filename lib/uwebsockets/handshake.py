# Opening handshake of a WebSocket. MIT license.
"""The HTTP part (RFC 6455 §4.1, §4.2.2), free of I/O: what the client asks and what it makes of the answer."""

import hashlib
from binascii import b2a_base64

from micropython import const

from uwebsockets.errors import HandshakeError

MAX_HEADER = const(8192)  # bytes of the server's answer; proxies add cookies and policies of a kilobyte or two

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TCHAR = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def request(url, key, subprotocols=None, headers=None):
    """Returns the request as bytes. `headers` is a dict or a list of pairs. Raises ValueError."""
    lines = [
        "GET %s HTTP/1.1" % url.target,
        "Host: " + url.authority,
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: " + key,
        "Sec-WebSocket-Version: 13",
    ]
    if subprotocols:
        for name in subprotocols:
            _check_token(name)
        lines.append("Sec-WebSocket-Protocol: " + ", ".join(subprotocols))
    for name, value in headers.items() if hasattr(headers, "items") else headers or ():
        _check_token(name)
        for character in value:
            # A line break here would let the value add headers of its own.
            if character < " " or character == "\x7f":
                raise ValueError("control character in header " + name)
        lines.append("%s: %s" % (name, value))
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _check_token(text):
    if not text or not all(character in _TCHAR for character in text):
        raise ValueError("not an HTTP token: %r" % text)


def accept_for(key):
    """Returns the Sec-WebSocket-Accept that belongs to a Sec-WebSocket-Key (§4.2.2 item 5.4)."""
    return b2a_base64(hashlib.sha1(key.encode() + _GUID).digest()).strip().decode()


def check_response(head, key, subprotocols=None):
    """Takes the server's answer up to, without, the empty line; returns the sub-protocol it chose, or None.

    Raises HandshakeError. The reason phrase may be anything, redirects are not followed.
    """
    # A header may go on in the next line, which then begins with white space (RFC 9112 §5.2).
    lines = head.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ").split(b"\r\n")
    status = _status(lines[0])
    headers = _headers(lines, status)
    if status != 101:
        text = "server answered HTTP %d" % status
        if 300 <= status < 400:
            text = "redirects are not followed: HTTP %d" % status
        raise HandshakeError(text, status)
    if headers.get("upgrade", "").lower() != "websocket":
        raise HandshakeError("server does not upgrade to websocket", status)
    if "upgrade" not in [token.strip() for token in headers.get("connection", "").lower().split(",")]:
        raise HandshakeError("server does not upgrade the connection", status)
    if headers.get("sec-websocket-accept") != accept_for(key):
        raise HandshakeError("server has not computed Sec-WebSocket-Accept", status)
    if headers.get("sec-websocket-extensions"):
        raise HandshakeError("server uses an extension that was not offered", status)
    subprotocol = headers.get("sec-websocket-protocol")
    if subprotocol is not None and subprotocol not in (subprotocols or ()):
        raise HandshakeError("server chose a sub-protocol that was not offered", status)
    return subprotocol


def _status(line):
    """Returns the code of "HTTP/1.1 101 any words"."""
    code = line[9:12]
    if line[:8] != b"HTTP/1.1" or line[8:9] != b" " or not code.isdigit() or line[12:13] not in (b"", b" "):
        raise HandshakeError("server does not speak HTTP/1.1")
    return int(code)


def _headers(lines, status):
    """Returns the headers that matter, by lower-case name. One that comes twice is refused: which one would count?"""
    headers = {}
    for i in range(1, len(lines)):
        name, colon, value = lines[i].partition(b":")
        if not colon or not name or name != name.strip():
            raise HandshakeError("server sent a bad header line", status)
        try:
            name = str(name, "ascii").lower()
            if name != "upgrade" and name != "connection" and not name.startswith("sec-websocket-"):
                continue
            value = str(value, "ascii").strip()
        except UnicodeError:
            raise HandshakeError("server sent a bad header line", status)
        if name in headers and name != "connection":
            raise HandshakeError("server sent %s twice" % name, status)
        headers[name] = headers[name] + "," + value if name in headers else value
    return headers
