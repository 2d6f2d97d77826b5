"""A meter that is in no table: its register map from one line of text, as an installer types it.

    input float32 3 energy_wh=72 powers_w=12 currents_ma=6 voltages_mv=0
    holding int16 1 low-first energy_wh=40:2:int32 power_w=8 voltages_mv=0:1

Function (input, holding), kind of numbers, phases, then FIELD=REGISTER[:DECIMALS[:KIND]] as in meter_models.
"""

from firmware.drivers.meter_models import FIELDS, HOLDING, INPUT, WORDS, Model

_FUNCTIONS = {"input": INPUT, "holding": HOLDING}


def parse(text):
    """Returns the Model. Raises ValueError that says what is wrong."""
    words = text.split()
    if len(words) < 4 or words[0] not in _FUNCTIONS or words[1] not in WORDS or words[2] not in ("1", "3"):
        raise ValueError("a register map begins with input or holding, the kind of numbers, and 1 or 3 phases")
    fields = {}
    for word in words[3:]:
        if word != "low-first":
            name, equals, place = word.partition("=")
            if name not in FIELDS or not equals:
                raise ValueError("no field of a meter: %s" % word)
            fields[name] = _place(place)
    if "energy_wh" not in fields:
        raise ValueError("a meter without energy_wh counts nothing")
    return Model(_FUNCTIONS[words[0]], words[1], int(words[2]), fields, low_first="low-first" in words)


def _place(text):
    parts = text.split(":")
    register = int(parts[0], 0)
    decimals = int(parts[1]) if len(parts) > 1 else 0
    if not 0 <= register <= 65_535 or not -9 <= decimals <= 9 or len(parts) > 3:
        raise ValueError("no register: %s" % text)
    if len(parts) < 3:
        return register, decimals
    if parts[2] not in WORDS:
        raise ValueError("no kind of number: %s" % parts[2])
    return register, decimals, parts[2]
