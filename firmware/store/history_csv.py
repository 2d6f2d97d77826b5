"""CSV export of the charge history."""

from firmware.kernel.clock import iso8601

_HEAD = "transaction,connector,token,begin,end,begin_wh,end_wh,energy_wh,reason\r\n"


def csv(history):
    """Yields a history.History as lines of CSV (RFC 4180), with a header line."""
    yield _HEAD
    for row in history.rows():
        ended = row.end_t is not None
        yield "%d,%d,%s,%s,%s,%d,%s,%s,%s\r\n" % (
            row.number,
            row.connector,
            _quoted(row.token or ""),
            iso8601(row.begin_t),
            iso8601(row.end_t) if ended else "",
            row.begin_wh,
            row.end_wh if ended else "",
            row.end_wh - row.begin_wh if ended else "",
            row.reason or "",
        )


def _quoted(text):
    # A spreadsheet would take a leading =, +, - or @ as a formula.
    if text[:1] in ("=", "+", "-", "@"):
        text = "'" + text
    if "," in text or '"' in text or "\n" in text or "\r" in text:
        return '"' + text.replace('"', '""') + '"'
    return text
