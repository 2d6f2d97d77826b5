"""Random vehicles over the circuit model, with everything that a real measurement has: noise, offset, gain, hum.

CIRCUIT_EXAMPLES sets how many behaviours are played (10000 take a quarter of an hour).
"""

import math
import os
import tempfile

from hypothesis import example, given, settings
from hypothesis import strategies as st

from firmware.evse.limits import duty_for
from tools.sim.bench import Bench
from tools.sim.world.circuit import offered_ma

EXAMPLES = int(os.environ.get("CIRCUIT_EXAMPLES", "60"))

# From the cause to the open contacts: three samples, a tick that was held for 60 ms, and the contactor itself.
OPEN_MS = 160
# The contact of the emergency stop is debounced by two polls, and a held tick holds them as well. In ticks of 20 ms it
# opens within 100 ms (docs/fault_matrix.md).
BUTTON_MS = 60
# B is not believed for 550 ms after a change of duty cycle.
BLANKED_MS = 560


class Distorted:
    """The pilot's converter with an error of gain (in 0.1 %) and offset (mV at CP), and with 50 Hz in its wires."""

    def __init__(self, bench, gain, offset_mv, ripple_mv):
        self.bench = bench
        self.gain = gain
        self.offset_uv = offset_mv * 110
        self.ripple_uv = ripple_mv * 110
        self.reads = 0
        pilot = bench.board.connectors[0].pilot
        self.read_uv, pilot._read_uv = pilot._read_uv, self

    def __call__(self):
        self.reads += 1
        us = self.bench.ms * 1000 + self.reads % 100 * 50
        hum = self.ripple_uv * math.sin(2 * math.pi * us / 20_000)
        return round((self.read_uv() - 1_650_000) * self.gain / 1000 + 1_650_000 + self.offset_uv + hum)


VEHICLE = st.tuples(st.just("vehicle"), st.sampled_from("BBCCCCCDEA"))
FAULT = st.tuples(st.sampled_from(("rcd", "diode", "cp_short", "pe_open", "relay_open")), st.booleans())
WISH = st.tuples(st.sampled_from(("swipe", "limit", "replug", "emergency")), st.integers(0, 3))
BEHAVIOUR = st.lists(
    st.tuples(st.one_of(VEHICLE, VEHICLE, FAULT, WISH), st.sampled_from((60, 300, 700, 2_000, 6_500))), max_size=14
)
# A new duty cycle, B while it is not believed, and then D.
LATE_D = [
    (("vehicle", "B"), 6_500), (("vehicle", "C"), 300), (("limit", 1), 300), (("vehicle", "B"), 300),
    (("vehicle", "D"), 60),
]  # fmt: skip
ERRORS = st.tuples(st.integers(960, 1040), st.integers(-200, 200), st.integers(0, 150), st.integers(0, 150))
TICKS = st.lists(st.sampled_from((20, 20, 20, 40, 60)), min_size=1, max_size=7)


def _act(bench, what, value):
    outlet = bench.outlets[0]
    if what == "vehicle":
        if outlet.vehicle.plugged:
            outlet.set_vehicle(value)
    elif what == "swipe":
        bench.swipe()
    elif what == "limit":
        bench.evses[0].limits.set("test", (32_000, 16_000, 6_000, 0)[value])
    elif what == "replug":
        if outlet.vehicle.plugged:
            outlet.unplug()
        else:
            outlet.plug(32)
    elif what == "emergency":
        outlet.press("emergency", value == 0)
    else:
        outlet.set_fault(what, value)


class Truth:
    """What must be the case for current to flow; knows the circuit, not the firmware."""

    def __init__(self, bench):
        self.bench = bench
        self.since = {}
        self.duty_at = -10_000
        self.duty = None

    def look(self):
        bench, outlet = self.bench, self.bench.outlets[0]
        pilot = outlet.pilot
        if pilot.duty != self.duty:
            self.duty, self.duty_at = pilot.duty, bench.ms
        vehicle = outlet.vehicle.state
        in_c = vehicle == "C" or (vehicle == "B" and bench.ms - self.duty_at <= BLANKED_MS)
        good = {
            "vehicle in C": (in_c and not outlet.faults & {"cp_short", "pe_open"}, OPEN_MS),
            "no residual current": (not outlet.rcd.fault, OPEN_MS),
            "no emergency stop": (not outlet.pressed["emergency"], BUTTON_MS + OPEN_MS),
            "plug locked": (outlet.lock.locked, 300 + OPEN_MS),
            "diode": (not pilot.diode_shorted or not 0 < pilot.duty < 10_000, 200 + OPEN_MS),
        }
        for name, (holds, within_ms) in good.items():
            if holds:
                self.since.pop(name, None)
                continue
            bad_ms = bench.ms - self.since.setdefault(name, bench.ms)
            assert bad_ms <= within_ms or not bench.closed(), f"closed for {bad_ms} ms without: {name}"


@settings(max_examples=EXAMPLES, deadline=None)
@given(BEHAVIOUR, ERRORS, TICKS)
@example(LATE_D, (960, 0, 0, 0), [20])
def test_current_flows_only_to_a_vehicle_in_c_with_every_interlock_good(behaviour, errors, ticks):
    gain, offset_mv, ripple_mv, noise_mv = errors
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(folder, noise_mv=noise_mv)
        Distorted(bench, gain, offset_mv, ripple_mv)
        bench.outlets[0].plug(32)
        bench.run(1_500)
        bench.session()
        truth = Truth(bench)
        count = 0
        for (what, value), ms in behaviour:
            _act(bench, what, value)
            end = bench.ms + ms
            while bench.ms < end:
                bench.tick(ticks[count % len(ticks)])
                count += 1
                truth.look()
        begins, ends = bench.books()
        open_now = bench.station.transaction(1)
        assert len(begins) - len(ends) == (1 if open_now else 0)


@settings(max_examples=EXAMPLES, deadline=None)
@given(ERRORS, st.integers(60, 800))
def test_every_offer_from_6_to_80_amperes_is_decoded(errors, tenths):
    """At 80 A the low half-wave lasts 40 us."""
    gain, offset_mv, ripple_mv, noise_mv = errors
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(folder, noise_mv=noise_mv)
        Distorted(bench, gain, offset_mv, ripple_mv)
        parts, outlet = bench.board.connectors[0], bench.outlets[0]
        pilot = parts.pilot
        duty = duty_for(tenths * 100)
        pilot.drive(duty)
        assert abs(offered_ma(outlet.pilot.duty) - offered_ma(duty)) <= 100
        for letter, volts in (("B", 9_000), ("C", 6_000)):
            outlet.plug(32)
            outlet.set_vehicle(letter)
            for _ in range(10):
                high, low = pilot.sample()
                assert abs(high - volts) <= 900
                assert low <= -10_500
