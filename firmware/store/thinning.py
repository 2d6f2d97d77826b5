"""Thinning of the journal: drops meter samples when the flash, or the journal's share of it, is full.

Every second sample in the middle of a transaction is dropped, so that the others still cover all of it (OCPP 1.6 errata
3.14, 3.91); the same outside of transactions. Begin and end of a transaction with their samples, and security events,
are never dropped.
"""

from firmware.store import records

_MIDDLE = ("periodic", "clock", "trigger")


def thin(log, after):
    """Thins one closed segment of a FlashLog: the next one after segment `after` (0: the oldest) that has such samples.

    Returns (bytes freed, the segment); 0 when nothing can be dropped. Each round halves the middle samples. Raises
    OSError.
    """
    segments = log.segments()
    closed = list(zip(segments, segments[1:]))  # (segment, the one after it)
    for base, limit in [s for s in closed if s[0] > after] + [s for s in closed if s[0] <= after]:
        after = base
        won = log.rewrite(base, _Sieve().keep) if _has_middle(log, base, limit) else 0
        if won:
            return won, base
    return 0, after


def _has_middle(log, base, limit):
    """Returns True when rewriting frees space: it costs as many erases as the segment has blocks."""
    sieve = _Sieve()
    for item in log.read(base):
        if item[0] >= limit:
            return False
        if not sieve.keep(*item):
            return True
    return False


class _Sieve:
    """Drops every second middle sample of each series and keeps everything else.

    Series are counted separately because they alternate: clock-aligned and periodic samples, or connector 0 and the
    others outside of transactions. Counted together, all samples of one series could be dropped.
    """

    def __init__(self):
        self._keep_next = {}  # (transaction, connector, context) -> whether the next sample is kept

    def keep(self, seq, kind, payload):
        if kind != records.SAMPLE:
            return True
        try:
            series = records.sample_series(payload)
        except ValueError:
            return True  # from a later version
        if series[2] not in _MIDDLE:
            return True
        keep = self._keep_next.get(series, False)
        self._keep_next[series] = not keep
        return keep
