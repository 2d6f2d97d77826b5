"""Local authorisation list (OCPP 1.6 §3.5.2) and authorisation cache (§3.5.1) on flash."""

import binascii
import os
import struct

import sortedfile
from micropython import const

from firmware.store.tagrecord import KEY_BYTES, RECORD_BYTES, STATUSES, TagEntry, decode, encode, is_removal, key_of
from firmware.store.wear import Wear

__all__ = ("AuthCache", "TagEntry", "TagList")

_NEW = ".new"
_STAGED = "restored."  # begins the name of a list that waits to take the place of another one
_STORED_BYTES = const(54)  # of a record in a page or a run, with its share of what is around it


class TagList:
    """The local authorisation list in the file `path`: up to `most` tokens, in constant RAM.

    `replacing()` and `updating()` work step by step as generators that yield nothing, so that a long list does not hold
    the scheduler; until the last step the old list is there. All or nothing, whatever happens meanwhile.
    """

    def __init__(self, path, most=10_000):
        self.path = path
        self.most = most
        self._file = None  # a SortedFile as soon as there is something of a list, if only what a power cut left
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
        """True when something in the file is not what was written; the back-end has to send the list again."""
        return self._file is not None and self._file.damaged

    def get(self, token):
        """Returns the TagEntry of a token, in any case, or None. Raises OSError."""
        if not self._file:
            return None
        try:
            record = self._file.get(_padded(key_of(token)))
        except ValueError:
            return None  # such a text is in no list
        return decode(record)[1] if record else None

    def entries(self):
        """Yields (token in lower case, TagEntry) of the whole list. Raises ValueError when it is changed meanwhile."""
        for record in self._open().records():
            yield decode(record)

    def replacing(self, version, entries, ordered=False):
        """Replaces the list by `entries`, an iterable of (token, TagEntry) in any order, or `ordered` like entries().

        Raises ValueError for a bad or doubled token or too many, OSError when the flash refuses; the list then stays.
        """
        return self._open().replacing(_encoded(entries), struct.pack("<i", version), self.most, ordered)

    def updating(self, version, entries):
        """Adds and changes the tokens of `entries` and removes those whose TagEntry is None; see replacing().

        Raises ValueError for a damaged list, too: only a full one helps.
        """
        return self._open().updating(_encoded(entries), struct.pack("<i", version), self.most)

    def replace(self, version, entries):
        """replacing() in one go."""
        for _ in self.replacing(version, entries):
            pass

    def update(self, version, entries):
        """updating() in one go."""
        for _ in self.updating(version, entries):
            pass

    @property
    def busy(self):
        """True while replacing() or updating() is being worked on."""
        return self._file is not None and self._file.busy

    def staging_path(self, name):
        """Returns where a new list waits as `name` until settle() adopts it."""
        return self.path.rpartition("/")[0] + "/" + _STAGED + name

    def settle(self, name):
        """Adopts the list that waits as `name`, if there is one, and removes any other that waits.

        A restore writes its list under a new name, then all settings, this name among them, in one write: from that
        moment on it has happened. A list of another name is what is left of a restore that has not. To be called at
        start before anybody asks this list, and after a restore. Raises OSError; the next start then tries again.
        """
        folder = self.path.rpartition("/")[0] + "/"
        for file in os.listdir(folder[:-1]):
            if file == _STAGED + name:
                self.adopt(folder + file)
            elif file.startswith(_STAGED):
                os.remove(folder + file)

    def adopt(self, path):
        """Takes over the closed TagList at `path`, which was written by one replace(); all or nothing.

        Raises OSError, and ValueError while this list is `busy`.
        """
        self._open().adopt(path)

    def room_for(self, count, ordered=False, kept=0):
        """Returns how many bytes of flash `count` tokens take at most while they are worked on beside `kept` ones."""
        return (kept + (count if ordered else 2 * count)) * _STORED_BYTES

    def clear(self):
        """Removes the list."""
        self._open().remove()

    def close(self):
        """Closes the file of the list, for whoever unmounts its file system."""
        if self._file:
            self._file.close()

    def _open(self):
        if self._file is None:
            self._file = sortedfile.SortedFile(self.path, KEY_BYTES, RECORD_BYTES, is_removal)
        return self._file


def _encoded(entries):
    return (encode(token, entry) for token, entry in entries)


def _padded(key):
    return key + b"\x00" * (KEY_BYTES - len(key))


class AuthCache:
    """The back-end's verdicts on the tokens that were presented, oldest first, in the file `path`.

    A full cache drops all entries that are not valid, then the oldest valid ones (OCPP 1.6 §3.5.1). Each record has its
    own CRC: damage costs the entries that it hits, which are asked for again.
    """

    def __init__(self, path, clock, most=250):
        self._path = path
        self._clock = clock
        self._most = most
        self.wear = Wear()

    def __len__(self):
        return sum(1 for _ in self._records())

    def get(self, token):
        """Returns the TagEntry of a token, in any case, or None."""
        try:
            key = _padded(key_of(token))
        except ValueError:
            return None
        for record in self._records():
            if record[:KEY_BYTES] == key:
                return decode(record)[1]
        return None

    def put(self, token, entry):
        """Takes in a verdict (anything with status, expiry and parent). Nothing is written when nothing has changed.

        A flash that refuses costs the new entry, not the transaction: the back-end is asked again next time.
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
        surplus = valid - self._most + 1 if full else 0  # oldest valid entries that have to go as well
        try:
            self._write(new, full, surplus)
        except OSError:
            _remove(self._path + _NEW)

    def clear(self):
        """Forgets everything."""
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
        return entry.status == "Accepted" and (entry.expiry is None or entry.expiry > self._clock.now())

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
        pass  # it was not there
