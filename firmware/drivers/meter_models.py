"""Modbus energy meters by name: which register holds what. Settings name a meter, so a name never changes its meaning.

Registers are 0-based addresses. `decimals` is the power of ten by which a meter's number exceeds the base unit: V, A,
W, Hz and kWh are raw / 10 ** decimals (negative for a meter that counts in kW).
"""

from micropython import const

HOLDING = const(3)  # function codes
INPUT = const(4)

# Reading's field: power of ten from the base unit to the unit of the field.
FIELDS = {
    "energy_wh": 3,
    "export_wh": 3,
    "power_w": 0,
    "powers_w": 0,
    "currents_ma": 3,
    "voltages_mv": 3,
    "frequency_mhz": 3,
}
PER_PHASE = ("powers_w", "currents_ma", "voltages_mv")

WORDS = {"int16": 1, "float32": 2, "int32": 2, "uint64": 4}


class Model:
    """The register map of one kind of meter.

    function   INPUT or HOLDING
    kind       of numbers: "float32", "int32", "int16"
    phases     how many values a field that is measured per phase has
    fields     {field of Reading: (register, decimals)}; more may follow: the kind where it differs from the others,
               and the register of a SunSpec scale factor (int16, value = raw * 10 ** factor)
    low_first  True: the low word of a number comes first (each word has its high byte first)
    longest    registers that the meter returns in one reply
    bridge     registers without meaning that a request may span to save another one
    """

    def __init__(self, function, kind, phases, fields, low_first=False, longest=125, bridge=0):
        self.function = function
        self.kind = kind
        self.phases = phases
        self.fields = fields
        self.low_first = low_first
        self.longest = longest
        self.bridge = bridge


def _eastron(phases, fields):
    return Model(INPUT, "float32", phases, fields, longest=80)


_EASTRON_1 = _eastron(
    1,
    {
        "voltages_mv": (0x00, 0),
        "currents_ma": (0x06, 0),
        "power_w": (0x0C, 0),
        "frequency_mhz": (0x46, 0),
        "energy_wh": (0x48, 0),
        "export_wh": (0x4A, 0),
    },
)
_EASTRON_3 = _eastron(
    3,
    {
        "voltages_mv": (0x00, 0),
        "currents_ma": (0x06, 0),
        "powers_w": (0x0C, 0),
        "power_w": (0x34, 0),
        "frequency_mhz": (0x46, 0),
        "energy_wh": (0x48, 0),
        "export_wh": (0x4A, 0),
    },
)


MODELS = {
    "sdm630": _EASTRON_3,
    "sdm72": _EASTRON_3,
    "sdm120": _EASTRON_1,
    "sdm230": _EASTRON_1,
    "phoenix-eem350": Model(
        INPUT,
        "int32",
        3,
        {"voltages_mv": (0x0, 1), "currents_ma": (0xC, 3), "power_w": (0x28, 1), "energy_wh": (0x3E, 1)},
        low_first=True,
        longest=11,
    ),
    "finder-7e78": Model(
        INPUT,
        "float32",
        3,
        {
            "voltages_mv": (0x1000, 0),
            "currents_ma": (0x100E, 0),
            "power_w": (0x1026, 0),
            "energy_wh": (0x1106, 3),
            "export_wh": (0x110E, 3),
        },
    ),
    "finder-7m38": Model(
        INPUT,
        "float32",
        3,
        {"voltages_mv": (2500, 0), "currents_ma": (2516, 0), "power_w": (2536, 0), "energy_wh": (2638, 3)},
    ),
    "abb-b23": Model(
        HOLDING,
        "int32",
        3,
        {
            "voltages_mv": (0x5B00, 1),
            "currents_ma": (0x5B0C, 2),
            "power_w": (0x5B14, 2),
            "energy_wh": (0x5000, 2, "uint64"),
            "export_wh": (0x5004, 2, "uint64"),
        },
    ),
    # The meter behind a SolarEdge inverter: SunSpec model 203 at 40188. Its energy registers count Wh.
    "solaredge-sunspec": Model(
        HOLDING,
        "int16",
        3,
        {
            "currents_ma": (40191, 0, "int16", 40194),
            "voltages_mv": (40196, 0, "int16", 40203),
            "frequency_mhz": (40204, 0, "int16", 40205),
            "power_w": (40206, 0, "int16", 40210),
            "powers_w": (40207, 0, "int16", 40210),
            "export_wh": (40226, 3, "int32", 40242),
            "energy_wh": (40234, 3, "int32", 40242),
        },
        bridge=16,
    ),
    "wago-879": Model(
        HOLDING,
        "float32",
        3,
        {
            "voltages_mv": (0x5002, 0),
            "currents_ma": (0x500C, 0),
            "power_w": (0x5012, -3),
            "energy_wh": (0x600C, 0),
            "export_wh": (0x6018, 0),
        },
    ),
    "sinotimer-dts6619": Model(
        INPUT,
        "int16",
        3,
        {
            "voltages_mv": (0x0, 1),
            "currents_ma": (0x3, 2),
            "power_w": (0x8, 0),
            "energy_wh": (0x27, 2, "int32"),
            "export_wh": (0x31, 2, "int32"),
        },
    ),
    "schneider-iem3x5x": Model(
        HOLDING,
        "float32",
        3,
        {
            "voltages_mv": (0x0BD3, 0),
            "currents_ma": (0x0BB7, 0),
            "power_w": (0x0BF3, -3),
            "energy_wh": (0xB02B, 0),
            "export_wh": (0xB02D, 0),
        },
    ),
    "chint-dtsu666": Model(
        HOLDING,
        "float32",
        3,
        {
            "voltages_mv": (0x2000, 1),
            "currents_ma": (0x200C, 3),
            "power_w": (0x2012, 1),
            "energy_wh": (0x101E, 0),
            "export_wh": (0x1028, 0),
        },
    ),
    "chint-ddsu666": Model(
        HOLDING,
        "float32",
        1,
        {
            "voltages_mv": (0x2000, 1),
            "currents_ma": (0x2002, 0),
            "power_w": (0x2004, -3),
            "energy_wh": (0x4000, 0),
            "export_wh": (0x400A, 0),
        },
    ),
    "carlo-gavazzi-em340": Model(
        INPUT,
        "int32",
        3,
        {
            "voltages_mv": (0x0, 1),
            "currents_ma": (0xC, 3),
            "power_w": (0x28, 1),
            "energy_wh": (0x34, 1),
            "export_wh": (0x4E, 1),
        },
        low_first=True,
    ),
}
