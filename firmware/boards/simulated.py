"""Pin layout of the simulated board: two sockets with everything fitted. The second connector's pins are 20 higher."""

# Address of the reset cause in a real S3; the simulated chip has it at the same address.
_RESET_REGISTER = 0x6000_8038


def _connector(pin, unit):
    contact = 31 + 10 * unit
    return {
        # The divider turns -12..+12 V into 0.33..2.97 V.
        "pilot": {
            "pwm": pin + 1,
            "adc": pin + 2,
            "switch": pin + 14,
            "calibration": ((330_000, -12_000), (2_970_000, 12_000)),
        },
        "proximity": {"adc": pin + 3, "pull_up_ohm": 1000},
        "contactor": {"coil_l1": pin + 4, "coil_l23": pin + 5, "aux_l1": pin + 6, "aux_l23": pin + 7},
        "lock": {"forward": pin + 8, "backward": pin + 9, "feedback": pin + 10},
        "rcd": {"trip": pin + 11, "test": pin + 12},
        "thermistor": {"adc": pin + 13, "pull_up_ohm": 10_000},
        "stop": {"pin": pin + 15},
        "emergency": {"pin": pin + 16},
        "rccb_tripped": {"pin": contact},
        "mcb_tripped": {"pin": contact + 1},
        "breaker_tripped": {"pin": contact + 2},
        "spd_tripped": {"pin": contact + 3},
        "indicator": {"red": pin + 17, "green": pin + 18, "blue": pin + 19},
        "meter": {"model": "sdm630", "unit": unit},
    }


LAYOUT = {
    "name": "simulated",
    "chip": "linux",
    "cpu_hz": 240_000_000,
    "max_ma": 32_000,
    "phases": 3,
    "fixed_cable": False,
    "connectors": (_connector(0, 1), _connector(20, 2)),
    "fitted": 1,
    "meter_bus": {"uart": 1, "baudrate": 9600},
    "readers": ({"kind": "pn532", "uart": 2},),
    "service": {"pin": 61},
    "reset_register": _RESET_REGISTER,
    "watchdog_ms": None,
}
