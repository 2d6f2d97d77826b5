"""Charge history: one row of fixed size for each transaction, at least the newest 2048, for the portal and for export.

The row of a running transaction is a small file per connector, which is cheap to write. When the transaction ends, the
complete row is appended to the others. Rows that a power loss prevented are restored from the journal.
"""

import binascii
import os
import struct
from collections import namedtuple

from micropython import const

from firmware.store.records import BEGIN, END
from firmware.store.wear import Wear

ROW_BYTES = const(80)
_FORMAT = "<IBB36sIIII16s2x"
_CHECK_BYTES = const(4)
_TOKEN_BYTES = const(36)
_REASON_BYTES = const(16)

_ROWS = const(256)  # rows per file
_FILES = const(9)  # the newest is being filled: at least 2048 rows in all
_ROWS_AT_ONCE = const(16)  # rows read at once
_ENOENT = const(2)
_SUFFIX = ".rows"
_GOING_ON = ".row"

# end_t, end_wh and reason are None while the transaction runs.
Row = namedtuple("Row", ("number", "connector", "token", "begin_t", "end_t", "begin_wh", "end_wh", "reason"))


class History:
    """The rows in the directory `path` (created if missing): ended transactions, then running ones."""

    def __init__(self, path):
        self._path = path
        self.wear = Wear()
        self.going_on = {}  # connector -> Row
        try:
            os.mkdir(path)
        except OSError:
            pass  # it exists; any other error shows below
        names = os.listdir(path)
        self._files = sorted([int(name[: -len(_SUFFIX)], 16) for name in names if name.endswith(_SUFFIX)])
        for name in names:
            if name.endswith(_GOING_ON):
                with open(path + "/" + name, "rb") as f:
                    row = _decode(f.read(ROW_BYTES))
                if row:
                    self.going_on[row.connector] = row

    # -- writing

    def began(self, transaction):
        """Writes the row of a transaction (charging.transaction.Transaction) that has begun. Raises OSError."""
        self.begin(_row_of(transaction))

    def ended(self, transaction):
        """Writes the whole row of a transaction that has ended. Raises OSError."""
        self.end(_row_of(transaction))

    def repair(self, journal):
        """Writes rows that are missing after a power loss or because the flash was full, from the journal.

        Call it after a start, before a transaction begins or ends. Reads only a few rows and transactions, however long
        the journal is. Raises OSError.
        """
        begins = {begin.tx: begin for begin in journal.open_transactions()}
        for row in list(self.going_on.values()):
            if row.number not in begins:
                self.settle(row.connector, None, journal)
        known = [row.number for file in self._files[-2:] for row in self._read(file)]
        for number in journal.last_ends:
            row = None if number in known else _from_journal(journal, number)
            if row:
                self.end(row)
        for number in sorted(begins):
            if number not in [row.number for row in self.going_on.values()]:
                self.begin(_joined(begins[number], None))

    def settle(self, connector, number, journal):
        """Completes the row of a connector's ended transaction, unless it is that of transaction `number`.

        Raises OSError.
        """
        row = self.going_on.get(connector)
        if row is None or row.number == number:
            return
        if self.has(row.number):
            self.forget(row)  # power was lost after the row was appended
        else:
            self.end(_from_journal(journal, row.number) or row)

    # -- reading

    def rows(self):
        """Yields all Rows, oldest first."""
        for file in tuple(self._files):
            for row in self._read(file):
                yield row
        for row in sorted(self.going_on.values()):
            yield row

    # -- rows

    def begin(self, row):
        """Writes the Row of a running transaction."""
        self.going_on[row.connector] = row
        with open(self._own_file(row), "wb") as f:
            f.write(_encode(row))
        self.wear.wrote(ROW_BYTES)

    def end(self, row):
        """Appends the Row of an ended transaction."""
        if self.newest() != row.number:  # unless an interrupted call has written it
            self._append(row)
        if len(self._files) > _FILES:
            os.remove(self._file(self._files.pop(0)))
        if row.connector in self.going_on and self.going_on[row.connector].number == row.number:
            self.forget(row)

    def forget(self, row):
        """Removes the Row of a transaction that no longer runs."""
        try:
            os.remove(self._own_file(row))
        except OSError:
            pass  # an interrupted call has removed it, or the next start will
        self.going_on.pop(row.connector)

    def has(self, number):
        """Returns True when a recently ended transaction has a row."""
        return any(row.number == number for file in self._files[-2:] for row in self._read(file))

    def newest(self):
        """Returns the number of the transaction in the newest row, 0 without rows."""
        for file in reversed(self._files):
            for row in self._read(file, max(0, self._count(file) - 1)):
                return row.number
        return 0

    # -- inside

    def _append(self, row):
        last = self._files[-1] if self._files else 0
        count = self._count(last) if self._files else _ROWS
        if count == _ROWS:
            last, count = last + 1, 0
            self._files.append(last)
        with open(self._file(last), "r+b" if count else "wb") as f:
            f.seek(count * ROW_BYTES)
            f.write(_encode(row))
        self.wear.wrote(ROW_BYTES, count * ROW_BYTES)

    def _read(self, file, first=0):
        """Yields the intact Rows of a file; the file is closed between reads."""
        for place in range(first, self._count(file), _ROWS_AT_ONCE):
            with open(self._file(file), "rb") as f:
                f.seek(place * ROW_BYTES)
                data = f.read(_ROWS_AT_ONCE * ROW_BYTES)
            for at in range(0, len(data) - ROW_BYTES + 1, ROW_BYTES):
                row = _decode(data[at : at + ROW_BYTES])
                if row:
                    yield row

    def _count(self, file):
        try:
            return min(os.stat(self._file(file))[6] // ROW_BYTES, _ROWS)
        except OSError as exc:
            if exc.errno == _ENOENT:
                return 0  # its first row is about to be written
            raise

    def _file(self, file):
        return "%s/%06x%s" % (self._path, file, _SUFFIX)

    def _own_file(self, row):
        return "%s/%d%s" % (self._path, row.connector, _GOING_ON)


def _row_of(transaction):
    ended = transaction.end_t is not None
    return Row(
        transaction.number,
        transaction.connector_id,
        transaction.token,
        transaction.begin_t,
        transaction.end_t,
        transaction.begin_wh,
        transaction.wh if ended else None,
        transaction.reason if ended else None,
    )


def _from_journal(journal, number):
    """Returns the Row of an ended transaction, None when the journal no longer has all of it."""
    begin = None
    for record in journal.transaction(number):
        if record.kind == BEGIN:
            begin = record
        elif record.kind == END and begin:
            return _joined(begin, record)
    return None


def _joined(begin, end):
    t, wh, reason = (end.t, end.wh, end.reason) if end else (None, None, None)
    return Row(begin.tx, begin.connector, begin.token, begin.t, t, begin.wh, wh, reason)


def _encode(row):
    ended = row.end_t is not None
    body = struct.pack(
        _FORMAT,
        row.number,
        row.connector,
        ended,
        _text(row.token, _TOKEN_BYTES),
        _number(row.begin_t),
        _number(row.end_t),
        _number(row.begin_wh),
        _number(row.end_wh),
        _text(row.reason, _REASON_BYTES),
    )
    return body + _check(body)


def _decode(data):
    """Returns the Row from its bytes, or None when they are damaged."""
    body = data[:-_CHECK_BYTES]
    if data[-_CHECK_BYTES:] != _check(body):
        return None
    number, connector, ended, token, begin_t, end_t, begin_wh, end_wh, reason = struct.unpack(_FORMAT, body)
    token = token.rstrip(b"\x00").decode()
    if not ended:
        return Row(number, connector, token, begin_t, None, begin_wh, None, None)
    return Row(number, connector, token, begin_t, end_t, begin_wh, end_wh, reason.rstrip(b"\x00").decode())


def _number(value):
    return max(0, min(value or 0, 0xFFFFFFFF))


def _check(body):
    return struct.pack("<I", binascii.crc32(body))


def _text(text, most):
    """Returns a text as at most `most` bytes, whole characters only."""
    data = (text or "").encode()
    while len(data) > most:
        text = text[:-1]
        data = text.encode()
    return data
