# Errors of the WebSocket client. MIT license.
"""Exceptions. All errors on the wire are OSErrors: one `except OSError` around a connection is enough."""


class WebSocketError(OSError):
    """Base of all errors of this package."""


class HandshakeError(WebSocketError):
    """The server did not accept the connection. `status`: its HTTP status, None without a valid one."""

    def __init__(self, text, status=None):
        super().__init__(text)
        self.status = status


class ProtocolError(WebSocketError):
    """The server violated the protocol or a limit; `code` is the close code sent to it (1002, 1007 or 1009)."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


class ConnectionClosed(WebSocketError):
    """The connection is gone: closed before, or lost without a closing handshake."""
