"""Log with levels, in a ring buffer in RAM, with one optional sink (console, file)."""

from micropython import const

DEBUG = const(10)
INFO = const(20)
WARNING = const(30)
ERROR = const(40)

_NAMES = {DEBUG: "debug", INFO: "info", WARNING: "warning", ERROR: "error"}

# Maximum characters of a line, since peers can influence its text.
_MAX_LINE = const(240)

_SIZE = const(4096)  # bytes, about 60 lines


def level_of(name):
    """Returns the level called `name` ("debug" ... "error"); raises ValueError."""
    for level, text in _NAMES.items():
        if text == name.lower():
            return level
    raise ValueError("unknown log level")


class Log:
    """Keeps the newest lines of `level` and above, in `size` bytes. Text is only formatted if the line is kept.

    `sink(line)` is called for every line that is kept; a line is a tuple (unix seconds, level, area, text).
    """

    def __init__(self, clock, size=_SIZE, level=INFO, sink=None):
        self._clock = clock
        self._size = size
        self._kept = bytearray()  # encoded lines: as objects they would take twice the space
        self.level = level
        self.sink = sink

    def info(self, area, text, *args):
        self._add(INFO, area, text, args)

    def warning(self, area, text, *args):
        self._add(WARNING, area, text, args)

    def error(self, area, text, *args):
        self._add(ERROR, area, text, args)

    def exception(self, area, exc):
        """Logs an unexpected exception with type and text."""
        self._add(ERROR, area, "%s: %s", (type(exc).__name__, exc))

    def observer_failed(self, exc):
        """The `on_error` of a Signal: logs what one of its observers has raised."""
        self.exception("signal", exc)

    def lines(self, level=DEBUG):
        """Yields the kept lines of `level` and above, oldest first."""
        kept = bytes(self._kept)  # a copy: the reader may log meanwhile
        at = 0
        while at < len(kept):
            end = kept.find(b"\n", at)
            unix, number, area, text = kept[at:end].decode().split("\t", 3)
            if int(number) >= level:
                yield int(unix), int(number), area, text
            at = end + 1

    def _add(self, level, area, text, args):
        if level < self.level:
            return
        if args:
            text = text % args
        text = text[:_MAX_LINE]
        unix = self._clock.now()
        self._keep(("%d\t%d\t%s\t%s" % (unix, level, area, text)).replace("\n", " ").encode() + b"\n")
        if self.sink:
            self.sink((unix, level, area, text))

    def _keep(self, line):
        if len(self._kept) + len(line) > self._size:
            # Several lines at once: removing the first line moves all others.
            self._kept = self._kept[self._kept.find(b"\n", self._size // 4) + 1 :]
        self._kept += line


def format_line(line, iso8601):
    """Returns a line as text for a console or a file; `iso8601` turns Unix seconds into text."""
    unix, level, area, text = line
    return "%s %-7s %s: %s" % (iso8601(unix), _NAMES[level], area, text)
