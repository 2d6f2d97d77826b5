# Byte stream below the WebSocket. MIT license.
"""Byte stream of one TCP or TLS connection on both interpreters: writes whole frames even when cancelled."""

import asyncio
import sys

from micropython import const

from uwebsockets.errors import ConnectionClosed

try:
    from time import ticks_diff, ticks_ms
except ImportError:  # CPython
    from time import monotonic  # type: ignore[attr-defined]

    def ticks_ms():
        return int(monotonic() * 1000)

    def ticks_diff(end, start):  # type: ignore[no-redef]
        return end - start


_MICROPYTHON = sys.implementation.name == "micropython"
_READ = const(1024)  # most bytes taken from the socket at once
_CLOSE_S = const(1)  # CPython only: most seconds for TLS to say goodbye


class Transport:
    """One task at a time may read, and one write. All errors are OSErrors, whatever the TLS library raises."""

    def __init__(self, reader, writer):
        self._reader = reader
        self._writer = writer
        self._flushed = asyncio.Event()
        self._flushed.set()
        self._flusher = None
        self._error = None
        self.closed = False

    async def read(self):
        """Returns the next bytes, b"" at the end of the stream. Raises OSError."""
        if self.closed:
            return b""
        try:
            return await self._reader.read(_READ)
        except ValueError as exc:  # MicroPython: the certificate was refused
            raise OSError(str(exc).strip())

    async def write(self, pieces):
        """Sends the bytes of all `pieces`, an iterable, and returns when the socket has taken them.

        They go whole, even if the caller is cancelled.
        """
        await self._flushed.wait()  # the caller before may have been cancelled halfway
        if self._error:
            raise self._error
        pieces = iter(pieces)
        try:
            piece = next(pieces)
            if piece:
                self._writer.write(piece)
            following = next(pieces, None)
        except (OSError, ValueError, MemoryError) as exc:
            self._fail(exc)
        else:
            if following is not None or not _MICROPYTHON or self._writer.out_buf:
                # MicroPython's drain() starts again from the first byte when it was cancelled in the middle, and a
                # write() meanwhile gets lost. So a task that nobody cancels drains; the caller only waits for it.
                self._flushed.clear()
                self._flusher = asyncio.create_task(self._flush(following, pieces))
                await self._flushed.wait()
        if self._error:
            raise self._error
        await asyncio.sleep(0)  # one who only ever sends must not hold the scheduler

    async def _flush(self, following, pieces):
        try:
            await self._writer.drain()
            while following is not None:
                if following:
                    self._writer.write(following)
                await self._writer.drain()
                following = next(pieces, None)
        except (OSError, ValueError, MemoryError) as exc:
            self._fail(exc)
        self._flusher = None
        self._flushed.set()

    def _fail(self, exc):
        """Keeps the error: what follows half a frame would be garbage. TLS raises ValueErrors, too."""
        self._error = exc if isinstance(exc, OSError) else OSError(str(exc).strip())

    async def close(self):
        """Closes the socket at once; what read() and write() wait for ends. May be called again."""
        if self.closed:
            return
        self.closed = True
        self._error = self._error or ConnectionClosed("connection is closed")
        if self._flusher:
            self._flusher.cancel()
            self._flushed.set()
        self._writer.close()
        if _MICROPYTHON:
            await self._writer.wait_closed()
            return
        try:
            await asyncio.wait_for(self._writer.wait_closed(), _CLOSE_S)
        except (OSError, asyncio.TimeoutError):
            self._writer.transport.abort()
