"""Time inside transactions: begin plus elapsed time, unaffected when the clock is set meanwhile."""


class _Line:
    def __init__(self, boot, begin, power_on_ms, end=None):
        self.boot = boot  # power-on in which the transaction began, if its clock was not set; else None
        self.begin = begin  # seconds on that clock
        self.power_on_ms = power_on_ms  # time of power-on on that clock
        self.end = end  # fixed time of a transaction from an earlier power-on, else None


class Timelines:
    """The time in each running transaction, on the clock as it was at its begin. `clock`: kernel.clock.Clock.

    A time is Unix seconds, also as (None, Unix seconds), or (boot, seconds) if the clock was not set at the begin; the
    correction found later then applies to the whole transaction.
    """

    def __init__(self, clock):
        self._clock = clock
        self._lines = {}  # transaction -> _Line

    def begin(self, tx, time):
        """Transaction `tx` begins now, at `time`."""
        boot, seconds = _parts(time)
        self._lines[tx] = _Line(boot, seconds, self._clock.power_on_ms)

    def resume(self, tx, time, elapsed_s):
        """Transaction `tx` of an earlier power-on began at `time` and ran for `elapsed_s` as far as is known."""
        boot, seconds = _parts(time)
        self._lines[tx] = _Line(boot, seconds, 0, seconds + max(0, elapsed_s))

    def end(self, tx):
        self._lines.pop(tx, None)

    def time(self, tx, ago_s=0):
        """Returns the time in transaction `tx`, `ago_s` seconds ago but not before its begin; None if not running."""
        line = self._lines.get(tx)
        if line is None:
            return None
        now = (line.power_on_ms + self._clock.ms()) // 1000 if line.end is None else line.end
        seconds = max(line.begin, now - ago_s)
        return seconds if line.boot is None else (line.boot, seconds)

    def seconds(self, tx):
        """Returns time() in seconds, without boot."""
        return _parts(self.time(tx))[1]


def _parts(time):
    return time if isinstance(time, tuple) else (None, time)
