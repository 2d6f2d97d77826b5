# Name look-ups beside asyncio. MIT license.
"""DNS look-up that does not block the scheduler: `addresses = await Resolver()("example.org", 443)`.

MicroPython's getaddrinfo() blocks until the name server answers, up to about 14 s on the ESP32, but other threads run
meanwhile. So a thread calls it and stores the result in slots that exist beforehand. This is also safe on the unix
port, where threads share the heap without a lock.
"""

import _thread
import asyncio
import socket

_POLL_S = 0.02
_PATIENCE_S = 3


class Resolver:
    """One look-up at a time; callers that ask for the same name share its result.

    The last addresses are kept and used again when the name server does not answer within `patience_s` or fails.
    `lookup` replaces socket.getaddrinfo.
    """

    def __init__(self, lookup=None, patience_s=_PATIENCE_S):
        self._lookup = lookup or socket.getaddrinfo
        self._patience_s = patience_s
        self._work = None  # last look-up
        self._known = None  # last successful one before it

    async def __call__(self, host, port):
        """Returns the result of socket.getaddrinfo() for a TCP connection. Raises OSError. May be cancelled."""
        if is_address(host):
            return self._lookup(host, port, 0, socket.SOCK_STREAM)
        # A cancelled look-up cannot be stopped; a second thread would only wait for the same name server.
        while self._work and not self._work.done and not self._work.is_for(host, port):
            await asyncio.sleep(_POLL_S)
        if self._work is None or self._work.done:
            if self._work and self._work.answer:
                self._known = self._work  # even if it came too late for its caller
            self._work = _Work(host, port)
            self._work.start(self._lookup)
        work = self._work
        known = self._known.answer if self._known and self._known.is_for(host, port) else None
        left_s = self._patience_s
        while not work.done and (left_s > 0 or not known):
            await asyncio.sleep(_POLL_S)
            left_s -= _POLL_S
        answer = work.answer or known
        if not answer:
            raise OSError("no address found for %s: %s" % (host, work.error))
        return answer


class _Work:
    """One look-up. All slots exist before the thread starts, so it only changes values."""

    def __init__(self, host, port):
        self._host = host
        self._port = port
        self._lookup = None
        self.answer = None
        self.error = None
        self.done = False

    def is_for(self, host, port):
        return self._host == host and self._port == port

    def start(self, lookup):
        self._lookup = lookup
        try:
            _thread.start_new_thread(self._run, ())
        except (OSError, RuntimeError, MemoryError) as exc:  # no thread available
            self.error = exc
            self.done = True

    def _run(self):
        try:
            self.answer = self._lookup(self._host, self._port, 0, socket.SOCK_STREAM)
        except (OSError, MemoryError) as exc:
            self.error = exc
        self.done = True


def is_address(host):
    """Returns True for an IPv4 address, which needs no name server (192.168.1.300 would need one)."""
    parts = host.split(".")
    return len(parts) == 4 and all(part.isdigit() and int(part) < 256 for part in parts)
