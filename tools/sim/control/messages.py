# The OCPP messages of the simulated charger. MIT license.
"""Copies OCPP messages on the WebSocket to the control socket, also with TLS."""

from uwebsockets.client import WebSocket


def watch(wanted, tell):
    """From now on calls tell(direction, text), "out" or "in", for each message while wanted() is true.

    For a message that is sent in pieces or spooled only the size is given.
    """
    send, send_pieces, recv = WebSocket.send, WebSocket.send_pieces, WebSocket.recv

    def sending(self, message):
        if isinstance(message, str) and wanted():
            tell("out", message)
        return send(self, message)

    def sending_pieces(self, size, pieces):
        if wanted():
            tell("out", "(%d bytes)" % size)
        return send_pieces(self, size, pieces)

    async def receiving(self):
        message = await recv(self)
        if message is not None and wanted():
            tell("in", message if isinstance(message, str) else "(a large message)")
        return message

    WebSocket.send, WebSocket.send_pieces, WebSocket.recv = sending, sending_pieces, receiving
