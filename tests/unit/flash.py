"""A NOR flash in RAM under LittleFS2, whose power can be cut at every program and erase (MicroPython only).

Same parameters as the board's file system: erase block 4096, program unit 32 bytes. Programming can only clear bits.
"""

import gc
import os

import vfs

_ERASE = 4096


# How a block device reports failure. Not by an exception: files that a power cut left open are closed by the garbage
# collector, in which nothing can be allocated.
_NO_POWER = -5


class RamFlash:
    """`cut_after(n)` lets n more programs and erases happen; the next one fails, torn in the middle if so wished."""

    def __init__(self, blocks=64, image=None, data=None):
        self._blocks = blocks
        self.data = data or bytearray(image or b"\xff" * (blocks * _ERASE))
        self._left = None
        self._torn = False
        self.off = False
        self.erases = self.programs = self.programmed = self.reads = 0

    def cut_after(self, operations, torn=False):
        self._left = operations
        self._torn = torn

    def restarted(self):
        """Returns the flash of the next power-on. Files that a power cut left open stay in the dead one, whenever the
        garbage collector finds them."""
        return RamFlash(self._blocks, data=self.data)

    def clear_counters(self):
        self.erases = self.programs = self.programmed = self.reads = 0

    def readblocks(self, block, buffer, offset=0):
        if self.off:
            return _NO_POWER
        self.reads += 1
        at = block * _ERASE + offset
        buffer[:] = self.data[at : at + len(buffer)]
        return 0

    def writeblocks(self, block, buffer, offset=0):
        size = self._spend(len(buffer))
        at = block * _ERASE + offset
        for i in range(size):
            self.data[at + i] &= buffer[i]
        self.programs += 1
        self.programmed += size
        return _NO_POWER if self.off else 0

    def ioctl(self, op, block):
        if op == 4:
            return self._blocks
        if op == 5:
            return _ERASE
        if op == 6:
            size = self._spend(_ERASE)
            at = block * _ERASE
            self.data[at : at + size] = b"\xff" * size
            self.erases += 1
            return _NO_POWER if self.off else 0
        return 0

    def _spend(self, size):
        """Counts one operation; returns how many bytes of it still happen."""
        if self.off:
            return 0
        if self._left is None:
            return size
        self._left -= 1
        if self._left >= 0:
            return size
        self.off = True
        return size // 2 if self._torn else 0


_POINT = "/flash"


def format_flash(blocks=64):
    """Returns a formatted RamFlash."""
    flash = RamFlash(blocks)
    vfs.VfsLfs2.mkfs(flash)
    return flash


class mounted:
    """`with mounted(flash) as path:` mounts it; a power cut inside the block ends the block quietly."""

    def __init__(self, flash):
        self._flash = flash

    def __enter__(self):
        vfs.mount(vfs.VfsLfs2(self._flash), _POINT)
        return _POINT

    def __exit__(self, kind, value, trace):
        cut = self._flash.off
        gc.collect()  # abandoned generators have files open, which must not outlive their file system
        try:
            vfs.umount(_POINT)
        except OSError:
            pass  # there is no power to write what was open
        return cut and kind is not None and issubclass(kind, OSError)


def sweep(prepare, act, check, blocks=64, step=1):
    """Cuts the power at every program and erase of `act`, cleanly and torn, and checks what is there afterwards.

    prepare(path) fills a new file system; act(path, promise) does what is tested and calls promise(x) for everything
    that from then on must not be lost; check(path, promises) looks at the file system after the restart. Returns the
    number of cuts.
    """
    count = 0
    for flash in cuts(prepare, blocks, step):
        promises = []
        with mounted(flash) as path:
            act(path, promises.append)
        count += flash.off
        with mounted(flash.restarted()) as path:
            check(path, promises)
    return count


def cuts(prepare, blocks=64, step=1):
    """Yields a RamFlash as prepare(path) leaves it for each program and erase at which the power can go.

    First cleanly, then torn; each time until what the caller does with it gets by without a cut.
    """
    base = format_flash(blocks)
    with mounted(base) as path:
        prepare(path)
    image = bytes(base.data)
    for torn in (False, True):
        operations = 0
        while True:
            flash = RamFlash(blocks, image)
            flash.cut_after(operations, torn)
            yield flash
            if not flash.off:
                break
            operations += step


def files(path):
    """Returns the names in a directory, sorted."""
    return sorted(os.listdir(path))
