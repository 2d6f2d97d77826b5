"""The contactor against its command, to the millisecond: what the auxiliary contact says, and what the meter says."""

from evse_bench import Bench


def _opened(aux=True):
    """A contactor that was switched off 20 ms ago, and whose contact has stayed closed; it settles from now on."""
    bench = Bench()
    bench.aux = aux
    bench.charge()
    bench.welded = True
    bench.vehicle = "B"
    assert bench.opens(200) is not None
    bench.step()
    return bench


def _at(bench, name, *spans):
    """Steps by each of `spans` (ms); returns whether the fault was there after each."""
    found = []
    for ms in spans:
        bench.step(ms)
        found.append(name in bench.names)
    return found


def test_a_weld_is_one_after_a_second_and_the_debounce():
    assert _at(_opened(), "contactor_welded", 999, 1, 249, 1) == [False, False, False, True]


def test_a_contact_that_is_closed_at_power_on_is_a_weld_after_the_debounce():
    """The clock has run for a second before the first step: the coil has been without power at least as long."""
    bench = Bench(start=False)
    bench.welded = True
    assert _at(bench, "contactor_welded", 1_000, 249, 1) == [False, False, True]


def test_a_contact_that_opens_within_the_second_is_no_weld():
    bench = _opened()
    bench.step(999)
    bench.welded = False
    assert _at(bench, "contactor_welded", 1, 300, 300) == [False, False, False]


def test_a_contactor_that_does_not_close_is_known_after_a_second_and_the_debounce():
    bench = Bench()
    bench.stuck_open = True
    bench.machine.wishes.permitted = True
    bench.plug()
    bench.run(2_000)
    bench.vehicle = "C"
    assert bench.closes(1_000) is not None
    bench.step()
    assert _at(bench, "contactor_stuck_open", 999, 1, 249, 1) == [False, False, False, True]
    assert not bench.out.close


def test_a_contact_is_believed_and_not_the_meter_where_there_is_one():
    bench = _opened()
    bench.welded = False
    assert _read(bench, (2_000, 16_000), (1_000, 16_001), (1_000, 16_002), (1_000, 16_003)) == [[]] * 4


def _read(bench, *readings, energy=None):
    """Takes readings, each (ms since the last one, mA of one phase); returns the names after each and its debounce."""
    found = []
    for ms, milliamps in readings:
        bench.inputs.currents_ma = None if milliamps is None else (0, milliamps, 0)
        bench.inputs.energy_wh = energy
        bench.step(ms - 250)
        bench.step(250)
        found.append([name for name in bench.names if name != "overcurrent_blind"])
    return found


_WELD = ["contactor_welded"]


def test_two_readings_of_a_moving_load_are_a_weld():
    bench = _opened(aux=False)
    assert _read(bench, (3_250, 16_000), (1_000, 16_001)) == [[], _WELD]


def test_readings_count_from_3_s_after_the_opening_on():
    for ms, seen in ((2_999, []), (3_000, _WELD)):
        bench = _opened(aux=False)
        bench.inputs.currents_ma = (0, 16_000, 0)
        bench.step(ms)
        assert _read(bench, (1_000, 16_001)) == [seen], ms


def test_a_load_is_more_than_1_a():
    for milliamps, seen in ((1_000, []), (1_001, _WELD)):
        bench = _opened(aux=False)
        assert _read(bench, (3_250, milliamps), (1_000, milliamps), energy=1) == [[], []]
        assert _read(bench, (1_000, milliamps), energy=2) == [seen], milliamps


def test_the_first_load_has_not_moved_by_being_another_one_than_what_was_before():
    bench = _opened(aux=False)
    assert _read(bench, (3_250, 0), (1_000, 16_000), (1_000, 16_000)) == [[], [], []]
    assert _read(bench, (1_000, 0), (1_000, 16_000), (1_000, 16_000)) == [[], [], []]


def test_a_register_that_counts_is_a_load_that_moves():
    bench = _opened(aux=False)
    assert _read(bench, (3_250, 16_000), (1_000, 16_000), energy=1) == [[], []]
    assert _read(bench, (1_000, 16_000), energy=2) == [_WELD]


def test_a_reading_without_load_or_none_at_all_begins_the_counting_anew():
    for between in (0, None):
        bench = _opened(aux=False)
        assert _read(bench, (3_250, 16_000), (1_000, between), (1_000, 16_001)) == [[], [], []], between
        assert _read(bench, (1_000, 16_002)) == [_WELD]
        assert _read(bench, (1_000, between)) == [_WELD], "until the vehicle is unplugged"


def test_a_weld_that_the_meter_shows_is_over_with_the_load():
    bench = _opened(aux=False)
    assert _read(bench, (3_250, 16_000), (1_000, 16_001)) == [[], _WELD]
    bench.inputs.currents_ma = (0, 0, 0)
    bench.unplug()
    bench.run(500)
    assert bench.names == []
    assert _read(bench, (1_000, 16_000), (1_000, 16_000)) == [[], []], "the old load has moved, not this one"


def test_a_reading_counts_once():
    bench = _opened(aux=False)
    assert _read(bench, (3_250, 16_000)) == [[]]
    bench.run(3_000)
    assert bench.names == []


def test_a_meter_stands_at_the_fifth_reading_of_a_current_that_cannot_flow():
    """M2."""
    for aux in (True, False):
        bench = _opened(aux)
        bench.welded = False
        assert _read(bench, (3_250, 16_000), *[(1_000, 16_000)] * 3) == [[]] * 4, aux
        assert _read(bench, (1_000, 16_000)) == [["meter_frozen"]], aux


def test_a_welded_contactor_is_no_meter_that_stands():
    for aux in (True, False):
        bench = _opened(aux)
        assert _read(bench, (3_250, 16_000), *[(1_000, 16_000 + i) for i in range(1, 6)])[-1] == _WELD, aux


def test_a_load_before_the_next_closing_is_none_after_it():
    bench = _opened(aux=False)
    bench.welded = False
    assert _read(bench, (3_250, 16_000)) == [[]]
    bench.vehicle = "C"
    assert bench.closes(5_000) is not None
    bench.inputs.currents_ma = (0, 16_000, 0)
    bench.run(1_000)
    bench.vehicle = "B"
    assert bench.opens(200) is not None
    bench.step()
    assert _read(bench, (3_250, 16_001)) == [[]]
