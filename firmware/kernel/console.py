"""Log output on the console: a bounded buffer and a task that writes small pieces; dropped if it is not read."""

import asyncio
import select

from micropython import const

from firmware.kernel.clock import iso8601, sleep_ms
from firmware.kernel.log import format_line

_MOST_WAITING = const(4096)  # characters: the lines of a start
# A UART takes 87 us for each character beyond the 128 of its FIFO: a piece of this size each 10 ms never fills it.
_PIECE = const(32)
_PIECE_MS = const(10)
_LOOK_MS = const(100)  # until a stream that is not ready is looked at again
# A USB host that is connected and does not read stalls a piece for 200 or 500 ms: it gets nothing for a while then.
_STALLED_MS = const(50)
_MUTE_MS = const(60_000)
_LONGEST_MUTE_MS = const(3_600_000)


class Console:
    """A sink of kernel.log.Log above a text stream; `run(beat)` is the task that writes.

    lost   lines that were dropped since the last that was written
    """

    def __init__(self, stream, ticks_ms, ticks_diff, sleep_ms=sleep_ms, poll=select.poll):
        self._stream = stream
        self._ticks_ms = ticks_ms
        self._ticks_diff = ticks_diff
        self._sleep_ms = sleep_ms
        self._poll = poll
        self._lines = []
        self._written = 0  # characters of the first
        self._waiting = 0  # characters of all
        self._mute_ms = _MUTE_MS
        self._muted = False
        self._more = asyncio.Event()
        self.lost = 0

    def __call__(self, line):
        text = format_line(line, iso8601) + "\n"
        if self._muted or self._waiting + len(text) > _MOST_WAITING:
            self.lost += 1
            return
        if self.lost:
            text = "\n%d lines lost\n%s" % (self.lost, text)  # a stall has cut a line in two
            self.lost = 0
        self._lines.append(text)
        self._waiting += len(text)
        self._more.set()

    async def run(self, beat):
        """Writes what is logged, for as long as the station runs."""
        poller = self._poll()
        poller.register(self._stream, select.POLLOUT)
        while True:
            await self._more.wait()
            self._more.clear()
            while self._lines:
                if not poller.poll(0):
                    await self._sleep_ms(_LOOK_MS)
                elif self._write_piece() < _STALLED_MS:
                    await self._sleep_ms(_PIECE_MS)
                else:
                    await self._rest()

    def flush(self):
        """Writes all that waits, however long that takes: nothing else runs any more."""
        while self._lines:
            self._write_piece()

    def _write_piece(self):
        """Returns the ms that it took."""
        piece = self._lines[0][self._written : self._written + _PIECE]
        self._written += len(piece)
        self._waiting -= len(piece)
        if self._written == len(self._lines[0]):
            self._lines.pop(0)
            self._written = 0
        began = self._ticks_ms()
        try:
            self._stream.write(piece)
        except OSError:
            pass  # there is no console
        took_ms = self._ticks_diff(self._ticks_ms(), began)
        if took_ms < _STALLED_MS:
            self._mute_ms = _MUTE_MS
        return took_ms

    async def _rest(self):
        """Drops what waits and what comes, each time for longer."""
        self.lost += len(self._lines)
        self._lines.clear()
        self._written = self._waiting = 0
        self._muted = True
        try:
            await self._sleep_ms(self._mute_ms)
        finally:
            self._muted = False
        self._mute_ms = min(2 * self._mute_ms, _LONGEST_MUTE_MS)
