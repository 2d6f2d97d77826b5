# Reads of the pilot in one control step. MIT license.
"""Counts the reads of a whole station above the simulated circuit, with a vehicle at each of some offers."""

import json

from folder import fresh_folder

from tools.sim.bench import TICK_MS, Bench

ADC_US = 47  # with the 3 us that a look at the clock takes there, 50 us
_STEPS = 200
OFFERS_MA = (0, 6_000, 16_000, 32_000, 63_000, 80_000)


class Counter:
    """The converter of a pilot, counted."""

    def __init__(self, pilot):
        self._read_uv = pilot._read_uv
        self.reads = 0
        pilot._read_uv = self

    def __call__(self):
        self.reads += 1
        return self._read_uv()


def most_reads(offer_ma):
    """Returns the most reads of one step with a vehicle at a fixed cable that is offered `offer_ma`, 0: nothing."""
    bench = Bench(fresh_folder(), socket=False, adc_us=ADC_US)
    evse, pilot = bench.evses[0], bench.board.connectors[0].pilot
    evse.limits.set("supply", 80_000)
    bench.outlets[0].plug(None)
    bench.run(1_500)
    bench.session()
    evse.limits.set("bench", offer_ma)
    bench.run(10_000)
    if evse.offered_ma != offer_ma:
        raise RuntimeError(f"{evse.offered_ma} mA are offered, not {offer_ma}")
    counter = Counter(pilot)
    most = 0
    for _ in range(_STEPS):
        counter.reads = 0
        bench.tick(TICK_MS)
        most = max(most, counter.reads)
    return most


print(json.dumps({str(offer_ma): most_reads(offer_ma) for offer_ma in OFFERS_MA}))
