"""Temperature of the outlet: 6 A when it is warm, nothing when it is hot. All temperatures in tenths of a degree C."""

from micropython import const

WARM_DC = const(600)
_COOL_AGAIN_DC = const(580)  # so that a temperature on the boundary does not toggle the offer
HOT_DC = const(800)
# A stop for heat ends below 60 C for 10 minutes.
_RESUME_BELOW_DC = const(600)
_RESUME_AFTER_MS = const(600_000)


class Derating:
    """`warm`: no more than 6 A. `hot`: no energy. Keeps its verdict while the sensor says nothing."""

    def __init__(self):
        self.warm = False
        self.hot = False
        self._cool_since = None

    def step(self, temperature_dc, now_ms):
        """Takes the newest temperature, None when the sensor is broken."""
        if temperature_dc is None:
            self._cool_since = None
            return
        if temperature_dc >= WARM_DC:
            self.warm = True
        elif temperature_dc < _COOL_AGAIN_DC:
            self.warm = False
        if temperature_dc > HOT_DC:
            self.hot = True
        if temperature_dc >= _RESUME_BELOW_DC:
            self._cool_since = None
        elif self.hot:
            if self._cool_since is None:
                self._cool_since = now_ms
            if now_ms - self._cool_since >= _RESUME_AFTER_MS:
                self.hot = False
