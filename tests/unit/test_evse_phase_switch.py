"""The change of the number of phases, to the millisecond, without a connector round it."""

from firmware.evse.phase_switch import PhaseSwitch


def _looks(switch, *steps):
    """Steps (closed, away, ms); returns (phases, holds, cuts) after each."""
    found = []
    for closed, away, now_ms in steps:
        switch.step(closed, away, now_ms)
        found.append((switch.phases, switch.holds, switch.cuts))
    return found


def _energised():
    """A vehicle that has charged on three phases and is to have one."""
    switch = PhaseSwitch(3)
    switch.step(True, False, 0)
    switch.step(False, False, 20)
    switch.wanted = 1
    return switch


def test_at_once_for_a_vehicle_that_had_no_voltage_yet():
    for switch in (PhaseSwitch(3), PhaseSwitch(3, 1)):
        switch.wanted = 1
        assert _looks(switch, (False, False, 0)) == [(1, False, False)]
    switch = _energised()
    switch.wanted = 3
    switch.step(False, True, 40)  # it has gone
    switch.wanted = 1
    assert _looks(switch, (False, False, 60)) == [(1, False, False)]


def test_a_switch_that_is_built_for_a_vehicle_with_voltage_knows_it():
    switch = PhaseSwitch(3, 1, True)
    assert _looks(switch, (False, False, 0)) == [(3, True, False)]
    assert PhaseSwitch(3).wanted == 3 and not PhaseSwitch(3).holds and not PhaseSwitch(3).cuts


def test_offer_opening_cut_wait_change_and_the_next_one():
    """100 ms between two of them, and 60 s for the vehicle to forget."""
    switch = _energised()
    for start, before, after in ((1_000, 3, 1), (200_000, 1, 3)):
        switch.wanted = after
        for closed, ms, phases, holds, cuts in (
            (True, 0, before, True, False),
            (True, 5_000, before, True, False),  # it goes on drawing
            (False, 5_099, before, True, False),
            (False, 5_100, before, True, True),
            (False, 65_099, before, True, True),
            (False, 65_100, after, True, True),
            (False, 65_199, after, True, True),
            (False, 65_200, after, False, False),
            (False, 65_220, after, False, False),
        ):
            assert _looks(switch, (closed, False, start + ms)) == [(phases, holds, cuts)], ms


def test_who_goes_ends_the_wait():
    switch = _energised()
    assert _looks(switch, (False, False, 100), (False, False, 200), (False, True, 220), (False, True, 320)) == [
        (3, True, False),
        (3, True, True),
        (1, True, True),
        (1, False, False),
    ]
