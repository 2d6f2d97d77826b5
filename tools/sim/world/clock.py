# The simulated board's oscillator and real-time clock. MIT license.
"""Virtual time of the board: a monotonic clock with rate and drift, and a real-time clock that follows it."""

from micropython import const

EPOCH_2000 = const(946684800)  # Unix seconds of 2000-01-01, the epoch of MicroPython on an ESP32
TICKS_PERIOD = const(1 << 30)
TICKS_MASK = const((1 << 30) - 1)

MAX_RATE = const(1000)
_MAX_DRIFT_PPM = const(100_000)
_MILLION = const(1_000_000)
_BURST_US = const(500)  # real time in which work on the board counts as one piece
_REBASE_US = const(1_000_000_000)  # keeps the products below 2**62, which MicroPython computes without the heap


class BoardClock:
    """Time of the board in virtual microseconds since power-on.

    `real_us()` counts real microseconds and never wraps; `real_unix()` gives the host's Unix seconds, which the
    real-time clock has at power-on unless it was set or lost (see `restore()`).
    """

    def __init__(self, real_us, real_unix):
        self._real_us = real_us
        self._real_unix = real_unix
        self.rate = 1
        self.drift_ppm = 0
        self._speed = _MILLION  # virtual microseconds in a real second
        self._base_real = real_us()
        self._base = 0
        self._busy_to = 0  # virtual time up to which the processor is busy
        self._worked_at = self._base_real  # when spend() was last called, in real time
        self._unix = real_unix()  # Unix seconds at virtual time 0
        self.lost = False  # no battery: the time is lost at the next power-on

    def us(self):
        elapsed = self._real_us() - self._base_real
        if elapsed > _REBASE_US:
            self._rebase()
            elapsed = 0
        return max(self._base + elapsed * self._speed // _MILLION, self._busy_to)

    def spend(self, us):
        """The processor is busy for `us`; returns the time at which it is done.

        The host is faster, so the clock goes ahead of real time and then waits for it. Calls that follow each other
        at once are one piece of work, in which only this work takes time, whatever the rate and the host.
        """
        now_real = self._real_us()
        if now_real - self._worked_at > _BURST_US:
            self._busy_to = self.us()
        self._worked_at = now_real
        self._busy_to += us
        return self._busy_to

    def ms(self):
        return self.us() // 1000

    def to_real_us(self, us):
        """Returns the real microseconds for `us` virtual ones."""
        return us * _MILLION // self._speed

    def set_speed(self, rate=None, drift_ppm=None):
        """Sets the speed of time from now on: `rate` in (0, 1000], `drift_ppm` in +-100 000. Raises ValueError."""
        rate = self.rate if rate is None else rate
        drift_ppm = self.drift_ppm if drift_ppm is None else drift_ppm
        if not 0.01 <= rate <= MAX_RATE:
            raise ValueError("rate must be from 0.01 to %d" % MAX_RATE)
        if not -_MAX_DRIFT_PPM <= drift_ppm <= _MAX_DRIFT_PPM:
            raise ValueError("drift_ppm must be from -%d to %d" % (_MAX_DRIFT_PPM, _MAX_DRIFT_PPM))
        self._rebase()
        self.rate = rate
        self.drift_ppm = drift_ppm
        self._speed = int(rate * (_MILLION + drift_ppm))

    def _rebase(self):
        now = self._real_us()
        self._base += (now - self._base_real) * self._speed // _MILLION
        self._base_real = now

    # The real-time clock.

    def unix(self):
        """Returns the time of the real-time clock in Unix seconds."""
        return self._unix + self.us() // _MILLION

    def set_unix(self, unix):
        self._unix = unix - self.us() // _MILLION

    def lose(self):
        """Removes the battery of the real-time clock: it shows 2000-01-01 plus the time since power-on."""
        self._unix = EPOCH_2000
        self.lost = True

    def restore(self, unix, real_unix, lost):
        """Restores the clock from its time and the host's time at the last power-off."""
        self._unix = EPOCH_2000 if lost else unix + max(0, self._real_unix() - real_unix)
        self.lost = bool(lost)

    def keep(self):
        """Returns the arguments of a later restore()."""
        return self.unix(), self._real_unix(), int(self.lost)
