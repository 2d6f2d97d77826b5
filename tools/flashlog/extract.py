"""Copies all files of a LittleFS2 image to a directory: `micropython extract.py IMAGE DIRECTORY` (unix port).

The image is never written to.
"""

import os
import sys

import vfs

_BLOCK = 4096


class Image:
    """A flash image as a read-only block device."""

    def __init__(self, path):
        self._file = open(path, "rb")
        self._blocks = self._file.seek(0, 2) // _BLOCK

    def readblocks(self, block, buffer, offset=0):
        self._file.seek(block * _BLOCK + offset)
        self._file.readinto(buffer)
        return 0

    def writeblocks(self, block, buffer, offset=0):
        return -30  # EROFS

    def ioctl(self, op, block):
        return {4: self._blocks, 5: _BLOCK, 6: -30}.get(op, 0)


def copy(source, target):
    for entry in os.ilistdir(source):
        name, kind = entry[:2]
        if kind == 0x4000:
            os.mkdir(target + "/" + name)
            copy(source + "/" + name, target + "/" + name)
            continue
        with open(source + "/" + name, "rb") as f, open(target + "/" + name, "wb") as out:
            data = f.read(_BLOCK)
            while data:
                out.write(data)
                data = f.read(_BLOCK)


vfs.mount(vfs.VfsLfs2(Image(sys.argv[1])), "/image")
copy("/image", sys.argv[2])
