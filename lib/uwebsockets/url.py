# Addresses of WebSocket servers. MIT license.
"""Strict parser of ws and wss URLs (RFC 6455 §3, RFC 3986), so that nothing odd reaches the request line."""

_DEFAULT_PORT = {"ws": 80, "wss": 443}
_UNRESERVED = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"


class Url:
    """The parts of a URL. `host` is without brackets; `target` is path and query for the request line; `authority` is
    host[:port] for the Host header, with the port only if it is not the default."""

    def __init__(self, secure, host, port, target, authority):
        self.secure = secure
        self.host = host
        self.port = port
        self.target = target
        self.authority = authority


def parse(text):
    """Returns the Url of `text`. Raises ValueError; user names, fragments and unencoded characters are refused."""
    for character in text:
        if not "!" <= character <= "~":
            raise ValueError("URL has a character that must be percent-encoded")
    scheme, separator, rest = text.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in _DEFAULT_PORT:
        raise ValueError("URL must begin with ws:// or wss://")
    if "#" in rest:
        raise ValueError("URL must not have a fragment")
    end = len(rest)
    for delimiter in "/?":
        at = rest.find(delimiter)
        if 0 <= at < end:
            end = at
    authority, target = rest[:end], rest[end:]
    if "@" in authority:
        raise ValueError("URL must not have a user name")
    if not target.startswith("/"):
        target = "/" + target
    host, port = _host_and_port(authority)
    if port is None:
        port = _DEFAULT_PORT[scheme]
    shown = "[%s]" % host if ":" in host else host
    if port != _DEFAULT_PORT[scheme]:
        shown += ":%d" % port
    return Url(scheme == "wss", host, port, target, shown)


def _host_and_port(authority):
    """Returns (host, port or None)."""
    if authority.startswith("["):
        host, bracket, port = authority[1:].partition("]")
        if not bracket or ":" not in host or (port and not port.startswith(":")):
            raise ValueError("bad IPv6 address in URL")
        port = port[1:]
    else:
        host, _, port = authority.partition(":")
    if not host:
        raise ValueError("URL has no host")
    for character in host:
        if character in '[]<>"\\^`{|}':
            raise ValueError("bad host in URL")
    if not port:
        return host, None
    if not port.isdigit() or len(port) > 5 or not 0 < int(port) < 65536:
        raise ValueError("bad port in URL")
    return host, int(port)


def quote(text):
    """Returns `text` percent-encoded as a path segment (RFC 3986 §2.1): "RDAM 123" -> "RDAM%20123"."""
    if all(character in _UNRESERVED for character in text):
        return text
    return "".join(chr(byte) if chr(byte) in _UNRESERVED else "%%%02X" % byte for byte in text.encode())
