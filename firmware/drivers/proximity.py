"""Proximity contact (PP): measures the resistor in the plug that codes the cable's current (IEC 61851-1 annex B)."""

from micropython import const

_READS = const(4)
_OPEN_OHM = const(10_000)  # far above the 1.5 kOhm of a 13 A cable, far below a wet inlet


class Proximity:
    """Measures the resistor between PP and PE, fed through `pull_up_ohm` from `supply_mv`; adc is a machine.ADC."""

    fitted = True

    def __init__(self, adc, supply_mv=3300, pull_up_ohm=1000):
        self._read_uv = adc.read_uv
        self._supply_mv = supply_mv
        self._pull_up_ohm = pull_up_ohm

    def ohm(self):
        """Returns the resistance in ohm, 0 for a short to PE, None when open (no plug). Raises OSError."""
        total = 0
        for _ in range(_READS):
            total += self._read_uv()
        mv = max(0, total // (_READS * 1000))
        missing_mv = self._supply_mv - mv
        if missing_mv <= 0:
            return None
        ohm = self._pull_up_ohm * mv // missing_mv
        return ohm if ohm < _OPEN_OHM else None
