# interpreters: micropython
"""Why a board started: five causes that MicroPython names, and the brown-out that it calls a power-on."""

import sys

_REGISTER = 0x6000_8038


class _Machine:
    PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = 1, 2, 3, 4, 5

    def __init__(self):
        self.number = 1
        self.raw = 1
        self.mem32 = self

    def __getitem__(self, address):
        assert address == _REGISTER
        return 0xABCD_0000 & ~0x3F | self.raw  # the other bits are of the other processor

    def reset_cause(self):
        return self.number


_before = sys.modules.get("machine")
sys.modules["machine"] = machine = _Machine()
from firmware.drivers import reset_cause  # noqa: E402

if _before:
    sys.modules["machine"] = _before


def test_the_causes_are_told_apart():
    for number, raw, cause, fault in (
        (1, 1, "power-on", None),
        (1, 3, "brown-out", "brown_out"),  # ESP-IDF restarts the chip by software
        (1, 15, "brown-out", "brown_out"),
        (2, 3, "reset", None),
        (3, 7, "watchdog", "watchdog_reset"),
        (4, 5, "deep sleep", None),
        (5, 3, "soft reset", None),
        (0, 21, "unknown", None),
    ):
        machine.number, machine.raw = number, raw
        assert reset_cause.cause(_REGISTER) == cause
        assert reset_cause.fault(cause) == fault


def test_without_the_register_a_brown_out_is_a_power_on():
    machine.number, machine.raw = 1, 3
    assert reset_cause.cause() == "power-on"
