"""Clock: milliseconds since power-on, Unix time and where it came from, ISO 8601 text.

The firmware uses Unix seconds (1970). The board's epoch of 2000 and its ticks, which wrap after 12.4 days, are used
only here. `synchronised` is False until a source that knows the time has set the clock; `source` is that source.
"""

import asyncio

from micropython import const

from firmware.kernel.signal import Signal

# Rank of the sources: a source never overrides a better one that has set the clock in this power-on.
_RANK = {"none": 0, "rtc": 1, "ocpp": 2, "ntp": 3, "user": 3}

_DAYS_BEFORE_1970 = 719468  # days from 0000-03-01 to 1970-01-01 in the proleptic Gregorian calendar

# A real-time clock below this (2024-01-01) has lost its time.
EARLIEST_PLAUSIBLE = 1704067200


_FIRST_IN_MS = 100_000_000_000  # since 1970: the year 5138 in seconds, 1973 in milliseconds
_EPOCH_DIGITS = (10, 13)  # digits of seconds and milliseconds; 8 or 14 digits are a date (20261121) or date and time
_LONGEST_TEXT = const(64)
_SEPARATORS = ("T", "t", " ")  # between date and time


try:
    from asyncio import sleep_ms  # sleep() would allocate a float for each wait
except ImportError:

    def sleep_ms(ms):  # type: ignore[no-redef]  # CPython
        return asyncio.sleep(ms / 1000)


class Clock:
    """The station's only clock.

    `ticks_ms` and `ticks_diff` are those of the `time` module; `wall()` returns the real-time clock in Unix seconds (or
    None) and `set_wall(unix)` sets it, both optional; `sleep_ms(ms)` is asyncio's.
    """

    def __init__(self, ticks_ms, ticks_diff, wall=None, set_wall=None, sleep_ms=sleep_ms):
        self._ticks_ms = ticks_ms
        self._ticks_diff = ticks_diff
        self._set_wall = set_wall
        self.sleep_ms = sleep_ms  # to be awaited at once
        self._last_ticks = ticks_ms()
        self._ms = 0
        self._base = 0  # Unix milliseconds at power-on
        self.source = "none"
        self.changed = Signal()  # (delta_s, source)
        unix = wall() if wall else None
        if unix is not None and unix >= EARLIEST_PLAUSIBLE:
            self._base = unix * 1000
            self.source = "rtc"

    @property
    def synchronised(self):
        """True once the clock was set in this power-on, by a source that knows the time or a real-time clock."""
        return self.source != "none"

    def ms(self):
        """Returns the milliseconds since power-on. Must be called at least once in 6 days (the control task does)."""
        ticks = self._ticks_ms()
        self._ms += self._ticks_diff(ticks, self._last_ticks)
        self._last_ticks = ticks
        return self._ms

    def now(self):
        """Returns Unix seconds. Before synchronisation: the floor plus the time since power-on."""
        return (self._base + self.ms()) // 1000

    @property
    def power_on_ms(self):
        """Unix milliseconds of the power-on according to the present clock: it changes when the clock is set."""
        return self._base

    def set_floor(self, unix):
        """Sets the last time known before power-on as a lower limit until the clock is synchronised."""
        if not self.synchronised:
            self._base = max(self._base, unix * 1000)

    def set_unix(self, unix, source, ms=0):
        """Sets the time from `source` ("rtc", "ocpp", "ntp" or "user"); emits `changed(delta_s, source)`.

        `ms` are the milliseconds beyond the second, 0 where the source has none.
        """
        better = _RANK[source] - _RANK[self.source]
        if better < 0:
            return
        before = self.now()
        delta_ms = unix * 1000 + ms - (self._base + self.ms())
        first = not self.synchronised
        self.source = source
        # No step if a source in whole seconds agrees to the second, or if the same source is off by the delay of its
        # messages.
        if not first and -1000 < delta_ms < 1000 and not (better and ms):
            return
        self._base += delta_ms
        delta_s = self.now() - before
        if delta_s or first:
            if self._set_wall:
                self._set_wall(unix)
            self.changed.emit(delta_s, source)


def iso8601(unix):
    """Returns `unix` as ISO 8601 in UTC, for example 2026-11-21T01:02:03Z (OCPP 1.6 §3.15)."""
    days, seconds = divmod(unix, 86400)
    year, month, day = _civil(days)
    return "%04d-%02d-%02dT%02d:%02d:%02dZ" % (year, month, day, seconds // 3600, seconds // 60 % 60, seconds % 60)


def parse_iso8601(text):
    """Returns the Unix seconds of an ISO 8601 date and time, fractions cut off, offset applied (OCPP 1.6 §3.15).

    A time without offset is taken as UTC. Raises ValueError.
    """
    if not isinstance(text, str) or not 19 <= len(text) <= 40 or text[10] not in "Tt ":
        raise ValueError("not a date and time")
    if text[4] != "-" or text[7] != "-" or text[13] != ":" or text[16] != ":":
        raise ValueError("not a date and time")
    year, month, day = _digits(text[0:4]), _digits(text[5:7]), _digits(text[8:10])
    hour, minute, second = _digits(text[11:13]), _digits(text[14:16]), _digits(text[17:19])
    days = _days(year, month, day)
    # A date that does not exist converts back to a different one.
    if _civil(days) != (year, month, day) or hour > 23 or minute > 59 or second > 60:
        raise ValueError("no such date or time")
    rest = text[19:]
    if rest and rest[0] in ".,":
        end = 1
        while end < len(rest) and rest[end].isdigit():
            end += 1
        if end == 1:
            raise ValueError("bad fraction")
        rest = rest[end:]
    return days * 86400 + hour * 3600 + minute * 60 + second - _offset(rest)


def read_time(value):
    """Returns (Unix seconds, additional milliseconds) of a time in any unambiguous form. Raises ValueError.

    Accepts, besides ISO 8601: no seconds, the basic form (20261121T010203Z, also without T), blanks around it or before
    the zone, "UTC" or "GMT" as zone, and seconds or milliseconds since 1970 as a number or text. A date alone is not
    accepted.
    """
    if isinstance(value, str):
        text = value.strip()
        if len(text) in _EPOCH_DIGITS and text.isdigit():
            return _epoch(int(text))
        return _read_text(text)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("not a time")
    if isinstance(value, float):
        # Refuses 32-bit floats, which are minutes off, infinity and NaN.
        if not value + 1 - value == 1:
            raise ValueError("not exact to the second")
        if 0 <= value < _FIRST_IN_MS:
            return divmod(int(value * 1000), 1000)
    return _epoch(int(value))


def _epoch(number):
    """Returns (seconds, milliseconds) of a number since 1970: below 11 digits seconds, above milliseconds."""
    if not 0 <= number < 1000 * _FIRST_IN_MS:
        raise ValueError("not a time")
    return (number, 0) if number < _FIRST_IN_MS else divmod(number, 1000)


def _read_text(text):
    if len(text) > _LONGEST_TEXT:
        raise ValueError("not a date and time")
    if text[4:5] == "-":
        date, rest = text[:4] + text[5:7] + text[8:10], text[10:]
        separated = text[7:8] == "-" and rest[:1] in _SEPARATORS
    else:
        date, rest = text[:8], text[8:]
        separated = rest[:1] in _SEPARATORS or rest[:6].isdigit()
    if len(date) != 8 or not rest or not separated:
        raise ValueError("not a date and time")
    if rest[0] in _SEPARATORS:
        rest = rest[1:]
    time, rest = _clock_time(rest)
    fraction = ""
    if rest[:1] in (".", ","):
        end = 1
        while rest[end : end + 1].isdigit():
            end += 1
        fraction, rest = rest[:end], rest[end:]
    zone = rest.strip()
    if zone.upper() in ("UTC", "GMT"):
        zone = "Z"
    date = "%s-%s-%s" % (date[:4], date[4:6], date[6:])
    return parse_iso8601(date + "T" + time + fraction[:4] + zone), int((fraction[1:4] + "000")[:3])


def _clock_time(text):
    """Returns ("hh:mm:ss", the rest of the text) of hh:mm, hh:mm:ss, hhmm or hhmmss."""
    step = 3 if text[2:3] == ":" else 2
    time = text[:2] + ":" + text[step : step + 2]
    at = step + 2
    if step == 2 or text[at : at + 1] == ":":
        seconds = text[at + step - 2 : at + step]
        if step == 3 or seconds.isdigit():
            return time + ":" + seconds, text[at + step :]
    return time + ":00", text[at:]


def _offset(text):
    """Returns the seconds east of UTC for "Z", "+hh:mm", "+hhmm", "+hh" or ""."""
    if text in ("", "Z", "z"):
        return 0
    sign = {"+": 1, "-": -1}.get(text[0])
    digits = text[1:].replace(":", "")
    if sign is None or len(digits) not in (2, 4) or len(text) > 6:
        raise ValueError("bad offset")
    hours, minutes = _digits(digits[:2]), _digits(digits[2:] or "0")
    if hours > 14 or minutes > 59:
        raise ValueError("bad offset")
    return sign * (hours * 3600 + minutes * 60)


def _digits(text):
    # int() would also accept blanks, signs and underscores.
    if not text.isdigit():
        raise ValueError("not a number")
    return int(text)


def _days(year, month, day):
    """Returns the days from 1970-01-01 to a date. The year is taken to begin in March, so that leap days end it."""
    year -= month <= 2
    era, year_of_era = divmod(year, 400)
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - _DAYS_BEFORE_1970


def _civil(days):
    """Returns (year, month, day) of the day that is `days` after 1970-01-01."""
    era, day_of_era = divmod(days + _DAYS_BEFORE_1970, 146097)
    year = (day_of_era - day_of_era // 1460 + day_of_era // 36524 - day_of_era // 146096) // 365
    day_of_year = day_of_era - (365 * year + year // 4 - year // 100)
    shifted = (5 * day_of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    return year + era * 400 + (month <= 2), month, day_of_year - (153 * shifted + 2) // 5 + 1
