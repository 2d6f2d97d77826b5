"""Safe levels of a board's outputs, which boot.py sets before anything else: pilots at +12 V, all else off."""

import json

# Outputs that are off when they are low, by the part of a connector.
_SWITCHING = (("contactor", ("coil_l1", "coil_l23")), ("lock", ("forward", "backward")), ("pilot", ("switch",)))


def safe_pins(layout):
    """Returns {pin: level} for all connectors of a layout (see boards.board), whether they are in use or not."""
    pins = {}
    for parts in layout["connectors"]:
        pins[parts["pilot"]["pwm"]] = 1
        for part, names in _SWITCHING:
            for name in names:
                pin = parts.get(part, {}).get(name)
                if pin is not None:
                    pins[pin] = 0
        if "test" in parts.get("rcd", {}):
            pins[parts["rcd"]["test"]] = 1 - parts["rcd"].get("test_level", 1)
    return pins


def as_text(layout):
    """Returns the content of pins.json."""
    pins = safe_pins(layout)
    return json.dumps({str(pin): pins[pin] for pin in sorted(pins)})
