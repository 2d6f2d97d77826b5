"""boards: every pin map is legal on its chip, and nothing is wired twice."""

from firmware.boards import esp32_wrover, esp32s3_reference, simulated
from firmware.boards.safe_pins import as_text, safe_pins

# What a chip's pins can do. Left out: strapping, flash, PSRAM, USB and console.
S3_PINS = set(range(1, 19)) - {3} | {21, 38, 39, 40, 41, 42, 47, 48}
S3_ADC1 = set(range(1, 11))
WROVER_INPUTS = {34, 35, 36, 39}
WROVER_PINS = {4, 13, 14, 18, 19, 21, 22, 23, 25, 26, 27, 32, 33}
WROVER_ADC1 = {32, 33, 34, 35, 36, 39}

OUTPUTS = ("pwm", "switch", "coil_l1", "coil_l23", "forward", "backward", "test", "red", "green", "blue")
INPUTS = ("adc", "aux_l1", "aux_l23", "feedback", "trip", "pin")


def pins_of(layout, names):
    found = []
    for connector in layout["connectors"]:
        for part in connector.values():
            found += [part[name] for name in names if name in part]
    return found


def serial_pins(layout, names):
    lines = [layout["meter_bus"]] + list(layout["readers"])
    return [line[name] for line in lines for name in names if name in line]


def outputs(layout):
    return pins_of(layout, OUTPUTS) + serial_pins(layout, ("tx", "direction"))


def inputs(layout):
    return pins_of(layout, INPUTS) + serial_pins(layout, ("rx",))


LAYOUTS = (esp32s3_reference.LAYOUT, esp32_wrover.LAYOUT, simulated.LAYOUT)


def test_no_pin_is_used_twice():
    for layout in LAYOUTS:
        used = outputs(layout) + inputs(layout) + [layout["service"]["pin"]]
        assert len(used) == len(set(used)), layout["name"]


def test_the_s3_uses_only_pins_that_are_free():
    layout = esp32s3_reference.LAYOUT
    assert set(outputs(layout) + inputs(layout)) <= S3_PINS
    assert set(pins_of(layout, ("adc",))) <= S3_ADC1


def test_the_wrover_uses_only_pins_that_are_free():
    layout = esp32_wrover.LAYOUT
    assert set(outputs(layout)) <= WROVER_PINS
    assert set(inputs(layout)) <= WROVER_PINS | WROVER_INPUTS
    assert set(pins_of(layout, ("adc",))) <= WROVER_ADC1
    # The inputs that have no pull-up resistor of their own cannot take a button.
    assert not set(pins_of(layout, ("pin",))) & WROVER_INPUTS


def test_uarts_are_not_shared_with_each_other_or_the_console():
    for layout in LAYOUTS:
        uarts = [layout["meter_bus"]["uart"]] + [reader["uart"] for reader in layout["readers"]]
        assert sorted(uarts) == [1, 2]


def test_a_socket_has_a_lock_and_a_proximity_contact():
    for layout in LAYOUTS:
        for connector in layout["connectors"]:
            assert layout["fixed_cable"] or ("lock" in connector and "proximity" in connector)
            assert "pilot" in connector and "contactor" in connector


def test_meters_on_one_bus_have_their_own_units():
    for layout in LAYOUTS:
        units = [connector["meter"]["unit"] for connector in layout["connectors"]]
        assert len(units) == len(set(units)) and min(units) >= 1


def test_the_calibration_stays_within_what_the_converter_tells_apart():
    for layout, ceiling_uv in ((esp32s3_reference.LAYOUT, 3_100_000), (esp32_wrover.LAYOUT, 2_450_000)):
        for connector in layout["connectors"]:
            for uv, _ in connector["pilot"]["calibration"]:
                assert 0 < uv <= ceiling_uv


def test_hardware_that_can_hang_has_a_watchdog_of_twenty_seconds():
    assert esp32s3_reference.LAYOUT["watchdog_ms"] == esp32_wrover.LAYOUT["watchdog_ms"] == 20_000


def test_the_safe_levels_are_those_of_every_output_that_switches():
    pins = safe_pins(esp32s3_reference.LAYOUT)
    assert pins == {4: 1, 5: 0, 7: 0, 8: 0, 11: 0, 12: 0, 15: 0}
    assert safe_pins(esp32_wrover.LAYOUT) == {25: 1, 26: 0, 27: 0, 14: 0}, "parts that are not fitted have no pins"
    both = safe_pins(simulated.LAYOUT)
    assert both[1] == both[21] == 1 and both[4] == both[24] == 0, "all that the layout has, whether in use or not"
    layout = {"connectors": ({"pilot": {"pwm": 1}, "rcd": {"trip": 2, "test": 3, "test_level": 0}},)}
    assert safe_pins(layout) == {1: 1, 3: 1} and as_text(layout) == '{"1": 1, "3": 1}'
