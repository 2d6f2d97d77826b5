# NOR flash in a file of the host. MIT license.
"""Flash chip: a block device for LittleFS2 (MicroPython's extended interface) on an image file, with power loss.

Nothing is buffered: written data is in the file even if the process is killed right afterwards.
"""

import os

from micropython import const

BLOCK = const(4096)

_BLOCK_COUNT = const(4)
_BLOCK_SIZE = const(5)
_BLOCK_ERASE = const(6)
_EIO = const(5)


class ImageError(Exception):
    """The image has no valid file system."""


class Flash:
    """`on_cut()` is called at a power loss and does not return; from then on the chip refuses all operations."""

    def __init__(self, path, on_cut=None, on_operation=None):
        self._file = open(path, "r+b", buffering=0)
        self._blocks = self._file.seek(0, 2) // BLOCK
        self._erased = b"\xff" * BLOCK
        self._on_cut = on_cut
        self._on_operation = on_operation  # (kind, bytes), for each program and erase
        self._budget = None  # bytes left to write before the power loss
        self.off = False
        self.reads = self.programs = self.erases = self.bytes_programmed = 0

    @staticmethod
    def create(path, kib):
        """Creates a blank image of `kib` KiB."""
        erased = b"\xff" * BLOCK
        with open(path, "wb") as file:
            for _ in range(kib * 1024 // BLOCK):
                file.write(erased)

    def cut_after(self, count):
        """Cuts the power when `count` further bytes are written, erased ones included: in the middle of a write. None:
        it stays."""
        self._budget = count

    def readblocks(self, number, buffer, offset=0):
        if self.off:
            raise OSError(_EIO)
        self.reads += 1
        self._file.seek(number * BLOCK + offset)
        self._file.readinto(buffer)

    def writeblocks(self, number, buffer, offset=0):
        self._write(number * BLOCK + offset, buffer)
        self.programs += 1
        self.bytes_programmed += len(buffer)
        if self._on_operation:
            self._on_operation("program", len(buffer))

    def ioctl(self, request, argument):
        if request == _BLOCK_COUNT:
            return self._blocks
        if request == _BLOCK_SIZE:
            return BLOCK
        if request == _BLOCK_ERASE:
            self._write(argument * BLOCK, self._erased)
            self.erases += 1
            if self._on_operation:
                self._on_operation("erase", BLOCK)
        return 0

    def _write(self, position, data):
        if self.off:
            raise OSError(_EIO)
        self._file.seek(position)
        if self._budget is not None:
            if self._budget < len(data):
                self._file.write(memoryview(data)[: self._budget])
                self.off = True
                if self._on_cut:
                    self._on_cut()
                raise OSError(_EIO)
            self._budget -= len(data)
        self._file.write(data)


def mount(directory, kib, vfs, mount_point, on_cut=None, on_operation=None):
    """Mounts the image in `directory`, created and formatted if missing; returns the Flash.

    Raises OSError or ImageError.
    """
    path = directory + "/flash.img"
    try:
        os.stat(path)
    except OSError:
        # A new image gets its name when it is complete, so that a power loss leaves none or a valid one.
        try:
            Flash.create(path + ".new", kib)
            vfs.VfsLfs2.mkfs(Flash(path + ".new"))
            os.rename(path + ".new", path)
        except OSError:
            os.remove(path + ".new")  # incomplete image on a full disk
            raise
    flash = Flash(path, on_cut, on_operation)
    try:
        file_system = vfs.VfsLfs2(flash)
    except OSError:
        raise ImageError("%s is damaged" % path)
    vfs.mount(file_system, mount_point)
    return flash
