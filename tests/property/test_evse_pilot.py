"""Pilot decoding under noise: the state only moves when a boundary was crossed by more than the hysteresis."""

from hypothesis import given
from hypothesis import strategies as st

from firmware.evse.limits import MAX_PILOT_MA, MIN_PILOT_MA, STEADY, duty_for
from firmware.evse.pilot_levels import BOUNDARIES_MV, HYSTERESIS_MV, PilotLevels
from firmware.evse.pilot_state import PilotState
from tools.sim.world.circuit import offered_ma

LETTERS = "ABCDE"
millivolts = st.integers(-1_000, 13_000)


@given(st.lists(millivolts, min_size=2))
def test_no_level_changes_without_crossing_the_hysteresis(samples):
    levels = PilotLevels()
    before = LETTERS.index(levels.letter(samples[0]))
    for sample in samples[1:]:
        after = LETTERS.index(levels.letter(sample))
        for boundary in BOUNDARIES_MV[before:after]:  # on the way down
            assert sample < boundary - HYSTERESIS_MV
        for boundary in BOUNDARIES_MV[after:before]:  # on the way up
            assert sample > boundary + HYSTERESIS_MV
        before = after


@given(st.lists(millivolts), millivolts)
def test_history_is_forgotten_beyond_the_hysteresis(samples, last):
    levels = PilotLevels()
    for sample in samples:
        levels.letter(sample)
    if all(abs(last - boundary) > HYSTERESIS_MV for boundary in BOUNDARIES_MV):
        assert levels.letter(last) == PilotLevels().letter(last)


@given(
    st.sampled_from((12_000, 9_000, 6_000, 3_000, 0)),
    st.integers(-250, 250),
    st.lists(st.integers(-900, 900), min_size=50, max_size=50),
)
def test_noise_and_offset_within_the_margins_never_move_the_state(nominal, offset, noise):
    """Half the distance between two levels is 1.5 V; what the offset leaves of it less the hysteresis is free."""
    state = PilotState()
    now = 0
    while now < 1_000:
        state.see(nominal, now)
        now += 20
    settled = state.state
    for deviation in noise:
        state.see(nominal + offset + deviation, now)
        assert state.state == settled
        now += 20


@given(st.integers(MIN_PILOT_MA, MAX_PILOT_MA))
def test_a_vehicle_never_reads_more_than_the_rounding_above_the_limit(milliamps):
    duty = duty_for(milliamps)
    assert 1_000 <= duty <= 9_600
    assert offered_ma(duty) <= milliamps + 12


@given(st.integers(0, STEADY), st.integers(0, STEADY))
def test_more_duty_is_never_less_current_below_the_end_of_the_scale(one, other):
    low, high = sorted((one, other))
    if high <= 9_700:
        assert offered_ma(low) <= offered_ma(high)
