"""Temperature derating: less current when the outlet is warm, none when it is hot. All in tenths of a degree C."""

from micropython import const

from firmware.evse.limits import MIN_PILOT_MA

WARM_DC = const(600)
HOT_DC = const(800)
# EVSE F10, "extreme temperature: stays until power cycle". A contact that was this hot may be damaged.
EXTREME_DC = const(1_000)
# A temperature must last this long, since copper changes slowly: anything shorter is noise. The sensor is read ten
# times a second.
_BELIEVED_MS = const(1_000)
_BACKLASH_DC = const(20)  # hysteresis, so that the offer does not toggle
# A stop because of heat or a failed sensor ends after 10 minutes below 60 C.
_RESUME_BELOW_DC = const(600)
_RESUME_AFTER_MS = const(600_000)
_STEP_MA = const(1_000)  # a new duty cycle for each ampere, not for each milliampere


class _Believed:
    """Debounced temperature: follows a change that has lasted, by its smallest value meanwhile."""

    def __init__(self):
        self.dc = 0
        self._since = None  # start of a change that has not lasted yet
        self._rises = False
        self._least_dc = 0

    def see(self, temperature_dc, now_ms):
        if temperature_dc == self.dc:
            self._since = None
            return
        rises = temperature_dc > self.dc
        if self._since is None or rises != self._rises:
            self._since = now_ms
            self._rises = rises
            self._least_dc = temperature_dc
        self._least_dc = min(self._least_dc, temperature_dc) if rises else max(self._least_dc, temperature_dc)
        if now_ms - self._since >= _BELIEVED_MS:
            self.dc = self._least_dc
            self._since = None


class Derating:
    """`warm`: less current. `hot`: no energy, above 100 C until the next start. `blind`: no energy, sensor failed.

    Keeps its state while the sensor has no value.

    From `warm_dc` on the current falls linearly, to 6 A at `floor_dc`. Both are 60 C by default: 6 A at once.
    """

    def __init__(self):
        self.warm_dc = self.floor_dc = WARM_DC
        self.warm = False
        self.hot = False
        self.blind = False
        self._extreme = False
        self._believed = _Believed()
        self._felt_dc = 0  # debounced temperature with hysteresis
        self._suspect_since = None  # too hot, or no value
        self._cool_since = None
        self._not_cool_since = None

    def step(self, temperature_dc, now_ms):
        """Takes the latest temperature, None when the sensor has failed."""
        if temperature_dc is None or temperature_dc > HOT_DC:
            self._suspect(temperature_dc, now_ms)
        else:
            self._suspect_since = None
        if temperature_dc is None or temperature_dc >= _RESUME_BELOW_DC:
            self._not_cool(now_ms)
        else:
            self._not_cool_since = None
            self._cool_down(now_ms)
        if temperature_dc is not None:
            self._believed.see(temperature_dc, now_ms)
            believed_dc = self._believed.dc
            self._felt_dc = max(believed_dc, min(self._felt_dc, believed_dc + _BACKLASH_DC))
            self.warm = self._felt_dc >= self.warm_dc

    def _suspect(self, temperature_dc, now_ms):
        if self._suspect_since is None:
            self._suspect_since = now_ms
        if now_ms - self._suspect_since < _BELIEVED_MS:
            return
        if temperature_dc is None:
            self.blind = True
        else:
            self.hot = True
            self._extreme = self._extreme or temperature_dc > EXTREME_DC

    def _not_cool(self, now_ms):
        if self._not_cool_since is None:
            self._not_cool_since = now_ms
        if now_ms - self._not_cool_since >= _BELIEVED_MS:
            self._cool_since = None

    def _cool_down(self, now_ms):
        if self._cool_since is None:
            self._cool_since = now_ms
        if now_ms - self._cool_since >= _RESUME_AFTER_MS:
            self.blind = False
            self.hot = self._extreme

    def limit_ma(self, full_ma):
        """Returns the limit in mA out of `full_ma`, None for no limit."""
        if not self.warm:
            return None
        if self._felt_dc >= self.floor_dc:
            return MIN_PILOT_MA
        left = (full_ma - MIN_PILOT_MA) * (self.floor_dc - self._felt_dc) // (self.floor_dc - self.warm_dc)
        return max(MIN_PILOT_MA, (MIN_PILOT_MA + left) // _STEP_MA * _STEP_MA)
