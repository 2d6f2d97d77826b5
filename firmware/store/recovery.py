"""What the journal knows when it is opened: wanted once, at start."""

from firmware.store import records
from firmware.store.journal import open_in
from firmware.store.records import BEGIN, END


def recover(log, running, settings, report):
    """Reads the last segment of a FlashLog, or all when its head is damaged; `running` is that of RunningState.load().

    Returns (numbers of the open transactions as a set, the newest END as it is in the log or None, the newest time).
    """
    numbers, last_end, newest = set(), None, 0
    segments = log.segments()
    if not segments:
        return numbers, last_end, newest
    start, payload = log.header(segments[-1])
    opened = open_in(payload)
    if opened is None:
        start = 0
    else:
        numbers.update(opened)
    for seq, kind, payload in log.read(start):
        try:
            if kind == BEGIN:
                numbers.add(records.transaction_number(kind, payload))
            elif kind == END:
                numbers.discard(records.transaction_number(kind, payload))
                last_end = (seq, kind, payload)
            newest = max(newest, records.time_of(payload)[1])
        except ValueError:
            report.error("journal", "record %d makes no sense", seq)
    if log.damaged:
        report.error("journal", "damaged segments: %s", sorted(log.damaged))
    # A time not before the newest sample of the open transactions, which may have been delivered and lost: between two
    # savings of the running state, RunningStateInterval passes at most.
    saved = [t for tx, _, t in running.values() if tx in numbers]
    if saved:
        newest = max(newest, max(saved) + settings.get("RunningStateInterval"))
    return numbers, last_end, newest
