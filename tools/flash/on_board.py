"""Runs on the board while it is flashed, in RAM only: looks at the board and fills a slot (docs/image.md).

tools.flash sends this file to the REPL and then calls its functions. None of the firmware is used: what lies on the
board may be of any version, or broken.
"""

import gc
import hashlib
import io
import json
import os
import sys
from binascii import a2b_base64, hexlify

import deflate

_SLOTS = ("a", "b")
_DIRECTORY = 0x4000
_BLOCK = 4096
_INLINE = 128
_MOST_LISTED = 100

_file = None  # the one that is being written


def look():
    """Prints what the board is and what lies on it, as JSON."""
    gc.collect()
    about = sys.implementation
    facts = {"machine": about._machine, "version": list(about.version[:3]), "mpy": about._mpy, "psram": _psram()}
    facts["mounts"] = _mounts()
    try:
        status = os.statvfs("/")
        facts["total"], facts["free"] = status[1] * status[2], status[1] * status[4]
        facts["entries"] = os.listdir("/")
    except OSError:
        facts["total"] = facts["free"] = 0
        facts["entries"] = []
    facts["partition"] = _partition()
    facts["slots"] = _text("/slots.json")
    facts["factory"] = _text("/factory.json")
    facts["heads"] = {slot: _head(slot) for slot in _SLOTS}
    facts["used"] = {slot: _used("/" + slot) for slot in _SLOTS}
    facts["root"] = {name: digest("/" + name) for name in ("boot.py", "main.py", "rescue.py")}
    facts["code"] = []
    _find_code("/", facts["code"], ["/a", "/b", "/data"] + [path for _, path in facts["mounts"]])
    print(json.dumps(facts))


def _psram():
    try:
        import esp32

        return any(region[0] > 1_000_000 for region in esp32.idf_heap_info(esp32.HEAP_DATA))
    except (ImportError, AttributeError):
        return True  # not an ESP32


def _mounts():
    """Returns [[kind, path]] of the mounted file systems, [] where MicroPython cannot tell."""
    try:
        import vfs

        return [[type(volume).__name__, path] for volume, path in vfs.mount()]
    except (ImportError, TypeError):
        return []


def _partition():
    """Returns the bytes of the partition for the file system, 0 where MicroPython cannot tell."""
    try:
        import flashbdev

        return flashbdev.bdev.ioctl(4, 0) * flashbdev.bdev.ioctl(5, 0)
    except (ImportError, AttributeError, TypeError):
        return 0


def _text(path):
    try:
        with open(path) as file:
            return file.read(16_384)
    except (OSError, UnicodeError):
        return None


def _head(slot):
    """Returns the first line of the manifest of a slot, None: it is not complete."""
    try:
        with open("/%s/manifest.json" % slot) as file:
            return file.readline()
    except (OSError, UnicodeError):
        return None


def _used(path):
    """Returns the bytes that statvfs counts for a directory with all that is in it, 0 when there is none."""
    size = 0
    try:
        for name, kind, *rest in os.ilistdir(path):
            size = size or 4 * _BLOCK  # two, which statvfs counts twice
            if kind == _DIRECTORY:
                size += _used(path + "/" + name)
            elif rest[1] > _INLINE:
                size += -(-rest[1] // _BLOCK) * _BLOCK
    except OSError:
        pass  # there is none
    return size


def _find_code(path, found, others):
    """Appends the files with code below a directory, but for the directories `others`."""
    for name, kind, *_ in sorted(os.ilistdir(path)):
        full = path + name
        if len(found) >= _MOST_LISTED:
            return
        if kind == _DIRECTORY:
            if full not in others:
                _find_code(full + "/", found, others)
        elif name.endswith((".py", ".mpy")) and not _says_nothing(full):
            found.append(full)


def _says_nothing(path):
    """Tells whether a file has comments only, as the boot.py that MicroPython puts on an empty board."""
    if path != "/boot.py":
        return False
    with open(path) as file:
        return all(not line.strip() or line.startswith("#") for line in file)


def digest(path):
    """Returns the SHA-256 of a file in hexadecimal digits, None when it is not there."""
    content = hashlib.sha256()
    piece = bytearray(_BLOCK)
    try:
        with open(path, "rb") as file:
            while True:
                count = file.readinto(piece)
                if not count:
                    break
                content.update(memoryview(piece)[:count])
    except OSError:
        return None
    return hexlify(content.digest()).decode()


def begin(slot):
    """Makes the directory of a slot one that is not started."""
    for name in ("/manifest.json", "/manifest.new"):
        try:
            os.remove(slot + name)
        except OSError:
            pass  # it was not there
    make_directories(slot + "/manifest.json")


def make_directories(path):
    at = path.find("/", 1)
    while at > 0:
        try:
            os.mkdir(path[:at])
        except OSError:
            os.stat(path[:at])  # it was there
        at = path.find("/", at + 1)


def open_file(path):
    global _file
    make_directories(path)
    _file = open(path, "wb")


def add(text):
    """Writes a piece, compressed by itself (RFC 1951, window of 4 KB), in base 64."""
    _file.write(deflate.DeflateIO(io.BytesIO(a2b_base64(text)), deflate.RAW, 12).read())


def close_file():
    _file.close()


def write(path, text):
    """Writes a small file all at once: the old one stays until the new one is there."""
    with open(path + ".new", "w") as file:
        file.write(text)
    os.rename(path + ".new", path)


def compare(slot, manifest, source):
    """Prints the names of the files that a slot lacks; takes what the slot `source` has already, if it is given."""
    taken = 0
    for name, expected in _listed(slot + "/" + manifest):
        if digest(slot + "/" + name) == expected:
            continue
        if source and digest(source + "/" + name) == expected:
            _copy(source + "/" + name, slot + "/" + name)
            taken += 1
        else:
            print(name)
    print("taken", taken)


def _copy(source, path):
    make_directories(path)
    piece = bytearray(_BLOCK)
    with open(source, "rb") as old:
        with open(path, "wb") as new:
            while True:
                count = old.readinto(piece)
                if not count:
                    return
                new.write(memoryview(piece)[:count])


def _listed(path):
    """Yields (name, SHA-256) of the files in a manifest."""
    with open(path) as file:
        for line in file:
            if line.startswith('["'):
                name, _, expected = json.loads(line.rstrip(",\n"))
                yield name, expected


def complete(slot):
    """Removes what does not belong into a slot, and lets its manifest count."""
    names = {name for name, _ in _listed(slot + "/manifest.new")}
    _tidy(slot + "/", "", names)
    os.rename(slot + "/manifest.new", slot + "/manifest.json")


def _tidy(path, directory, names):
    for name, kind, *_ in list(os.ilistdir(path + directory)):
        full = directory + name
        if kind == _DIRECTORY:
            _tidy(path, full + "/", names)
            if not any(other.startswith(full + "/") for other in names):
                os.rmdir(path + full)
        elif full not in names and full != "manifest.new":
            os.remove(path + full)


def remove(paths):
    """Removes files, and the directories that are empty then."""
    for path in paths:
        os.remove(path)
        folder = path.rpartition("/")[0]
        while folder and not os.listdir(folder):
            os.rmdir(folder)
            folder = folder.rpartition("/")[0]
