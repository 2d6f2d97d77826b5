"""Firmware update: installs the files of a new version in the free slot (see slots.py), not in the running one.

    installation = Installation(slots)
    with installation.write("firmware/app.mpy") as file: ...     for each file
    with installation.write_manifest() as file: ...
    for _ in installation.complete(): ...
    slots.try_next()

The order of the writes makes a power cut harmless at each of them: a slot counts only while it has a manifest, which is
removed first and gets its name last.
"""

import hashlib
import json
import os

from micropython import const

from firmware.maintenance.slots import SlotError

_MANIFEST = "manifest.json"
_STAGED = "manifest.new"  # until all files are there
_FIRST_FILE = const(2)  # line of the manifest; the head and the beginning of the list come before
_LIST_END = b"]}\n"
_PIECE_BYTES = const(1024)
_DIRECTORY = const(0x4000)

# LittleFS: a block for each 4096 bytes of a file, but for those that lie in their directory. That has two blocks, which
# statvfs counts twice.
_BLOCK_BYTES = const(4096)
_DIRECTORY_BLOCKS = const(4)
_INLINE_BYTES = const(128)


class Installation:
    """Makes the free slot of `slots` (slots.ApplicationSlots) one that is not started, until complete().

    Raises SlotError where there are no slots. Every method raises OSError when the flash refuses.
    """

    @staticmethod
    def room(slots):
        """Returns how many bytes of flash a version may take: what is free, and what lies in the free slot."""
        slot = slots.free_slot()
        if slot is None:
            return 0
        status = os.statvfs(slots.path(""))
        return status[0] * status[3] + _used(slots.path(slot))

    def __init__(self, slots):
        slot = slots.free_slot()
        if slot is None:
            raise SlotError("the code is frozen into the interpreter, there are no slots")
        if slots.on_trial:
            raise SlotError("the version that runs is on trial: the one before may have to return")
        slots.forget_trial()
        self._path = slots.path(slot) + "/"
        self._make_directories("")
        for name in (_MANIFEST, _STAGED):
            try:
                os.remove(self._path + name)
            except OSError:
                pass  # it was not there

    def _make_directories(self, name):
        """Makes the directories of a file, and the slot's own."""
        path = self._path + name
        end = len(self._path) - 1
        while end >= 0:
            try:
                os.mkdir(path[:end])
            except OSError as exc:
                if not _is_there(path[:end]):
                    raise exc
            end = path.find("/", end + 1)

    def write(self, name):
        """Opens a file such as "firmware/app.mpy" to be written; its directories are made."""
        self._make_directories(name)
        return open(self._path + name, "wb")

    def write_manifest(self):
        """Opens the manifest to be written; it counts when complete() is through."""
        return open(self._path + _STAGED, "wb")

    def complete(self):
        """Compares the files with the manifest and removes what does not belong there; then the slot can be tried.

        A generator that yields now and then, for others to run. Raises SlotError.
        """
        names = set()
        listed = _listed(self._path + _STAGED)
        try:
            for name, size, digest in listed:
                yield from _check(self._path + name, name, size, digest)
                names.add(name)
        finally:
            listed.close()  # the generator keeps the manifest open
        yield from _tidy(self._path, "", names)
        os.rename(self._path + _STAGED, self._path + _MANIFEST)


def _is_there(path):
    try:
        os.stat(path)
    except OSError:
        return False
    return True


def _used(path):
    """Returns the bytes that statvfs counts for a directory with all that is in it, 0 when there is none."""
    size = 0
    try:
        for entry in os.ilistdir(path):
            size = size or _DIRECTORY_BLOCKS * _BLOCK_BYTES
            if entry[1] == _DIRECTORY:
                size += _used(path + "/" + entry[0])
            elif entry[3] > _INLINE_BYTES:
                size += -(-entry[3] // _BLOCK_BYTES) * _BLOCK_BYTES
    except OSError:
        pass  # there is none
    return size


def _listed(path):
    """Yields (name, size, SHA-256 in hexadecimal digits) of the files in a manifest. Raises SlotError."""
    number = 0
    try:
        with open(path, "rb") as file:
            for line in file:
                if line == _LIST_END:
                    return
                if number >= _FIRST_FILE:
                    name, size, digest = json.loads(line.rstrip(b",\n"))
                    yield name, size, digest
                number += 1
    except (TypeError, ValueError):
        pass
    except OSError:
        raise SlotError("there is no manifest")
    raise SlotError("the manifest is damaged")


def _check(path, name, size, digest):
    """Compares a file with its line of the manifest; yields now and then. Raises SlotError."""
    content = hashlib.sha256()
    buffer = bytearray(_PIECE_BYTES)
    try:
        if os.stat(path)[6] != size:
            raise SlotError("%s has another size" % name)
        with open(path, "rb") as file:
            while True:
                count = file.readinto(buffer)
                if not count:
                    break
                content.update(memoryview(buffer)[:count])
                yield
    except OSError:
        raise SlotError("%s is missing" % name)
    if "".join(["%02x" % byte for byte in content.digest()]) != digest:
        raise SlotError("wrong hash of %s" % name)


def _tidy(path, directory, names):
    """Removes the files in `directory` of the slot at `path` that are not in `names`, and directories without any."""
    for entry in list(os.ilistdir(path + directory)):
        name = directory + entry[0]
        if entry[1] == _DIRECTORY:
            yield from _tidy(path, name + "/", names)
            if not any(other.startswith(name + "/") for other in names):
                os.rmdir(path + name)
        elif name not in names and name != _STAGED:
            os.remove(path + name)
        yield
