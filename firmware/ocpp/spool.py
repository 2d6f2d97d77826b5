"""Where a message goes that does not fit into RAM. The code that works on one is loaded when the first one comes."""

import os


class Spool:
    """Keeps large messages in files whose names begin with `path`, one at a time. What a power cut left is removed."""

    def __init__(self, path, clock):
        self._path = path
        self._clock = clock
        self._kept = None
        folder, _, name = path.rpartition("/")
        for entry in os.listdir(folder):
            if entry.startswith(name + "."):
                try:
                    os.remove(folder + "/" + entry)
                except OSError:
                    pass  # at the next start, then

    def begin(self, is_text, size):
        """Returns the large.LargeMessage for one of at least `size` bytes that begins to arrive."""
        from firmware.ocpp.large import LargeMessage  # with jsonstream 9 KB of heap that few stations ever need

        fault = None
        if not is_text:
            fault = "binary messages are not used"
        elif self._kept:
            fault = "another large message is being worked on"
        message = LargeMessage(self, self._path, self._clock, fault)
        if not fault:
            self._kept = message
            message.grant(size)
        return message

    def abandon(self):
        """The connection has ended: what was arriving goes. Work on what has arrived discards it by itself."""
        if self._kept and not self._kept.complete:
            self._kept.discard()

    def forget(self, message):
        """For a LargeMessage that needs its files no more."""
        if self._kept is message:
            self._kept = None
