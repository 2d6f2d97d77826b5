"""A levelled log in a bounded ring in RAM, with one optional sink (a console, a file)."""

from micropython import const

DEBUG = const(10)
INFO = const(20)
WARNING = const(30)
ERROR = const(40)

_NAMES = {DEBUG: "debug", INFO: "info", WARNING: "warning", ERROR: "error"}

# No line is longer than this many characters, whatever a peer got into it.
_MAX_LINE = const(240)


def level_of(name):
    """Returns the level called `name` ("debug" ... "error"); raises ValueError."""
    for level, text in _NAMES.items():
        if text == name.lower():
            return level
    raise ValueError("unknown log level")


class Log:
    """Keeps the newest `size` lines of `level` and above. Text is only formatted when the line is kept.

    `sink(line)` gets every line that is kept; a line is a tuple (unix seconds, level, area, text).
    """

    def __init__(self, clock, size=100, level=INFO, sink=None):
        self._clock = clock
        self._ring = [None] * size
        self._next = 0
        self.level = level
        self.sink = sink

    def debug(self, area, text, *args):
        self._add(DEBUG, area, text, args)

    def info(self, area, text, *args):
        self._add(INFO, area, text, args)

    def warning(self, area, text, *args):
        self._add(WARNING, area, text, args)

    def error(self, area, text, *args):
        self._add(ERROR, area, text, args)

    def exception(self, area, exc):
        """Logs an exception that nobody expected, by type and text."""
        self._add(ERROR, area, "%s: %s", (type(exc).__name__, exc))

    def lines(self, level=DEBUG):
        """Yields the kept lines of `level` and above, oldest first."""
        size = len(self._ring)
        for i in range(size):
            line = self._ring[(self._next + i) % size]
            if line and line[1] >= level:
                yield line

    def _add(self, level, area, text, args):
        if level < self.level:
            return
        if args:
            text = text % args
        if len(text) > _MAX_LINE:
            text = text[:_MAX_LINE]
        line = (self._clock.now(), level, area, text)
        self._ring[self._next] = line
        self._next = (self._next + 1) % len(self._ring)
        if self.sink:
            self.sink(line)


def format_line(line, iso8601):
    """Returns a line as text for a console or a file; `iso8601` turns Unix seconds into text."""
    unix, level, area, text = line
    return "%s %-7s %s: %s" % (iso8601(unix), _NAMES[level], area, text)
