# JSON lines over TCP. MIT license.
"""Server of the control socket: requests, and events for subscribers. Clients cannot block the firmware.

A client that does not read is disconnected; the rest of a line that is too long is skipped.
"""

import asyncio
import json
from asyncio import core

import usocket as socket  # not the shadow module: it must work while the simulated network is down
from micropython import const

_MAX_CLIENTS = const(16)
_MAX_LINE = const(16_384)
_MAX_PENDING = const(131_072)  # bytes a client may leave unread
_CHUNK = const(2048)
_EAGAIN = const(11)
_IPPROTO_TCP = const(6)
_TCP_NODELAY = const(1)


class CommandError(Exception):
    """A command cannot be executed; the text is sent in the reply."""


class _Client:
    """One connection; send() never waits."""

    def __init__(self, sock):
        self._sock = sock
        self._out = bytearray()
        self._flushing = False
        self.subscribed = False
        self.messages = False  # subscribed to OCPP messages, too
        self.closed = False

    def send(self, line):
        if self.closed:
            return
        if len(self._out) + len(line) > _MAX_PENDING:
            self.close()
            return
        self._out.extend(line)
        if not self._flushing and not self._flush():
            self._flushing = True
            asyncio.create_task(self._flush_later())

    def _flush(self):
        """Writes as much as the socket takes; returns True when nothing is left."""
        try:
            written = self._sock.write(self._out) or 0
        except OSError:
            self.close()
            return True
        self._out = self._out[written:]
        return not self._out

    async def _flush_later(self):
        while not self.closed:
            yield core._io_queue.queue_write(self._sock)
            if self.closed or self._flush():
                break
        self._flushing = False

    async def receive(self):
        """Returns some bytes, b"" at the end."""
        while not self.closed:
            yield core._io_queue.queue_read(self._sock)
            try:
                return self._sock.recv(_CHUNK)
            except OSError as exc:
                if exc.errno != _EAGAIN:
                    break
        return b""

    def close(self):
        if not self.closed:
            self.closed = True
            self._out = bytearray()
            self._sock.close()


class Server:
    """`handle(client, request)` returns the fields of the reply, or raises CommandError; `ms()` stamps events."""

    def __init__(self, host, port, handle, ms):
        self._handle = handle
        self._ms = ms
        self._clients = []
        self._listening = socket.socket()
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listening.bind(socket.getaddrinfo(host, port)[0][-1])
        self._listening.setblocking(False)

    @property
    def has_subscribers(self):
        return any(client.subscribed for client in self._clients)

    @property
    def wants_messages(self):
        return any(client.subscribed and client.messages for client in self._clients)

    def mute(self):
        """Sends no more events."""
        for client in self._clients:
            client.subscribed = False

    def emit(self, name, fields):
        """Sends an event to every subscriber."""
        line = None
        for client in self._clients:
            if client.subscribed and (client.messages or name != "message"):
                if line is None:
                    event = {"ev": name, "t": self._ms()}
                    event.update(fields)
                    line = json.dumps(event) + "\n"
                client.send(line)

    async def run(self):
        self._listening.listen(_MAX_CLIENTS)
        while True:
            yield core._io_queue.queue_read(self._listening)
            try:
                sock, _ = self._listening.accept()
            except OSError:
                continue  # disconnected at once
            sock.setblocking(False)
            sock.setsockopt(_IPPROTO_TCP, _TCP_NODELAY, 1)  # events must not wait for the previous one's ACK
            if len(self._clients) >= _MAX_CLIENTS:
                sock.close()
                continue
            client = _Client(sock)
            self._clients.append(client)
            asyncio.create_task(self._serve(client))

    async def _serve(self, client):
        pending = b""
        skipping = False  # skipping the rest of a line that is too long
        try:
            while True:
                data = await client.receive()
                if not data:
                    break
                pending += data
                while b"\n" in pending:
                    line, pending = pending.split(b"\n", 1)
                    if line.strip() and not skipping:
                        client.send(json.dumps(self._reply(client, line)) + "\n")
                        await asyncio.sleep(0)  # the firmware runs between two requests
                    skipping = False
                if len(pending) > _MAX_LINE:
                    if not skipping:
                        client.send(json.dumps(_refusal(None, "line too long")) + "\n")
                    skipping = True
                    pending = b""
        finally:
            client.close()
            self._clients.remove(client)

    def _reply(self, client, line):
        try:
            request = json.loads(line)
        except (ValueError, UnicodeError):
            return _refusal(None, "not JSON")
        if not isinstance(request, dict):
            return _refusal(None, "a request must be an object")
        number = request.get("id")
        if isinstance(number, (dict, list)):
            return _refusal(None, "id must be a number or a text")
        if not isinstance(request.get("cmd"), str):
            return _refusal(number, "cmd is missing")
        try:
            reply = self._handle(client, request)
        except CommandError as exc:
            return _refusal(number, str(exc))
        except Exception as exc:
            # The firmware has raised inside a command: reply with the error, the simulator continues.
            return _refusal(number, "%s: %s" % (type(exc).__name__, exc))
        reply["id"] = number
        reply["ok"] = True
        reply["t"] = self._ms()
        return reply


def _refusal(number, error):
    return {"id": number, "ok": False, "error": error}
