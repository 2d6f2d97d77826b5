# `machine` of an ESP32 for the unix port. MIT license.
"""Module `machine` of the simulated board: pins, ADC, PWM, UART, watchdog, RTC; `attach()` connects the world."""

import io
import time

from micropython import const

from tools.sim.world import timers

PWRON_RESET = const(1)
HARD_RESET = const(2)
WDT_RESET = const(3)
DEEPSLEEP_RESET = const(4)
SOFT_RESET = const(5)
BROWN_OUT = const(6)  # reset_cause() calls it a power-on

# What the chip keeps of it: power-on, watchdog, else a restart by software; ESP-IDF makes one of a brown-out, too.
_REGISTER = {PWRON_RESET: 1, WDT_RESET: 7}
_RESTARTED = const(3)

_ADC_US = const(45)  # one conversion, as the driver of an ESP32-S3 takes it
_CALL_US = const(3)  # a turn of a Python loop that looks at the clock
_TIMERS = const(4)
_FREQUENCIES = (20_000_000, 40_000_000, 80_000_000, 160_000_000, 240_000_000)
_PERIOD_US = const(1000)  # of every PWM output

_MP_STREAM_POLL = const(3)
_MP_STREAM_GET_FILENO = const(10)
_MP_STREAM_POLL_RD = const(1)
_MP_STREAM_POLL_WR = const(4)

_WATCHDOG_LEAST_REAL_MS = const(2000)  # in fast virtual time, a busy host must not look like hung firmware


class Processor:
    """Time that Python takes on the board, where nothing else counts it. See also world.clock.BoardClock."""

    def __init__(self):
        self._us = 0

    def us(self):
        return self._us

    def spend(self, us):
        """Returns the microseconds of its clock after `us` of work."""
        self._us += us
        return self._us


class _Board:
    """The connections of this module to the world."""

    world = None
    reset_cause = PWRON_RESET
    on_reset = None  # called with "soft", "hard" or "watchdog"; does not return
    noise_uv = 0
    processor = Processor()
    adc_us = _ADC_US
    pwm_phase_us = 0
    hertz = 160_000_000
    watchdog_file = None  # where the power supply of a SerialBoard looks, see WDT


def attach(world, on_reset, cause=PWRON_RESET, noise_uv=1100, processor=None, adc_us=_ADC_US, pwm_phase_us=0):
    """Connects the module to a world.

    noise_uv       amplitude of the converters' deterministic noise
    processor      has us() and spend(us), the clock by which work on the board takes time; by default the one of `time`
    adc_us         time that one conversion takes; at its end the voltage is taken
    pwm_phase_us   when by that clock a period of the PWM begins, in its 1000 us
    """
    _Board.world = world
    _Board.on_reset = on_reset
    _Board.reset_cause = cause
    _Board.noise_uv = noise_uv
    _Board.processor = processor or getattr(time, "board_clock", None) or Processor()
    _Board.adc_us = adc_us
    _Board.pwm_phase_us = pwm_phase_us


def ticks_us():
    """The board's time.ticks_us() where `time` is not the board's."""
    return _Board.processor.spend(_CALL_US) & 0x3FFF_FFFF


class Pin:
    IN = const(1)
    OUT = const(3)
    OPEN_DRAIN = const(7)
    PULL_DOWN = const(1)
    PULL_UP = const(2)

    def __init__(self, number, mode=-1, pull=-1, value=None):
        self.number = number
        self.init(mode, pull, value)

    def init(self, mode=-1, pull=-1, value=None):
        self._pulled = 1 if pull == Pin.PULL_UP else 0
        self._output = mode in (Pin.OUT, Pin.OPEN_DRAIN)
        self._value = 0
        if value is not None:
            self.value(value)

    def value(self, level=None):
        if level is None:
            return self._value if self._output else _Board.world.read_pin(self.number, self._pulled)
        level = 1 if level else 0
        self._value = level
        _Board.world.write_pin(self.number, level)

    __call__ = value

    def on(self):
        self.value(1)

    def off(self):
        self.value(0)


class PWM:
    def __init__(self, pin, freq=5000, duty_u16=0, duty_ns=None):
        self._output = _Board.world.pwm_output(pin.number)
        self._freq = freq
        self.duty_u16(duty_u16)
        if duty_ns is not None:
            self.duty_ns(duty_ns)

    def init(self, freq=None, duty_u16=None, duty_ns=None):
        if freq is not None:
            self._freq = freq
        if duty_u16 is not None:
            self.duty_u16(duty_u16)
        if duty_ns is not None:
            self.duty_ns(duty_ns)

    def deinit(self):
        self.duty_u16(0)

    def freq(self, hertz=None):
        if hertz is None:
            return self._freq
        self._freq = hertz

    def duty_u16(self, duty=None):
        if duty is None:
            return self._duty
        self._duty = min(duty, 65535)
        self._output(self._duty)

    def duty_ns(self, ns=None):
        if ns is None:
            return self._duty * 1_000_000_000 // (65536 * self._freq)
        self.duty_u16(ns * self._freq * 65536 // 1_000_000_000)


class ADC:
    ATTN_0DB = const(0)
    ATTN_2_5DB = const(1)
    ATTN_6DB = const(2)
    ATTN_11DB = const(3)

    def __init__(self, pin, atten=ATTN_11DB):
        self._source = _Board.world.analog_input(pin.number)
        self._random = pin.number
        self._noise_uv = 2 * _Board.noise_uv + 1

    def atten(self, attenuation):
        pass

    def read_uv(self):
        board = _Board
        phase = (board.processor.spend(board.adc_us) - board.pwm_phase_us) % _PERIOD_US
        self._random = random = (self._random * 1103515245 + 12345) & 0x7FFFFFFF
        return self._source(phase) + (random >> 8) % self._noise_uv - (self._noise_uv >> 1)

    def read_u16(self):
        return min(max(self.read_uv() * 65535 // 3_300_000, 0), 65535)


class UART(io.IOBase):
    def __init__(self, number, baudrate=9600, **kwargs):
        self.line = _Board.world.lines[number]
        self.line.configure(baudrate)

    def init(self, baudrate=9600, **kwargs):
        self.line.configure(baudrate)

    def deinit(self):
        pass

    def any(self):
        return self.line.any()

    def read(self, length=-1):
        """Returns received bytes, at most `length`, or None."""
        available = self.line.any()
        if not available:
            return None
        return self.line.read(4096 if length < 0 else length)

    def readinto(self, buffer, length=None):
        data = self.read(len(buffer) if length is None else min(length, len(buffer)))
        if data is None:
            return None
        buffer[: len(data)] = data
        return len(data)

    def readline(self):
        line = bytearray()
        while self.line.any() and not line.endswith(b"\n"):
            line.extend(self.line.read(1))
        return bytes(line) if line else None

    def write(self, data):
        _Board.world.timeline.now()
        self.line.write(data, _Board.processor.us())
        return len(data)

    def flush(self):
        while not self.txdone():
            pass

    def txdone(self):
        return self.line.sent(_Board.processor.spend(_CALL_US))

    def ioctl(self, request, argument):
        if request == _MP_STREAM_POLL:
            ready = _MP_STREAM_POLL_WR | (_MP_STREAM_POLL_RD if self.line.any() else 0)
            return ready & argument
        if request == _MP_STREAM_GET_FILENO and self.line.is_tty:
            return self.line.fileno()
        return -1


def watch_from_outside(path):
    """From now on the time at which the watchdog bites stands in a file, for another process to see to it."""
    _Board.watchdog_file = path


class Timer:
    """Counts the board's time. Its callback runs when the event loop looks, not in the middle of a task."""

    ONE_SHOT = const(0)
    PERIODIC = const(1)

    def __init__(self, id, **values):
        if id != -1 and not 0 <= id < _TIMERS:
            raise ValueError("invalid Timer number")
        if values:
            self.init(**values)

    def init(self, *, mode=PERIODIC, freq=-1, period=-1, callback=None):
        self._period_us = 1_000_000 // freq if freq > 0 else period * 1000
        self._repeats = mode == Timer.PERIODIC
        self._callback = callback
        timers.start(self, _Board.processor.us() + self._period_us)

    def deinit(self):
        timers.stop(self)

    def fire(self, due_us, now_us):
        """Returns when it is due again, None for never."""
        if self._callback:
            self._callback(self)
        if self._repeats:
            return due_us + (now_us - due_us) // self._period_us * self._period_us + self._period_us
        return None


class WDT:
    """The watchdog cannot interrupt Python here: it resets at the next feed, or when `check()` is called.

    Where another process supplies the board, that one bites at any time, also in the middle of an endless loop and in
    the REPL: see watch_from_outside().
    """

    active = None

    def __init__(self, id=0, timeout=5000):
        self._timeout = timeout
        WDT.active = self
        self._fed()

    def _fed(self):
        self._virtual = time.board_clock.ms()
        self._real = time.utime.ticks_ms()
        left_ms = max(int(self._timeout / time.board_clock.rate), _WATCHDOG_LEAST_REAL_MS)
        self._bites_at = time.utime.ticks_add(self._real, left_ms)
        if _Board.watchdog_file:
            with open(_Board.watchdog_file, "w") as file:
                file.write(str(time.utime.time_ns() // 1_000_000 + left_ms))

    def feed(self):
        self.check()
        self._fed()

    def overdue(self):
        """Returns True when it was not fed in time. Changes nothing, so that another thread may ask."""
        return time.utime.ticks_diff(time.utime.ticks_ms(), self._bites_at) > 0

    def check(self):
        """Resets the board if it was not fed in time."""
        late = time.board_clock.ms() - self._virtual > self._timeout
        if late and time.utime.ticks_ms() - self._real > min(self._timeout, _WATCHDOG_LEAST_REAL_MS):
            _Board.on_reset("watchdog")


class RTC:
    def datetime(self, fields=None):
        if fields is None:
            year, month, day, hour, minute, second, weekday, _ = time.gmtime()
            return year, month, day, weekday, hour, minute, second, 0
        year, month, day, _, hour, minute, second, _ = fields
        board = time.board_clock
        board.set_unix(time.mktime((year, month, day, hour, minute, second, 0, 0)) + time.EPOCH_2000)


def reset():
    _Board.on_reset("hard")


def soft_reset():
    _Board.on_reset("soft")


def reset_cause():
    return PWRON_RESET if _Board.reset_cause == BROWN_OUT else _Board.reset_cause


class _Memory:
    """The registers of the chip; of those only the one with the cause of the last reset is ever looked at."""

    def __getitem__(self, address):
        return _REGISTER.get(_Board.reset_cause, _RESTARTED)


mem32 = _Memory()


def unique_id():
    return b"\x02SIM\x00\x01"


def freq(hertz=None):
    if hertz is None:
        return _Board.hertz
    if hertz not in _FREQUENCIES:
        raise ValueError("no frequency of this chip")
    _Board.hertz = hertz


def idle():
    pass
