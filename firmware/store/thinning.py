"""Thinning of the journal: drops meter samples when the flash, or the journal's share of it, is full.

The middle samples go, the 1st, 3rd, 5th ... of each transaction first, so that what is left still spans the whole of it
(OCPP 1.6 errata 3.14, 3.91); those outside a transaction likewise. Beginning and end of a transaction with their
samples, and security events, are never dropped.
"""

from firmware.store import records

_MIDDLE = ("periodic", "clock", "trigger")


def thin(log, after):
    """Thins one closed segment of a FlashLog, the next one behind the segment `after` (0: the oldest) that is worth it.

    Returns (bytes won, the segment): 0 when there is nothing left to win. Each round halves the middle samples. Raises
    OSError.
    """
    segments = log.segments()
    closed = list(zip(segments, segments[1:]))  # with the one that follows
    for base, limit in [s for s in closed if s[0] > after] + [s for s in closed if s[0] <= after]:
        after = base
        won = log.rewrite(base, _Sieve().keep) if _has_middle(log, base, limit) else 0
        if won > 0:
            return won, base
    return 0, after


def _has_middle(log, base, limit):
    """Tells whether rewriting would win anything: it costs as many erases as the segment has blocks."""
    sieve = _Sieve()
    for item in log.read(base):
        if item[0] >= limit:
            return False
        if not sieve.keep(*item):
            return True
    return False


class _Sieve:
    """Lets every second middle sample of each series pass, and everything else.

    Series are counted apart, because they alternate: clock-aligned samples with periodic ones, and outside transactions
    those of connector 0 with the others. Counted together, all of one of them would go.
    """

    def __init__(self):
        self._seen = {}  # (transaction, connector, context) -> samples so far

    def keep(self, seq, kind, payload):
        if kind != records.SAMPLE:
            return True
        try:
            series = records.sample_series(payload)
        except ValueError:
            return True  # of a later version
        if series[2] not in _MIDDLE:
            return True
        count = self._seen.get(series, 0) + 1
        self._seen[series] = count
        return count % 2 == 0
