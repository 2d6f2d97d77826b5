"""Reset cause: reports a start after a watchdog reset or a brown-out."""

import machine
from micropython import const

# MicroPython reports a brown-out as power-on; the chip's own register has the cause (RTCWDT_BROWN_OUT_RESET).
_BROWN_OUT = const(15)
_CAUSE_MASK = const(0x3F)


def fault(register=None):
    """Returns "watchdog_reset", "brown_out" or None. `register` is the address of the chip's reset state, if known."""
    if register is not None and machine.mem32[register] & _CAUSE_MASK == _BROWN_OUT:
        return "brown_out"
    return "watchdog_reset" if machine.reset_cause() == machine.WDT_RESET else None
