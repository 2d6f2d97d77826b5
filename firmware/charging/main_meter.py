"""The meter of the whole station (connector 0): what the connectors' meters say together (OCPP 1.6 §3.16, §4.7)."""

from micropython import const

from firmware.charging.metering import Slots
from firmware.kernel.reading import Reading

_DAY = const(86_400)

# Fields that add up, and those that are the same everywhere on the supply.
_SUMS = ("energy_wh", "power_w", "export_wh")
_PHASE_SUMS = ("currents_ma", "powers_w")
_SHARED = ("voltages_mv", "frequency_mhz")


class MainMeter:
    """Emits sampled(0, "clock", t, reading) at each multiple of ClockAlignedDataInterval from midnight (UTC)."""

    def __init__(self, connectors, clock, settings, sampled):
        self._connectors = connectors
        self._clock = clock
        self._settings = settings
        self._sampled = sampled
        self._aligned = Slots()
        clock.changed.connect(lambda delta_s, source: self._aligned.forget())

    def current(self):
        """Returns the Reading of all connectors, None unless each of them has one: a sum with a hole runs backwards."""
        readings = [connector.metering.current() for connector in self._connectors]
        return None if None in readings else total(readings)

    def step(self):
        """Takes the sample that is due; to be called several times a second."""
        if not self._clock.synchronised:
            return
        now = self._clock.now()
        seconds = now % _DAY
        interval = self._settings.get("ClockAlignedDataInterval")
        if self._aligned.due(interval, seconds):
            reading = self.current()
            if reading:
                self._sampled.emit(0, "clock", now - seconds % interval, reading)


def total(readings):
    """Returns one Reading for several meters of one supply; what one of them does not have, the total has not."""
    result = Reading()
    for name in _SUMS:
        values = [getattr(reading, name) for reading in readings]
        if None not in values:
            setattr(result, name, sum(values))
    for name in _PHASE_SUMS:
        values = [getattr(reading, name) for reading in readings]
        # Meters with one phase and with three do not tell which phases they share.
        if None not in values and all(len(value) == len(values[0]) for value in values):
            setattr(result, name, tuple(_sum(value[i] for value in values) for i in range(len(values[0]))))
    for name in _SHARED:
        setattr(result, name, getattr(readings[0], name))
    return result


def _sum(values):
    values = list(values)
    return None if None in values else sum(values)
