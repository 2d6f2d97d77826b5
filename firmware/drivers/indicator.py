"""Indicator light (RGB LED): a colour and a rhythm for each state (the table is in docs/hardware.md)."""

from micropython import const

_STEADY = const(0)
_BLINK = const(1)
_BREATHE = const(2)

_RED = (255, 0, 0)
_GREEN = (0, 255, 0)
_BLUE = (0, 0, 255)
_YELLOW = (255, 160, 0)
_WHITE = (255, 255, 255)
_DARK = (0, 0, 0)

# name: (colour, rhythm, period in ms)
PATTERNS = {
    "starting": (_WHITE, _BREATHE, 2000),
    "free": (_GREEN, _STEADY, 0),
    "reserved": (_YELLOW, _STEADY, 0),
    "waiting": (_GREEN, _BLINK, 1000),
    "suspended by vehicle": (_BLUE, _BLINK, 2000),
    "charging": (_BLUE, _BREATHE, 4000),
    "suspended by station": (_BLUE, _BLINK, 1000),
    "done": (_BLUE, _STEADY, 0),
    "out of service": (_RED, _STEADY, 0),
    "faulted": (_RED, _BLINK, 400),
    "accepted": (_GREEN, _BLINK, 400),
    "refused": (_RED, _BLINK, 400),
    "updating": (_WHITE, _BLINK, 500),
    "off": (_DARK, _STEADY, 0),
}

_FULL = const(255)  # maximum of a colour component and of a rhythm's level


class Indicator:
    """red, green and blue are machine.PWM outputs; `brightness` is in percent."""

    fitted = True

    def __init__(self, red, green, blue, brightness=100):
        self._outputs = (red, green, blue)
        self._duties = [None, None, None]
        self._pattern = PATTERNS["off"]
        self._flash = None
        self._flash_since = None
        self.repeat = 3  # number of blinks in flash()
        self.brightness = brightness

    def show(self, name):
        """Shows a pattern from the next step on; an unknown name shows as Faulted."""
        self._pattern = PATTERNS.get(name, PATTERNS["faulted"])

    def flash(self, name):
        """Shows a pattern `repeat` times, for example when a card was read, then again that of show()."""
        self._flash = PATTERNS.get(name, PATTERNS["faulted"])
        self._flash_since = None

    def step(self, now_ms):
        """Sets the outputs for the present time; call it every 20 to 50 ms for a smooth light."""
        pattern = self._pattern
        if self._flash:
            if self._flash_since is None:
                self._flash_since = now_ms
            if now_ms - self._flash_since < self.repeat * self._flash[2]:
                pattern = self._flash
            else:
                self._flash = None
        colour, rhythm, period_ms = pattern
        level = _level(rhythm, period_ms, now_ms)
        for i in range(3):
            duty = colour[i] * level * self.brightness // 100 * 257 // _FULL
            if duty != self._duties[i]:
                self._duties[i] = duty
                self._outputs[i].duty_u16(duty)


def _level(rhythm, period_ms, now_ms):
    """Returns the brightness of a rhythm at a moment, 0..255."""
    if rhythm == _STEADY:
        return _FULL
    phase_ms = now_ms % period_ms
    if rhythm == _BLINK:
        return _FULL if 2 * phase_ms < period_ms else 0
    rise = phase_ms * 2 * _FULL // period_ms  # up to 510: rising and falling half
    rise = rise if rise <= _FULL else 2 * _FULL - rise
    return rise * rise // _FULL  # square: the eye perceives about the root
