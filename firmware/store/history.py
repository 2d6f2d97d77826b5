"""Charge history: one row for each ended transaction, the newest thousands of them, for the portal and for export."""

from collections import namedtuple

from flashlog import FlashLog
from micropython import const

from firmware.kernel.clock import iso8601
from firmware.store.packing import pack, unpack
from firmware.store.records import BEGIN

_ROW = const(1)
_SEGMENT_BYTES = const(16384)
_SEGMENTS = const(11)  # a row takes at most 70 bytes: at least 2 300 rows in ten closed segments

Row = namedtuple("Row", ("number", "connector", "token", "begin_t", "end_t", "begin_wh", "end_wh", "reason"))

_CSV_HEAD = "transaction,connector,token,begin,end,begin_wh,end_wh,energy_wh,reason\r\n"


class History:
    """The rows in the directory `path`, oldest first."""

    def __init__(self, path):
        self._log = FlashLog(path, _SEGMENT_BYTES)

    def add(self, transaction):
        """Adds the row of a transaction that has ended (charging.transaction.Transaction). Raises OSError."""
        self._add(
            Row(
                transaction.number,
                transaction.connector_id,
                transaction.token,
                transaction.begin_t,
                transaction.end_t,
                transaction.begin_wh,
                transaction.wh,
                transaction.reason,
            )
        )

    def repair(self, journal):
        """Adds the row of the transaction that ended last when the power went between its end and its row.

        To be called after a start, before a transaction ends. However long the journal is, this reads a segment of the
        history and the begin of that transaction. Raises OSError.
        """
        end = journal.last_end
        newest = 0
        for row in self._rows_from((self._log.segments() or (0,))[-1]):
            newest = row.number
        # Rows are written in the order of the ends.
        if end is None or newest == end.tx:
            return
        for begin in journal.transaction(end.tx):
            if begin.kind == BEGIN:
                self._add(Row(end.tx, end.connector, begin.token, begin.t, end.t, begin.wh, end.wh, end.reason))
            return

    def rows(self):
        """Yields all Rows, oldest first."""
        return self._rows_from(0)

    @property
    def wear(self):
        """(commits, bytes written) of this power-on."""
        return self._log.commits, self._log.bytes_written

    def csv(self):
        """Yields the history as lines of CSV (RFC 4180), the head first."""
        yield _CSV_HEAD
        for row in self.rows():
            yield "%d,%d,%s,%s,%s,%d,%d,%d,%s\r\n" % (
                row.number,
                row.connector,
                _quoted(row.token or ""),
                iso8601(row.begin_t),
                iso8601(row.end_t),
                row.begin_wh,
                row.end_wh,
                row.end_wh - row.begin_wh,
                row.reason,
            )

    def _add(self, row):
        self._log.append(_ROW, pack(tuple(row)))
        segments = self._log.segments()
        if len(segments) > _SEGMENTS:
            self._log.release(segments[1])

    def _rows_from(self, seq):
        for _, kind, payload in self._log.read(seq):
            try:
                fields = unpack(payload)
            except ValueError:
                fields = ()
            if kind == _ROW and len(fields) >= 8:
                yield Row(*fields[:8])


def _quoted(text):
    # A leading =, +, - or @ would be a formula where somebody opens the file in a spreadsheet.
    if text[:1] in ("=", "+", "-", "@"):
        text = "'" + text
    if "," in text or '"' in text or "\n" in text or "\r" in text:
        return '"' + text.replace('"', '""') + '"'
    return text
