"""The pin tables, the meters and the light patterns of docs/hardware.md, from boards/ and drivers/."""

import ast
import importlib

from tools.docs.pages import ROOT

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


def _meter_table():
    from firmware.drivers.meter_models import INPUT, MODELS

    yield "| name | function | numbers | phases | measured |"
    yield "|---|---|---|---|---|"
    for name, model in sorted(MODELS.items()):
        function = "input" if model.function == INPUT else "holding"
        words = f"{model.kind}, low word first" if model.low_first else model.kind
        yield f"| {name} | {function} | {words} | {model.phases} | {', '.join(sorted(model.fields))} |"


def _light_table():
    """The table of the indicator's docstring, which speaks to people."""
    text = ast.get_docstring(ast.parse((ROOT / "firmware" / "drivers" / "indicator.py").read_text()))
    yield from (line for line in text.splitlines() if line.startswith("|"))


PAGE = "hardware.md"
TABLES = {"pins": _pin_table, "meters": _meter_table, "lights": _light_table}
