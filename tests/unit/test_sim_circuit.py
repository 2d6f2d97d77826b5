"""The simulated circuits against the values that IEC 61851-1 annex A and B give for the real ones."""

from tools.sim.world import circuit
from tools.sim.world.circuit import Pilot, divide, letter, offered_ma


def near(value, wanted, tolerance):
    return abs(value - wanted) <= tolerance


def pilot(state="A", u16=6554):
    made = Pilot(lambda: None)
    made.drive(u16)
    made.attach(state)
    return made


def test_vehicle_resistors_give_nine_six_and_three_volts():
    for state, millivolts in (("B", 9000), ("C", 6000), ("D", 3000)):
        made = pilot(state)
        assert near(made.high_mv, millivolts, 150), state
        assert made.low_mv == -12_000
        assert made.state == state


def test_no_vehicle_leaves_both_half_waves_alone():
    made = pilot("A")
    assert (made.high_mv, made.low_mv, made.state) == (12_000, -12_000, "A")


def test_shorted_diode_mirrors_the_negative_half_wave():
    made = pilot("B")
    made.diode_shorted = True
    made.update()
    assert made.low_mv == -made.high_mv and near(made.high_mv, 8800, 100)


def test_short_to_earth_is_state_e_and_an_open_wire_looks_unplugged():
    made = pilot("C")
    made.shorted = True
    made.update()
    assert (made.high_mv, made.low_mv, made.state) == (0, 0, "E")
    made.shorted = False
    made.broken = True
    made.update()
    assert made.state == "A" and not made.seen


def test_steady_levels():
    made = pilot("B", 65_535)
    assert made.duty == 10_000 and made.high_us == circuit.PERIOD_US and made.state == "B"
    made.drive(0)
    assert made.duty == 0 and made.high_us == 0
    assert made.state == "F" and made.millivolts == -12_000


def test_adc_pin_carries_the_scaled_pilot():
    made = pilot("A")
    assert (made.high_uv, made.low_uv) == (2_970_000, 330_000)


def test_changes_are_told_once():
    told = []
    made = Pilot(lambda: told.append(1))
    count = len(told)
    made.drive(6554)
    made.drive(6554)
    assert len(told) == count + 1


def test_duty_means_current():
    # IEC 61851-1 table A.8, the vehicle's reading.
    for duty, milliamps in (
        (0, 0), (700, 0), (800, 6000), (1000, 6000), (2667, 16_002), (5333, 31_998), (8500, 51_000),
        (8920, 63_000), (9600, 80_000), (9700, 80_000), (9800, 0), (10_000, 0),
    ):  # fmt: skip
        assert offered_ma(duty) == milliamps, duty


def test_divider():
    assert divide(1000, False) == (6000, -6000)
    assert divide(2740, True)[1] == -12_000


def test_letter_needs_both_half_waves_for_e():
    assert letter(1000, 0, 0) == "E"
    assert letter(1000, 9000, -12_000) == "B"


def test_cable_resistor_at_the_proximity_pin():
    assert circuit.proximity_uv(None) == 3_300_000
    assert circuit.proximity_uv(circuit.CABLE_OHM[13]) == 1_980_000
    assert circuit.proximity_uv(circuit.CABLE_OHM[32]) == 595_081


def test_thermistor():
    assert near(circuit.thermistor_uv(250), 1_650_000, 10)
    assert circuit.thermistor_uv(800) < circuit.thermistor_uv(250) < circuit.thermistor_uv(0)
    assert circuit.thermistor_uv("open") == 3_300_000 and circuit.thermistor_uv("short") == 0


def test_both_half_waves_can_be_held():
    made = pilot("B")
    made.diode_shorted = True
    made.hold(9_000, -4_000)
    assert (made.high_mv, made.low_mv) == (9_000, -4_000)
    made.attach("B")
    assert made.low_mv == -made.high_mv, "the diode is still shorted"
