"""Reset cause: reports a start after a watchdog reset or a brown-out."""

import machine
from micropython import const

_FAULTS = {"watchdog": "watchdog_reset", "brown-out": "brown_out"}

# MicroPython reports a brown-out as power-on; the chip's own register has another cause, as ESP-IDF has restarted it.
_POWER_ON = const(1)
_CAUSE_MASK = const(0x3F)


def cause(register=None):
    """Returns the cause in words; a panic of the interpreter counts as a reset.

    `register` is the address of the chip's reset state, if known.
    """
    number = machine.reset_cause()
    if number == machine.PWRON_RESET and register is not None and machine.mem32[register] & _CAUSE_MASK != _POWER_ON:
        return "brown-out"
    for name, known in (
        ("power-on", machine.PWRON_RESET),
        ("reset", machine.HARD_RESET),
        ("watchdog", machine.WDT_RESET),
        ("deep sleep", machine.DEEPSLEEP_RESET),
        ("soft reset", machine.SOFT_RESET),
    ):
        if number == known:
            return name
    return "unknown"


def fault(name):
    """Returns the fault that a cause stands for, or None."""
    return _FAULTS.get(name)
