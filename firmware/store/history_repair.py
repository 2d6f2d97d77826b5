"""Rows of the charge history that a power cut kept from being written: wanted once, at start."""

from firmware.store.history import Row
from firmware.store.records import BEGIN, END


def repair(history, journal):
    """See History.repair()."""
    newest = history.newest()
    begins = {begin.tx: begin for begin in journal.open_transactions()}
    for row in list(history.going_on.values()):
        if row.number == newest:
            history.forget(row)  # the power went between the two
        elif row.number not in begins:
            history.end(_from_journal(journal, row.number) or row)
            newest = row.number
    # Rows are written in the order of the ends.
    if journal.last_end and journal.last_end.tx not in (newest, history.newest()):
        row = _from_journal(journal, journal.last_end.tx)
        if row:
            history.end(row)
    for number in sorted(begins):
        if number not in [row.number for row in history.going_on.values()]:
            history.begin(_joined(begins[number], None))


def _from_journal(journal, number):
    """Returns the Row of a transaction that has ended, None when the journal has not all of it any more."""
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
