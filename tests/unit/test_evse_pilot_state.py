"""The vehicle's state on the pilot, to the millisecond (IEC 61851-1 table A.6), and the cable's rating."""

from firmware.evse.cable import Cable
from firmware.evse.pilot_levels import PilotLevels, plausible
from firmware.evse.pilot_state import PilotState
from firmware.evse.plug import FixedCable

_MV = {"A": 12_000, "B": 9_000, "C": 6_000, "D": 3_000, "E": 0}


def _pilot(state="A"):
    """A pilot that has settled in `state`."""
    pilot = PilotState()
    for now in (-2_000, -1_000):
        pilot.see(_MV[state], now)
    assert pilot.state == state
    return pilot


def _sees(pilot, *samples, leave_ms=None):
    """Takes samples (letter, ms); returns the states after each as one word."""
    found = ""
    for letter, now in samples:
        pilot.see(_MV[letter], now, *(() if leave_ms is None else (leave_ms,)))
        found += pilot.state
    return found


def test_a_plug_counts_after_15_ms():
    for before in "AE":
        assert _sees(_pilot(before), ("B", 0), ("B", 14), ("B", 15)) == before * 2 + "B"


def test_a_plug_that_goes_and_a_short_count_after_35_ms():
    """A.6 seq. 2.2 and 8.1."""
    for before, after in ("BA", "BE", "AE", "EA", "CA", "CE", "CB", "DA", "DB", "CD"):
        samples = ((after, 0), (after, 34), (after, 35))
        assert _sees(_pilot(before), *samples) == before * 2 + after, before + after


def test_c_and_d_count_after_500_ms_and_as_b_until_then():
    """A.2.3: a simplified vehicle goes from A straight to C."""
    for ready in "CD":
        assert _sees(_pilot("B"), (ready, 0), (ready, 499), (ready, 500)) == "BB" + ready
        for before in "AE":
            samples = ((ready, 0), (ready, 14), (ready, 15), (ready, 499), (ready, 500))
            assert _sees(_pilot(before), *samples) == before * 2 + "BB" + ready


def test_a_toggle_of_s2_begins_the_500_ms_anew():
    assert _sees(_pilot("B"), ("C", 0), ("C", 400), ("B", 420), ("C", 440), ("C", 939), ("C", 940)) == "BBBBBC"


def test_only_b_may_be_asked_to_last_longer():
    assert _sees(_pilot("C"), ("B", 0), ("B", 54), ("B", 55), leave_ms=55) == "CCB"
    for after in "AED":
        assert _sees(_pilot("C"), (after, 0), (after, 34), (after, 35), leave_ms=55) == "CC" + after


def test_b_may_not_count_at_all():
    pilot = _pilot("C")
    for now in range(0, 1_000, 20):
        pilot.see(_MV["B"], now, None)
    assert pilot.state == "C"
    for now in (1_000, 1_034, 1_035):
        pilot.see(_MV["A"], now, None)
    assert pilot.state == "A"


def test_a_plug_that_bounces_on_its_way_out_has_left_c():
    assert _sees(_pilot("C"), ("B", 0), ("A", 20), ("B", 34), ("A", 35)) == "CCCA"
    assert _sees(_pilot("C"), ("B", 0), ("C", 20), ("B", 40), ("B", 74), ("B", 75)) == "CCCCB"


def test_what_was_seen_before_it_is_forgotten_says_nothing():
    for letter, ms in (("B", 15), ("A", 35), ("E", 35)):
        pilot = _pilot(letter)
        pilot.forget()
        assert pilot.state == "F"
        assert _sees(pilot, (letter, 0), (letter, ms - 1), (letter, ms)) == "FF" + letter
    pilot = _pilot("C")
    pilot.forget()
    assert _sees(pilot, ("C", 0), ("C", 15), ("C", 499), ("C", 500)) == "FBBC"


def test_a_vehicle_stays_connected_on_a_shorted_pilot_until_its_plug_is_out():
    pilot = _pilot("B")
    assert pilot.connected
    _sees(pilot, ("E", 0), ("E", 35))
    assert pilot.state == "E" and pilot.connected
    pilot.unplugged()
    assert pilot.state == "E" and not pilot.connected
    pilot = _pilot("C")
    pilot.unplugged()
    assert pilot.state == "A" and not pilot.connected
    assert not _pilot("A").connected and not PilotState().connected


def test_what_is_known_of_the_vehicle_can_be_handed_on():
    pilot = PilotState("C", True)
    assert pilot.state == "C" and pilot.connected
    assert _sees(pilot, ("A", 0), ("A", 34), ("A", 35)) == "CCA" and not pilot.connected


def test_the_bare_boundaries_decide_at_first_and_280_mv_round_them_afterwards():
    """A.4.11."""
    for boundary, upper, lower in ((10_500, "A", "B"), (7_500, "B", "C"), (4_500, "C", "D"), (1_500, "D", "E")):
        assert PilotLevels().letter(boundary) == upper and PilotLevels().letter(boundary - 1) == lower
        levels = PilotLevels()
        seen = [levels.letter(boundary + difference) for difference in (500, -280, -281, 280, 281)]
        assert seen == [upper, upper, lower, lower, upper]


def test_what_a_generator_of_12_v_can_make():
    for millivolts, can in ((13_500, True), (13_501, False), (-3_000, True), (-3_001, False)):
        assert plausible(millivolts) == can


def test_a_rating_counts_after_100_ms():
    """Table B.2; the contacts of a plug that goes in bounce."""
    cable = Cable()
    assert cable.missing and not cable.usable and not cable.settling and cable.ma is None
    for ohm, now, changed, ma in (
        (220, 0, False, None),
        (220, 99, False, None),
        (220, 100, True, 32_000),
        (220, 200, False, 32_000),
        (680, 300, False, 32_000),
        (220, 320, False, 32_000),
        (680, 400, False, 32_000),
        (680, 500, True, 20_000),
    ):
        assert cable.see(ohm, now) is changed and cable.ma == ma, now
        assert cable.usable == (ma is not None) and not cable.missing
        assert cable.settling == (now in (0, 99, 300, 400)), now
    assert not cable.see(None, 600) and not cable.missing and not cable.settling
    assert cable.see(None, 700) and cable.missing


def test_a_rating_that_cannot_be_read_is_not_awaited():
    cable = Cable()
    assert not cable.see(10, 0) and not cable.settling and not cable.missing
    assert cable.see(10, 100) and cable.ma == 0 and not cable.usable and not cable.settling
    cable = Cable()
    cable.see(220, 0)
    cable.see(None, 20)
    assert cable.missing


def test_a_fixed_cable_is_always_there_locked_and_good():
    cable = FixedCable()
    cable.see(10, 0)
    cable.check(True, 0)
    cable.secure(False, False, 0)
    assert cable.usable and cable.locked and not cable.missing and not cable.unreadable
    assert cable.cable_ma is None and cable.drive is None


def test_a_state_that_was_half_entered_is_made_whole_by_the_next_sample():
    """V2: an exception between state and plug must not leave a vehicle that is there and not connected."""
    for state, connected in (("A", True), ("B", False), ("C", False)):
        pilot = PilotState(state, connected)
        pilot.see(_MV[state], 0)
        assert (pilot.state, pilot.connected) == (state, state != "A")
    for connected in (True, False):
        pilot = PilotState("E", connected)
        pilot.see(_MV["E"], 0)
        assert pilot.connected is connected
