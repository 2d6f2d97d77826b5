"""Spool files in flash for messages that do not fit into RAM."""

import asyncio
import os

from micropython import const

from firmware import ocpp

_SEGMENT = const(65536)  # maximum bytes per file
_MAX_IN_RAM = const(65536)  # maximum bytes of a message without a spool; a larger one closes the link (1009)


class NoSpool:
    """Stands in for a Spool where large messages are not kept in flash."""

    def limits(self, settings):
        return {"max_size": _MAX_IN_RAM}

    def abandon(self):
        pass


class Spool:
    """Keeps large messages in files whose names begin with `path`, one message at a time.

    Files left over from a power loss are removed. `lists` see LargeMessage.
    """

    def __init__(self, path, lists, clock):
        self._path = path
        self._lists = lists
        self._clock = clock
        self._kept = None
        self._count = 0  # messages so far, for the file names
        self._leaving = []  # names of files to remove
        self._sweeper = None  # task that removes them; None while there are none
        folder, _, name = path.rpartition("/")
        for entry in os.listdir(folder):
            if entry.startswith(name + "."):
                remove(folder + "/" + entry)

    @property
    def leaving(self):
        """Bytes that are about to be freed, approximately."""
        return len(self._leaving) * _SEGMENT

    def limits(self, settings):
        """Returns the size limits for a WebSocket, as arguments of uwebsockets.connect()."""
        return {
            "max_size": settings.get("MaxMessageBytes"),
            "spool": self.begin,
            "spool_above": settings.get("LargeMessageBytes"),
        }

    def begin(self, is_text, size):
        """Returns a large.LargeMessage for a message of at least `size` bytes that begins to arrive."""
        fault = None
        if not is_text:
            fault = "binary messages are not supported"
        elif self._kept:
            fault = "another large message is being processed"
        self._count += 1
        name = "%s.%d" % (self._path, self._count)
        message = ocpp.LargeMessage(self, name, self._lists, self._clock, fault, size)
        if not fault:
            self._kept = message
            message.grant(size)
        return message

    def abandon(self):
        """The connection has ended: discards a message that is not complete. A complete one is discarded after use."""
        if self._kept and not self._kept.complete:
            self._kept.discard()

    def forget(self, message, files):
        """Removes the `files` of a LargeMessage, one by one in a task: each takes the flash milliseconds."""
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
    """Removes a file if it exists."""
    try:
        os.remove(path)
    except OSError:
        pass  # already removed, or removed at the next start
