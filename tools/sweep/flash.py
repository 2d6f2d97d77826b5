"""File system of the board in memory, by LittleFS's rules, so that a forked process has its own copy.

Written data is in the file when it is closed (or flushed), not before; after a failed write closing leaves the file
unchanged.
"""

import builtins
import errno
import io
import os

MOUNT = "/flash"
_BLOCK_BYTES = 4096
_INLINE_BYTES = 128  # files up to this size are stored in their directory
_FOLDER_BLOCKS = 2


class Flash:
    """After `install()`, open() and os work on `Flash.mounted` for paths below MOUNT.

    `before(operation, path)` is called before each operation, `after(operation, path)` once it has happened; both may
    raise OSError. `fill()` leaves no block free until `empty()`: operations that need one fail.
    """

    def __init__(self, blocks=512):
        self.files = {}
        self.folders = {MOUNT}
        self.blocks = self._size = blocks
        self.before = self.after = None

    mounted = None

    def mount(self):
        Flash.mounted = self

    def fill(self):
        """Takes all free blocks."""
        self.blocks = self._used()

    @property
    def has_room(self):
        return self.blocks == self._size

    def empty(self):
        self.blocks = self._size

    def power_cut(self):
        """Returns the Flash with the content at the next power-on."""
        following = Flash(self._size)
        following.files, following.folders = dict(self.files), set(self.folders)
        return following

    # Called by the firmware.

    def open(self, path, mode="r", *_):
        writing = mode[0] in "wa" or "+" in mode
        with self._operation("create" if writing else "open", path):
            if path not in self.files:
                if mode[0] == "r" or path.rpartition("/")[0] not in self.folders:
                    raise OSError(errno.ENOENT, path)
                self.files[path] = b""
            return _File(self, path, mode)

    def stat(self, path):
        with self._operation("stat", path):
            if path in self.folders:
                return (0x4000, 0, 0, 0, 0, 0, 0, 0, 0, 0)
            return (0x8000, 0, 0, 0, 0, 0, len(self._file(path)), 0, 0, 0)

    def statvfs(self, path):
        with self._operation("statvfs", path):
            free = max(0, self.blocks - self._used())
            return (_BLOCK_BYTES, _BLOCK_BYTES, self.blocks, free, free, 0, 0, 0, 0, 255)

    def listdir(self, path):
        with self._operation("listdir", path):
            if path not in self.folders:
                raise OSError(errno.ENOENT, path)
            names = [name for name in list(self.files) + list(self.folders) if name.rpartition("/")[0] == path]
            return [name.rpartition("/")[2] for name in names]

    def mkdir(self, path):
        with self._operation("mkdir", path):
            if path in self.folders or path in self.files:
                raise OSError(errno.EEXIST, path)
            self.folders.add(path)

    def remove(self, path):
        with self._operation("remove", path):
            self._file(path)
            del self.files[path]

    def rename(self, path, new):
        with self._operation("rename", path):
            self.files[new] = self._file(path)
            if new != path:
                del self.files[path]

    # Inside.

    def _used(self):
        return _FOLDER_BLOCKS + sum(_blocks(data) for data in self.files.values())

    def store(self, path, data):
        """Writes a file; raises OSError when there is no space."""
        if _blocks(data) and self._used() + _blocks(data) - _blocks(self.files[path]) > self.blocks:
            raise OSError(errno.ENOSPC, path)
        self.files[path] = data

    def _file(self, path):
        if path not in self.files:
            raise OSError(errno.ENOENT, path)
        return self.files[path]

    def _operation(self, name, path):
        return _Operation(self, name, path)


class _Operation:
    def __init__(self, flash, name, path):
        self._flash, self._name, self._path = flash, name, path

    def __enter__(self):
        if self._flash.before:
            self._flash.before(self._name, self._path)

    def __exit__(self, kind, value, trace):
        if kind is None and self._flash.after:
            self._flash.after(self._name, self._path)


class _File:
    def __init__(self, flash, path, mode):
        self._flash = flash
        self._path = path
        self._text = "b" not in mode
        self._writes = mode[0] in "wa" or "+" in mode
        self._data = io.BytesIO(b"" if mode[0] == "w" else flash.files[path])
        if mode[0] == "a":
            self._data.seek(0, 2)
        self._failed = self.closed = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __iter__(self):
        return iter(self.readline, "" if self._text else b"")

    def read(self, size=-1):
        with self._flash._operation("read", self._path):
            return self._out(self._data.read(size))

    def readline(self):
        with self._flash._operation("read", self._path):
            return self._out(self._data.readline())

    def readinto(self, buffer):
        with self._flash._operation("read", self._path):
            return self._data.readinto(buffer)

    def write(self, data):
        try:
            with self._flash._operation("write", self._path):
                return self._data.write(data.encode() if self._text else data)
        except OSError:
            self._failed = True
            raise

    def seek(self, place, whence=0):
        return self._data.seek(place, whence)

    def tell(self):
        return self._data.tell()

    def flush(self):
        if self._writes and not self._failed:
            with self._flash._operation("commit", self._path):
                self._flash.store(self._path, self._data.getvalue())

    def close(self):
        if not self.closed:
            self.closed = True
            self.flush()

    def _out(self, data):
        return data.decode() if self._text else data


def _blocks(data):
    return -(-len(data) // _BLOCK_BYTES) if len(data) > _INLINE_BYTES else 0


def _mine(path):
    return isinstance(path, str) and path.startswith(MOUNT)


def install():
    """Makes open() and functions of os work on the mounted flash for its paths, unchanged for other paths."""
    builtins.open = _dispatched(builtins.open, "open")
    for name in ("stat", "statvfs", "listdir", "mkdir", "remove", "rename"):
        setattr(os, name, _dispatched(getattr(os, name), name))


def _dispatched(plain, name):
    def call(path=".", *args, **options):
        return getattr(Flash.mounted, name)(path, *args) if _mine(path) else plain(path, *args, **options)

    return call
