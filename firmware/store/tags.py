"""Local authorisation list (OCPP 1.6 §3.5.2) and authorisation cache (§3.5.1) on flash."""

import binascii
import os
import struct

import sortedfile
from micropython import const

from firmware.store.tokens import KEY_BYTES, RECORD_BYTES, STATUSES, decode, encode, is_removal, key_of
from firmware.store.wear import Wear

_NEW = ".new"
_STAGED = "restored."  # prefix of the file of a restored list before settle()
_STORED_BYTES = const(46)  # flash per record in a page or a run, with overhead


class TagList:
    """The local authorisation list in the file `path`: up to `most` tokens, in constant RAM.

    `replacing()` and `updating()` are generators that yield nothing after each step, so that other tasks run during a
    long list. The old list applies until the last step; a failure or power loss leaves it unchanged.
    """

    def __init__(self, path, most=10_000):
        self.path = path
        self.most = most
        self._file = None  # a SortedFile once a file exists
        folder, _, name = path.rpartition("/")
        for file in os.listdir(folder):
            if file.startswith(name):
                self._open()

    def __len__(self):
        return self._file.count if self._file else 0

    @property
    def version(self):
        """The version of the list, 0 when it is empty (OCPP 1.6 §5.10)."""
        return struct.unpack("<i", self._file.meta)[0] if len(self) else 0

    @property
    def damaged(self):
        """True when the file is damaged; the back-end has to send the list again."""
        return self._file is not None and self._file.damaged

    def get(self, token):
        """Returns the TokenInfo of a token, in any case, or None. Raises OSError."""
        if not self._file:
            return None
        try:
            record = self._file.get(key_of(token))
        except ValueError:
            return None  # an invalid token is in no list
        return decode(record)[1] if record else None

    def entries(self):
        """Yields (key in hex, TokenInfo) of the list. Raises ValueError when it is changed meanwhile."""
        for record in self._open().records():
            yield decode(record)

    def replacing(self, version, entries, ordered=False):
        """Replaces the list by `entries`, an iterable of (token, TokenInfo) in any order, or in that of entries().

        Raises ValueError for an invalid or repeated token or too many, or OSError; the list is then unchanged.
        """
        return self._open().replacing(_encoded(entries), struct.pack("<i", version), self.most, ordered)

    def updating(self, version, entries):
        """Adds, changes and (TokenInfo None) removes the tokens of `entries`; see replacing().

        Also raises ValueError for a damaged list, which needs replacing().
        """
        return self._open().updating(_encoded(entries), struct.pack("<i", version), self.most)

    def replace(self, version, entries):
        """Runs replacing() to its end."""
        for _ in self.replacing(version, entries):
            pass

    def update(self, version, entries):
        """Runs updating() to its end."""
        for _ in self.updating(version, entries):
            pass

    @property
    def busy(self):
        """True while replacing() or updating() is in progress."""
        return self._file is not None and self._file.busy

    def staging_path(self, name):
        """Returns the path for a new list `name`, which settle() adopts."""
        return self.path.rpartition("/")[0] + "/" + _STAGED + name

    def settle(self, name):
        """Adopts the staged list `name`, if it exists, and removes other staged lists.

        A restore first writes its list under a new name, then all settings including this name in one write: with that
        write the restore is done. A staged list of another name is left over from an interrupted restore. Call it at
        start before the list is used, and after a restore. Raises OSError; the next start then tries again.
        """
        folder = self.path.rpartition("/")[0] + "/"
        for file in os.listdir(folder[:-1]):
            if file == _STAGED + name:
                self.adopt(folder + file)
            elif file.startswith(_STAGED):
                os.remove(folder + file)

    def adopt(self, path):
        """Replaces this list by the closed TagList at `path`, which was written by one replace(); all or nothing.

        Raises OSError, or ValueError while this list is `busy`.
        """
        self._open().adopt(path)

    def room_for(self, count, ordered=False, kept=0):
        """Returns the maximum bytes of flash that an update with `count` tokens needs if `kept` ones stay."""
        return (kept + (count if ordered else 2 * count)) * _STORED_BYTES

    def clear(self):
        """Removes the list."""
        self._open().remove()

    def close(self):
        """Closes the file of the list, before its file system is unmounted."""
        if self._file:
            self._file.close()

    def _open(self):
        if self._file is None:
            self._file = sortedfile.SortedFile(self.path, KEY_BYTES, RECORD_BYTES, is_removal)
        return self._file


def _encoded(entries):
    return (encode(token, entry) for token, entry in entries)


class AuthCache:
    """The back-end's answers for presented tokens, oldest first, in the file `path`.

    A full cache drops all entries that are not valid, then the oldest valid ones (OCPP 1.6 §3.5.1). Each record has a
    CRC; damaged entries are ignored and asked for again.
    """

    def __init__(self, path, clock, most=250):
        self._path = path
        self._clock = clock
        self._most = most
        self.wear = Wear()

    def __len__(self):
        return sum(1 for _ in self._records())

    def get(self, token):
        """Returns the TokenInfo of a token, in any case, or None."""
        try:
            key = key_of(token)
        except ValueError:
            return None
        for record in self._records():
            if record[:KEY_BYTES] == key:
                return decode(record)[1]
        return None

    def put(self, token, entry):
        """Stores an answer (an object with status, expiry and parent), unless it is already stored.

        If it cannot be written, the entry is lost and the back-end is asked again next time.
        """
        try:
            new = encode(token, entry)
        except ValueError:
            return
        known = valid = 0
        for record in self._records():
            if record == new:
                return
            if record[:KEY_BYTES] != new[:KEY_BYTES]:
                known += 1
                valid += self._is_valid(record)
        full = known >= self._most
        surplus = valid - self._most + 1  # number of oldest valid entries that a full cache drops as well
        try:
            self._write(new, full, surplus)
        except OSError:
            _remove(self._path + _NEW)

    def clear(self):
        """Removes all entries."""
        _remove(self._path)

    def _write(self, new, full, surplus):
        with open(self._path + _NEW, "wb") as f:
            for record in self._records():
                if record[:KEY_BYTES] == new[:KEY_BYTES]:
                    continue
                if full:
                    if not self._is_valid(record):
                        continue
                    if surplus > 0:
                        surplus -= 1
                        continue
                f.write(_sealed(record))
            f.write(_sealed(new))
            self.wear.wrote(f.tell())
        os.rename(self._path + _NEW, self._path)

    def _is_valid(self, record):
        entry = decode(record)[1]
        return entry.accepted and (entry.expiry is None or entry.expiry > self._clock.now())

    def _records(self):
        """Yields the intact records, oldest first."""
        try:
            with open(self._path, "rb") as f:
                while True:
                    record = f.read(RECORD_BYTES)
                    check = f.read(4)
                    if len(check) < 4:
                        return
                    if check == _check(record) and record[KEY_BYTES] < len(STATUSES):
                        yield record
        except OSError:
            return  # no cache yet


def _check(record):
    return struct.pack("<I", binascii.crc32(record))


def _sealed(record):
    return record + _check(record)


def _remove(path):
    try:
        os.remove(path)
    except OSError:
        pass  # it did not exist
