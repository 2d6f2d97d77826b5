# Indicator of an outlet. MIT license.
"""Indicator light: its colour as perceived by a person, also while it blinks or breathes."""

from micropython import const

_WINDOW_MS = const(1000)  # a light that blinks or breathes within this time has one colour


class Light:
    """`changed(rgb)` is called when the brightest colour within a second (three hexadecimal digits) changes."""

    def __init__(self, timeline, changed):
        self._timeline = timeline
        self._changed = changed
        self._levels = [0, 0, 0]
        self._brightest = [0, 0, 0]  # since the window began
        self._window = False
        self._told = None

    def drive(self, colour, level):
        if self._levels[colour] != level:
            self._levels[colour] = level
            self._brightest[colour] = max(self._brightest[colour], level)
            if not self._window:
                self._window = True
                self._timeline.after(_WINDOW_MS, self._tell)

    def _tell(self, _):
        self._window = False
        rgb = "".join("%x" % (level >> 12) for level in self._brightest)
        self._brightest[:] = self._levels
        if rgb != self._told:
            self._told = rgb
            self._changed(rgb)
