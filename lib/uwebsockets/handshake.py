# Opening handshake of a WebSocket. MIT license.
"""Opening handshake (HTTP upgrade, RFC 6455 §4.1, §4.2.2) without I/O: the request, and checks of the response."""

import hashlib
from binascii import b2a_base64

from micropython import const

from uwebsockets.errors import HandshakeError

MAX_HEADER = const(8192)  # maximum bytes of the response; proxies add cookies and policies of a kilobyte or two

_MAX_INTERIM = const(8)  # maximum interim responses

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
            # A line break would let the value add headers.
            if character < " " or character == "\x7f":
                raise ValueError("control character in header " + name)
        lines.append("%s: %s" % (name, value))
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _check_token(text):
    if not text or not all(character in _TCHAR for character in text):
        raise ValueError("not an HTTP token: %r" % text)


def accept_for(key):
    """Returns the Sec-WebSocket-Accept for a Sec-WebSocket-Key (§4.2.2 item 5.4)."""
    return b2a_base64(hashlib.sha1(key.encode() + _GUID).digest()).strip().decode()


class ResponseReader:
    """Finds the server's final response in received bytes; skips interim ones (1xx, RFC 9110 §15.2)."""

    def __init__(self):
        self._data = b""
        self._room = MAX_HEADER  # remaining bytes for all responses together
        self._interim = 0

    def feed(self, data):
        """Takes received bytes; returns (response up to its empty line, bytes after it) when complete, else None.

        Raises HandshakeError for too many interim responses or bytes.
        """
        self._data += data
        while True:
            end = self._data.find(b"\r\n\r\n")
            if (len(self._data) if end < 0 else end) > self._room:
                raise HandshakeError("server's header is too long")
            if end < 0:
                return None
            head, self._data = self._data[:end], self._data[end + 4 :]
            if not _is_interim(head):
                return head, self._data
            self._room -= end
            self._interim += 1
            if self._interim > _MAX_INTERIM:
                raise HandshakeError("server sends too many interim responses")


def _is_interim(head):
    code = head[9:12]
    ends = head[12:13] in (b"", b" ", b"\r")
    return head[:9] == b"HTTP/1.1 " and ends and code[:1] == b"1" and code.isdigit() and code != b"101"


def check_response(head, key, subprotocols=None):
    """Checks the response (without the empty line); returns the sub-protocol that the server chose, or None.

    Raises HandshakeError. Any reason phrase is accepted; redirects are not followed.
    """
    # A header may continue in the next line, which then begins with white space (RFC 9112 §5.2).
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
        raise HandshakeError("server sent a wrong Sec-WebSocket-Accept", status)
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
    """Returns the relevant headers by lower-case name. A header that occurs twice is refused as ambiguous."""
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
