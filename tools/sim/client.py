"""Client of the control socket of a simulated charger: sends commands, receives replies and events."""

import json
import socket
import threading
import time
from itertools import count

_REPLY_TIMEOUT_S = 5


class CommandFailed(Exception):
    """The charger answered "ok": false; the text is its error."""


class ControlClient:
    """One connection to HOST:PORT. A thread reads it; `events` has all events so far, oldest first.

    Raises OSError when no charger listens. `on_event`, if given, is called with each event, on that thread.
    """

    def __init__(self, host, port, timeout=5, on_event=None):
        self.events = []
        self.closed = False
        self._on_event = on_event
        self._numbers = count(1)
        self._replies = {}
        self._changed = threading.Condition()
        self._socket = socket.create_connection((host, port), timeout=timeout)
        self._socket.settimeout(None)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._thread = threading.Thread(target=self._read, name="control client", daemon=True)
        self._thread.start()

    def command(self, cmd, timeout=_REPLY_TIMEOUT_S, **arguments):
        """Sends a command and returns its reply. Raises CommandFailed, ConnectionError or TimeoutError."""
        number = next(self._numbers)
        line = json.dumps({"id": number, "cmd": cmd, **arguments}) + "\n"
        try:
            self._socket.sendall(line.encode())
        except OSError as exc:
            raise ConnectionError(f"the charger has ended: {exc}") from exc
        with self._changed:
            self._changed.wait_for(lambda: number in self._replies or self.closed, timeout)
            reply = self._replies.pop(number, None)
        if reply is None:
            if self.closed:
                raise ConnectionError("the charger has ended")
            raise TimeoutError(f"no reply to {cmd} in {timeout} s")
        if not reply["ok"]:
            raise CommandFailed(reply["error"])
        return reply

    def wait_for(self, find, timeout):
        """Calls find() after each event until it returns something other than None; returns that."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                found = find()
                left = deadline - time.monotonic()
                if found is not None or left <= 0 or self.closed:
                    return found
                self._changed.wait(left)

    def close(self):
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # closed by the charger
        self._thread.join()
        self._socket.close()

    def _read(self):
        try:
            with self._socket.makefile("r", encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    self._take(json.loads(line))
        except (OSError, ValueError):
            pass  # a killed charger may leave half a line
        with self._changed:
            self.closed = True
            self._changed.notify_all()

    def _take(self, message):
        with self._changed:
            if "ev" in message:
                self.events.append(message)
            else:
                self._replies[message["id"]] = message
            self._changed.notify_all()
        if self._on_event and "ev" in message:
            self._on_event(message)


def matches(event, name, fields):
    """Returns True for an event with this name and fields."""
    return event["ev"] == name and all(event.get(key) == value for key, value in fields.items())
