"""The tables of docs/hardware.md (pins, sampling, meters, contacts, lights), from boards/ and drivers/."""

import importlib

_BOARDS = ("esp32s3_reference", "esp32_wrover", "simulated")

# (part, pin of it): what it is for
_ROLES = {
    ("pilot", "pwm"): "pilot generator, 1 kHz: high = +12 V",
    ("pilot", "adc"): "pilot measurement (ADC)",
    ("pilot", "switch"): "pilot switch, 1 = cut off",
    ("proximity", "adc"): "proximity (ADC)",
    ("thermistor", "adc"): "outlet temperature, NTC 10 kOhm B3950 (ADC)",
    ("contactor", "coil_l1"): "contactor L1 and N, 1 = close",
    ("contactor", "coil_l23"): "contactor L2 and L3, 1 = close",
    ("contactor", "aux_l1"): "mirror contact L1, 1 = closed",
    ("contactor", "aux_l23"): "mirror contact L2/L3, 1 = closed",
    ("lock", "forward"): "lock motor, lock",
    ("lock", "backward"): "lock motor, unlock",
    ("lock", "feedback"): "lock feedback, 1 = locked",
    ("rcd", "trip"): "residual current device, 1 = tripped",
    ("rcd", "test"): "residual current device, 1 = self-test",
    ("stop", "pin"): "stop button, to ground",
    ("emergency", "pin"): "emergency stop, to ground",
    ("indicator", "red"): "light, red",
    ("indicator", "green"): "light, green",
    ("indicator", "blue"): "light, blue",
}


def _layout(name):
    return importlib.import_module(f"firmware.boards.{name}").LAYOUT


def _pins(layout):
    """Returns {use: GPIO} of a board; of several connectors, the first."""
    connector = layout["connectors"][0]
    pins = {text: connector.get(part, {}).get(pin) for (part, pin), text in _ROLES.items()}
    pins["service button, to ground"] = layout["service"]["pin"]
    bus, reader = layout["meter_bus"], layout["readers"][0]
    pins["meter bus, transmit"], pins["meter bus, receive"] = bus.get("tx"), bus.get("rx")
    pins["meter bus, 1 = transmit (RS-485 driver)"] = bus.get("direction")
    pins["card reader, transmit"], pins["card reader, receive"] = reader.get("tx"), reader.get("rx")
    return pins


def _pin_table():
    boards = [_layout(name) for name in _BOARDS]
    columns = [_pins(layout) for layout in boards]
    yield "| use | " + " | ".join(layout["name"] for layout in boards) + " |"
    yield "|---|" + "---|" * len(boards)
    for use in columns[0]:
        numbers = ("-" if pins[use] is None else str(pins[use]) for pins in columns)
        yield f"| {use} | " + " | ".join(numbers) + " |"


def _sampling_table():
    from firmware.drivers.pilot_plan import plan, shortest_us
    from firmware.evse.limits import duty_for

    yield "| offer | shorter half-wave | 50 us a read | 75 us | 100 us | 125 us |"
    yield "|---|--:|--:|--:|--:|--:|"
    for amps in (0, 6, 16, 32, 63, 80):
        half_wave_us = shortest_us(duty_for(1000 * amps))
        cells = ["{} reads, {} ms".format(*plan(half_wave_us, read_us)) for read_us in (50, 75, 100, 125)]
        offer = f"{amps} A | {half_wave_us} us" if amps else "none (steady) | -"
        yield f"| {offer} | " + " | ".join(cells) + " |"


def _meter_table():
    from firmware.drivers.meter_models import Model, models

    yield "| name | function | numbers | phases | measured |"
    yield "|---|---|---|---|---|"
    for name, line in sorted((name, line) for names, line in models() for name in names):
        model = Model(line.split())
        words = f"{model.kind}, low word first" if model.low_first else model.kind
        yield f"| {name} | {model.function} | {words} | {model.phases} | {', '.join(sorted(model.fields))} |"


# Meaning of each pattern for the user.
_MEANINGS = {
    "starting": "the station starts",
    "free": "free",
    "reserved": "reserved",
    "waiting": "plugged in, waiting for authorisation",
    "suspended by vehicle": "the vehicle does not draw the offered current",
    "charging": "charging",
    "suspended by station": "charging is paused by the station",
    "done": "the session is over, unplug the cable",
    "out of service": "out of service",
    "faulted": "out of order: service needed",
    "accepted": "card accepted (for a moment)",
    "refused": "card refused (for a moment)",
    "updating": "firmware update",
    "off": "-",
}
_COLOURS = {
    (255, 0, 0): "red",
    (0, 255, 0): "green",
    (0, 0, 255): "blue",
    (255, 160, 0): "yellow",
    (255, 255, 255): "white",
    (0, 0, 0): "dark",
}
_RHYTHMS = ("steady", "blinks", "breathes")


def _light_table():
    from firmware.drivers.indicator import PATTERNS

    yield "| pattern | colour | rhythm | means |"
    yield "|---|---|---|---|"
    for name, meaning in _MEANINGS.items():
        colour, rhythm, period_ms = PATTERNS[name]
        period = f", {period_ms / 1000:g} s" if period_ms else ""
        yield f"| {name} | {_COLOURS[colour]} | {_RHYTHMS[rhythm]}{period} | {meaning} |"
    if len(_MEANINGS) != len(PATTERNS):
        raise ValueError("a pattern has no meaning in _MEANINGS")


_BUTTONS = {
    "stop": "ends the session (reason Local); the plug is unlocked once no current flows",
    "emergency": "opens at once and ends the session (reason EmergencyStop); active until released and unplugged",
}


def _contact_table():
    from firmware.boards.contacts import CONTACTS
    from firmware.evse.faults import Fault

    yield "| contact | while it is closed |"
    yield "|---|---|"
    for name in CONTACTS:
        text = _BUTTONS.get(name) or f"no energy, {Fault(name).code}: {Fault(name).text.lower()}"
        yield f"| {name} | {text} |"


PAGE = "hardware.md"
TABLES = {
    "pins": _pin_table,
    "sampling": _sampling_table,
    "meters": _meter_table,
    "lights": _light_table,
    "contacts": _contact_table,
}
