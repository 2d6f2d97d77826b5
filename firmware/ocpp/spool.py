"""Spool files in flash for messages that do not fit into RAM."""

import asyncio
import os

from micropython import const

from firmware import ocpp

_SEGMENT = const(65536)  # bytes of a file of a message, at most
_MAX_IN_RAM = const(65536)  # bytes of a message without a spool; a larger one is refused with close code 1009


class NoSpool:
    """Stands where large messages are not kept."""

    def limits(self, settings):
        return {"max_size": _MAX_IN_RAM}

    def abandon(self):
        pass


class Spool:
    """Keeps large messages in files whose names begin with `path`, one at a time. What a power cut left is removed.

    `lists` see LargeMessage.
    """

    def __init__(self, path, lists, clock):
        self._path = path
        self._lists = lists
        self._clock = clock
        self._kept = None
        self._count = 0  # messages that were kept
        self._leaving = []  # names of files that nobody needs any more
        self._sweeper = None  # task that removes them, while there are any
        folder, _, name = path.rpartition("/")
        for entry in os.listdir(folder):
            if entry.startswith(name + "."):
                remove(folder + "/" + entry)

    @property
    def leaving(self):
        """Bytes that get free soon, at least about."""
        return len(self._leaving) * _SEGMENT

    def limits(self, settings):
        """Returns what a WebSocket has to know, see uwebsockets.connect()."""
        return {
            "max_size": settings.get("MaxMessageBytes"),
            "spool": self.begin,
            "spool_above": settings.get("LargeMessageBytes"),
        }

    def begin(self, is_text, size):
        """Returns the large.LargeMessage for one of at least `size` bytes that begins to arrive."""
        fault = None
        if not is_text:
            fault = "binary messages are not used"
        elif self._kept:
            fault = "another large message is being worked on"
        self._count += 1
        name = "%s.%d" % (self._path, self._count)
        message = ocpp.LargeMessage(self, name, self._lists, self._clock, fault, size)
        if not fault:
            self._kept = message
            message.grant(size)
        return message

    def abandon(self):
        """The connection has ended: what was arriving goes. Work on what has arrived discards it by itself."""
        if self._kept and not self._kept.complete:
            self._kept.discard()

    def forget(self, message, files):
        """For a LargeMessage that needs its `files` no more. They go one by one: each takes the flash milliseconds."""
        if self._kept is message:
            self._kept = None
        self._leaving.extend(files)
        if self._leaving and not self._sweeper:
            self._sweeper = asyncio.create_task(self._sweep())

    async def _sweep(self):
        try:
            while self._leaving:
                remove(self._leaving.pop(0))
                await asyncio.sleep(0)
        finally:
            self._sweeper = None


def remove(path):
    """Removes a file, if it is there."""
    try:
        os.remove(path)
    except OSError:
        pass  # removed before, or at the next start
