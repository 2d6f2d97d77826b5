"""Firmware update: unpacks an image into the free slot as its bytes arrive, for portal and back-end.

    unpacking = Unpacking(slots)
    for data in download:                       # pieces of any size
        for _ in unpacking.receive(data):
            await asyncio.sleep(0)              # a file was written: let others run
    for _ in unpacking.finish():
        await asyncio.sleep(0)
    slots.try_next()

Whatever is wrong raises ImageError, SlotError or OSError with the reason; then the version that runs is untouched, and
what was written so far is no version.
"""

from micropython import const

from firmware.maintenance.image import DATA, FILE, FILE_END, HEAD, MANIFEST, ImageError, ImageReader, this_device
from firmware.maintenance.installation import Installation
from firmware.maintenance.partitions import PartitionInstallation
from firmware.maintenance.slots import APPLICATION, FILES

_INSTALLATIONS = {FILES: Installation, APPLICATION: PartitionInstallation}
_MARGIN = const(65_536)  # bytes of flash that are left to the journal


class Unpacking:
    """`slots` is a slots.ApplicationSlots or partitions.PartitionSlots.

    `verify(head)` raises ImageError for an image whose signature is not good enough (image.Head); None: not looked at.
    """

    def __init__(self, slots, verify=None, device=None):
        self._slots = slots
        self._verify = verify
        self._reader = ImageReader(device or this_device(slots.kind))
        self._installation = None
        self._manifest = None
        self._file = None

    @property
    def version(self):
        """The version in the image, None until its head has come."""
        return self._reader.head and self._reader.head.version

    def receive(self, data):
        """Takes a piece of the image; a generator that yields after each step of writing."""
        try:
            for kind, value in self._reader.receive(data):
                if kind == HEAD:
                    self._begin(value)
                elif kind == MANIFEST:
                    self._manifest.write(value)
                elif kind == FILE:
                    self._file = self._installation.write(value[0])
                elif kind == DATA:
                    self._file.write(value)
                elif kind == FILE_END:
                    self._file.close()
                    self._file = None
                yield
        except (OSError, ValueError):
            self.abandon()
            raise

    def finish(self):
        """To be called after the last piece: compares what was written with the manifest. A generator like receive().

        Then the version is one that slots.try_next() takes.
        """
        try:
            self._reader.finish()
            self._manifest.close()
            self._manifest = None
            yield from self._installation.complete()
        except (OSError, ValueError):
            self.abandon()
            raise

    def abandon(self):
        """Closes what is open; nothing of the image counts."""
        for file in (self._file, self._manifest):
            if file:
                file.close()
        self._file = self._manifest = None

    def _begin(self, head):
        if self._verify:
            self._verify(head)
        room = _INSTALLATIONS[head.kind].room(self._slots) - _MARGIN  # type: ignore[attr-defined]
        if head.flash > room:
            raise ImageError("needs %d KB of flash, there are %d" % (head.flash // 1024, max(room, 0) // 1024))
        self._installation = _INSTALLATIONS[head.kind](self._slots)
        self._manifest = self._installation.write_manifest()  # type: ignore[attr-defined]
