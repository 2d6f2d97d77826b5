"""Two-slot file: a small document with two copies on flash; the newer intact one counts.

A document is written over the older slot, so a power loss or a full flash while writing leaves the newer one untouched
on any file system. On LittleFS this costs as much as overwriting one file (0.04 erases for <= 128 bytes), less than
half of a temporary file and a rename.
"""

import binascii

_SUFFIXES = (".a", ".b")

# A line with the generation before the document and one with the CRC-32 after it.
OVERHEAD = 8 + 1 + 1 + 8


class Slots:
    """Keeps one text at `path`.a and `path`.b; `wear` (store.wear.Wear) counts the writes.

    `damaged` is True after load() when the check of a slot failed, so the text may be an older one. This is logged.
    """

    def __init__(self, path, log=None, wear=None):
        self._path = path
        self._log = log
        self._generation = None  # of the newer slot; None before load()
        self._wear = wear
        self.damaged = False

    def load(self):
        """Returns the newest text that passes its check, or None."""
        self.damaged = False
        self._generation = 0
        newest = None
        for suffix in _SUFFIXES:
            try:
                with open(self._path + suffix, "rb") as f:
                    data = f.read()
            except OSError:
                continue
            slot = _decode(data)
            if slot is None:
                # An empty file: its first write was interrupted, nothing was lost.
                self.damaged = self.damaged or bool(data)
            elif slot[0] > self._generation:
                self._generation, newest = slot
        if self.damaged and self._log:
            name = self._path.rpartition("/")[2]
            self._log.error("store", "%s damaged, %s", name, "last good copy used" if newest else "starting empty")
        return newest

    def save(self, text):
        """Writes `text` durably; raises OSError when the flash is full, the old text then stays."""
        if self._generation is None:
            self.load()
        generation = self._generation + 1
        body = ("%08x\n" % generation).encode() + text.encode()
        with open(self._path + _SUFFIXES[generation % 2], "wb") as f:
            f.write(body + ("\n%08x" % binascii.crc32(body)).encode())
        self._generation = generation
        if self._wear:
            self._wear.wrote(len(body) + 9)


def _decode(data):
    """Returns (generation, text) from a slot's bytes, or None when they are damaged."""
    body = data[:-9]
    if data[-9:] != ("\n%08x" % binascii.crc32(body)).encode():
        return None
    generation, _, text = body.partition(b"\n")
    try:
        return int(generation, 16), text.decode()
    except ValueError:  # UnicodeError is one
        return None
