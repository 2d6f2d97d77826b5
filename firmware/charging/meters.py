"""Present readings of a connector's meter, or the sum of all (connector 0; OCPP 1.6 §3.16, §4.7)."""

from firmware.charging.sampling import Sampler
from firmware.kernel.reading import Reading

# Fields that add up, and those that are the same everywhere on the supply.
_SUMS = ("energy_wh", "power_w", "export_wh")
_PHASE_SUMS = ("currents_ma", "powers_w")
_SHARED = ("voltages_mv", "frequency_mhz")


class Meters:
    """`wanted()` tells whether samples outside of transactions have a reader."""

    def __init__(self, connectors, services, wanted):
        self._connectors = connectors
        self._clock = services.clock
        self._journal = services.journal
        self._sampler = Sampler(0, lambda: self.current(0), None, services, wanted)

    def current(self, n):
        """Returns the newest Reading of connector n's meter, or None when there is none from the last seconds.

        n = 0: all meters together, None unless each of them has one: a sum with a hole runs backwards.
        """
        readings = [c.metering.current() for c in self._connectors if n in (0, c.number)]
        if None in readings or not readings:
            return None
        return readings[0] if n else total(readings)

    def sample(self, n):
        """Returns (t, Reading, offered mA or None) for a message that is sent now; None as current().

        No end of a transaction will be below or before it.
        """
        reading = self.current(n)
        if reading is None:
            return None
        if n == 0:
            return self._clock.now(), reading, None
        connector = self._connectors[n - 1]
        connector.session.secure()
        transaction = connector.transaction
        t = self._journal.time_in(transaction.number) if transaction else self._clock.now()
        return t, reading, connector.evse.offered_ma

    def step(self):
        """Takes the sample of all meters together that is due; to be called several times a second."""
        self._sampler.step(None, None)


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
