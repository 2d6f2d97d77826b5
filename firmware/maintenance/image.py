"""Firmware image format: reader that checks an image piece by piece as it arrives, without I/O (docs/image.md).

    reader = ImageReader(this_device())
    for kind, value in reader.receive(data):   # for each piece of the image, in order
        ...
    reader.finish()

Heap: one line of the manifest, two hashes. Whatever is wrong raises ImageError with the reason.
"""

import hashlib
import json
import sys
from binascii import unhexlify

from micropython import const

from firmware.maintenance.slots import APPLICATION, FILES

# What receive() yields: (kind, value).
HEAD = const(0)  # Head: nothing is written before its consumer has checked signature and room
MANIFEST = const(1)  # bytes of manifest.json, to be appended
FILE = const(2)  # (name, size, SHA-256): a file begins
DATA = const(3)  # memoryview of its content, valid until the next piece is received
FILE_END = const(4)  # name of the file, which is complete and has the right hash
END = const(5)  # None: every file is there, and the list is the one that the head names

_MAGIC = b"wallbox-image 1\n"
_SIGNATURE = b"signature "
_LONGEST_LINE = const(512)
_LONGEST_NAME = const(96)
_MOST_FILES = const(1_000)
_MOST_BYTES = const(8_388_608)
_DIGEST = const(32)
_KEY_ID = const(8)
_LIST_BEGIN = b'"files": [\n'
_LIST_END = b"]}\n"
_PLAIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-."
# What may stand at the top of a slot, and the one file of an application.
_TOP = {FILES: ("firmware", "lib", "root", "licences.txt"), APPLICATION: ("micropython.bin",)}

# Lines of an image, in their order.
_AT_MAGIC = const(0)
_AT_SIGNATURE = const(1)
_AT_HEAD = const(2)
_AT_LIST = const(3)
_AT_ENTRY = const(4)


class ImageError(ValueError):
    """The image is refused; the text is the reason, to be read after the words "the image"."""


class Device:
    """What an image must fit.

    chip         such as esp32s3, as MicroPython names it
    micropython  version, a tuple of three numbers
    mpy          (version, sub-version, architecture) of the .mpy files that it loads
    kind         FILES; APPLICATION where the code is frozen into MicroPython
    """

    def __init__(self, chip, micropython, mpy, kind=FILES):
        self.chip = chip
        self.kind = kind
        self.micropython = micropython
        self.mpy = mpy


def this_device(kind=FILES):
    """Returns the Device on which this code runs."""
    about = sys.implementation
    machine = getattr(about, "_machine", "")  # "Generic ESP32S3 module with Octal-SPIRAM with ESP32S3"
    mpy = getattr(about, "_mpy", 0)
    chip = machine.rpartition(" with ")[2].split(" ")[0].lower()
    return Device(chip, tuple(about.version[:3]), (mpy & 0xFF, mpy >> 8 & 3, mpy >> 10), kind)


class Head:
    """First line of the manifest.

    kind       FILES or APPLICATION
    version    of the firmware
    files      how many there are, `size` their bytes in all, `flash` what they take on LittleFS
    list       SHA-256 of the lines that follow
    digest     SHA-256 of this line: what is signed
    key_id, signature  bytes; None: not signed
    """

    def __init__(self, line, key_id, signature):
        try:
            fields = json.loads(line.rstrip(b",\n") + b"}")
            self.kind = _text(fields["kind"], 20)
            self.version = _text(fields["version"], 50)
            self.chips = [_text(chip, 20) for chip in fields["chips"]]
            self.micropython = tuple([_number(part, 99) for part in fields["micropython"]])
            self.mpy = tuple([_number(part, 255) for part in fields["mpy"]])
            self.files = _number(fields["count"], _MOST_FILES)
            self.size = _number(fields["size"], _MOST_BYTES)
            self.flash = _number(fields["flash"], 4 * _MOST_BYTES)
            self.list = _hash(fields["list"])
            if not self.chips or len(self.mpy) != 3 or len(self.micropython) != 3:
                raise ValueError
        except (KeyError, TypeError, ValueError):
            raise ImageError("is damaged: the head of the manifest makes no sense")
        self.digest = hashlib.sha256(line).digest()
        self.key_id = key_id
        self.signature = signature

    def check(self, device):
        """Raises ImageError when the image is not for this device."""
        if device.kind != self.kind:
            raise ImageError("is of kind %s, this station takes %s" % (self.kind, device.kind))
        if device.chip not in self.chips:
            raise ImageError("is for %s, this is %s" % (" or ".join(self.chips), device.chip))
        if device.micropython < self.micropython:
            needed = "%d.%d.%d" % self.micropython
            raise ImageError("needs MicroPython %s, this is %d.%d.%d" % ((needed,) + device.micropython))
        version, sub, architecture = self.mpy
        loaded = device.mpy
        # Sub-version and architecture count for machine code only.
        if version and (version != loaded[0] or (architecture and self.mpy[1:] != loaded[1:])):
            text = "has .mpy files of version %d.%d, architecture %d; this MicroPython loads %d.%d, architecture %d"
            raise ImageError(text % (self.mpy + loaded))


class ImageReader:
    """Takes the bytes of an image in pieces of any size. `device` None: it is not looked whether it fits."""

    def __init__(self, device):
        self._device = device
        self._line = b""  # what has come of the line that is read
        self._at = _AT_MAGIC  # which line it is
        self._signed = None  # (key id, signature)
        self._list = hashlib.sha256()  # of the lines below the head
        self._last = ""  # name of the file before, since names ascend
        self._comma = True  # whether the line before promised another file
        self._name = None
        self._left = 0  # bytes of the file that are still to come
        self._content = None  # hash of the file
        self._expected = None
        self._files = 0
        self._size = 0
        self.head = None
        self.complete = False

    def receive(self, data):
        """Yields (kind, value) for what has become known by `data`. Raises ImageError."""
        view = memoryview(data)
        at = 0
        while at < len(data):
            if self._left:
                piece = view[at : at + self._left]
                at += len(piece)
                self._left -= len(piece)
                self._content.update(piece)
                yield DATA, piece
                if not self._left:
                    yield self._file_end()
                continue
            if self.complete:
                raise ImageError("is damaged: there is more behind its end")
            end = data.find(b"\n", at) + 1
            self._line += data[at : end or len(data)]
            at = end or len(data)
            if self._at == _AT_MAGIC and not _MAGIC.startswith(self._line):
                raise ImageError("is none of this firmware")
            if len(self._line) > _LONGEST_LINE:
                raise ImageError("is damaged: a line is too long")
            if end:
                line, self._line = self._line, b""
                yield from self._take(line)

    def finish(self):
        """To be called at the end of the data. Raises ImageError when something is missing."""
        if not self.complete:
            raise ImageError("is incomplete: it ends after %d files" % self._files)

    def _take(self, line):
        """Yields what a whole line tells."""
        if self._at == _AT_SIGNATURE:
            self._signed = _signature(line)
        elif self._at == _AT_HEAD:
            self.head = Head(line, *self._signed)
            if self._device:
                self.head.check(self._device)
            yield HEAD, self.head
            yield MANIFEST, line
        elif self._at == _AT_LIST:
            if line != _LIST_BEGIN:
                raise ImageError("is damaged: the list of files does not begin")
            self._list.update(line)
            yield MANIFEST, line
        elif self._at == _AT_ENTRY:
            self._list.update(line)
            yield MANIFEST, line
            if line == _LIST_END:
                yield self._end()
            else:
                yield self._file(line)
                if not self._left:
                    yield self._file_end()
            return
        self._at += 1

    def _file(self, line):
        try:
            name, size, digest = json.loads(line.rstrip(b",\n"))
            self._expected = _hash(digest)
            self._left = _number(size, _MOST_BYTES)
            name = _text(name, _LONGEST_NAME)
        except (TypeError, ValueError):
            raise ImageError("is damaged: a line of the list makes no sense")
        if not self._comma:
            raise ImageError("is damaged: a file follows the last one")
        self._comma = line.endswith(b",\n")
        check_name(name, self.head.kind)
        if name <= self._last:
            raise ImageError("is damaged: %s is not in its place" % name)
        self._name = self._last = name
        self._files += 1
        self._size += self._left
        if self._files > self.head.files or self._size > self.head.size:
            raise ImageError("is damaged: more files than the head names")
        self._content = hashlib.sha256()
        return FILE, (name, self._left, self._expected)

    def _file_end(self):
        if self._content.digest() != self._expected:
            raise ImageError("is damaged: wrong hash of %s" % self._name)
        return FILE_END, self._name

    def _end(self):
        head = self.head
        whole = self._files == head.files and self._size == head.size and not self._comma
        if not whole or self._list.digest() != head.list:
            raise ImageError("is damaged: the list of files is not the one that the head names")
        self.complete = True
        return END, None


def _signature(line):
    """Returns (key id, signature), or (None, None), of the line that holds both in hexadecimal digits."""
    try:
        if not line.startswith(_SIGNATURE):
            raise ValueError
        key_id, signature = [unhexlify(word) for word in line[len(_SIGNATURE) : -1].split(b" ")]
        if len(key_id) != _KEY_ID or len(signature) != 2 * _DIGEST:
            raise ValueError
    except ValueError:
        raise ImageError("is damaged: the signature makes no sense")
    return (key_id, signature) if any(key_id + signature) else (None, None)


def check_name(name, kind=FILES):
    """Raises ImageError for a name that does not stay below the slot: letters, digits, _, - and . between slashes."""
    parts = name.split("/")
    for part in parts:
        if not part or part[0] == "." or not all(c in _PLAIN for c in part):
            raise ImageError("has a name that leads out of its slot: %s" % name)
    if parts[0] not in _TOP[kind]:
        raise ImageError("has a file that does not belong into a slot: %s" % name)


def _text(value, longest):
    if not isinstance(value, str) or not 0 < len(value) <= longest:
        raise ValueError
    return value


def _number(value, high):
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= high:
        raise ValueError
    return value


def _hash(text):
    digest = unhexlify(_text(text, 2 * _DIGEST))
    if len(digest) != _DIGEST:
        raise ValueError
    return digest
