"""Every fault in every state, over the simulated circuit (docs/fault_matrix.md)."""

import sys

from folder import fresh_folder

from firmware.evse.faults import names
from tools.fault_matrix.cases import CASES, CHARGING
from tools.fault_matrix.matrix import run_cell

if sys.implementation.name == "cpython":

    def test_every_cell_is_as_the_page_says():
        from tools.fault_matrix.page import PAGE, current

        assert current() == PAGE.read_text(), "python -m tools.fault_matrix"


def test_a_fault_while_charging():
    """The column that matters most, on each interpreter."""
    for case in CASES:
        try:
            run_cell(case, CHARGING, fresh_folder())
        except AssertionError as exc:
            raise AssertionError("%s: %s" % (case.label, exc))


def test_every_fault_of_a_connector_has_one_row():
    station = ("brown_out", "flash_full", "watchdog_reset", "reader_lost")  # those of connector 0
    start = ("board_too_slow",)  # lasts from the start on
    shown = sorted(case.name for case in CASES if case.name)
    assert shown == sorted(name for name in names() if name not in station + start)
