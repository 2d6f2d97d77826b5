"""Decoding of the control pilot: boundaries, hysteresis, diode (IEC 61851-1 tables A.2, A.4)."""

from firmware.evse.pilot_levels import (
    BOUNDARIES_MV,
    DIODE_MAX_MV,
    HYSTERESIS_MV,
    PilotLevels,
    diode_present,
    plausible,
)


def test_tolerance_bands_of_table_a2_decode_to_their_state():
    bands = (("A", 11_400, 12_600), ("B", 8_360, 9_560), ("C", 5_480, 6_490), ("D", 2_620, 3_250), ("E", -500, 500))
    for before in (12_000, 9_000, 6_000, 3_000, 0):
        for letter, low, high in bands:
            for millivolts in (low, (low + high) // 2, high):
                levels = PilotLevels()
                levels.letter(before)
                assert levels.letter(millivolts) == letter, (before, millivolts)


def test_a_level_on_the_boundary_does_not_flutter():
    for index, boundary in enumerate(BOUNDARIES_MV):
        upper, lower = "ABCDE"[index], "ABCDE"[index + 1]
        levels = PilotLevels()
        levels.letter(boundary + 1_000)
        for swing in (0, -HYSTERESIS_MV, HYSTERESIS_MV, -HYSTERESIS_MV):
            assert levels.letter(boundary + swing) == upper
        assert levels.letter(boundary - HYSTERESIS_MV - 1) == lower
        for swing in (0, HYSTERESIS_MV, -HYSTERESIS_MV, HYSTERESIS_MV):
            assert levels.letter(boundary + swing) == lower
        assert levels.letter(boundary + HYSTERESIS_MV + 1) == upper


def test_the_diode_holds_the_negative_half_wave():
    assert diode_present(-12_600) and diode_present(-11_400) and diode_present(DIODE_MAX_MV)
    assert not diode_present(DIODE_MAX_MV + 1) and not diode_present(-6_000) and not diode_present(0)
    assert not diode_present(None)


def test_what_no_generator_makes_is_not_plausible():
    assert plausible(12_600) and plausible(0) and plausible(-600)
    assert not plausible(None) and not plausible(15_000) and not plausible(-12_000)
