"""Which readings of the energy register are believed and billed (M1; OCPP 1.6 erratum 3.77)."""

from firmware.charging.register import BELIEVED, DOUBTED, REBASED, WITHDRAWN, Register

# 7.2 kW are 2 Wh a second.
_SUPPLY_W = 7_200


def counting(raw=1_000):
    """Returns a register that has counted at 1 Wh a second for 3 s, and where the meter and the time stand."""
    register = Register(_SUPPLY_W)
    for i in range(4):
        assert register.take(raw + i, i * 1_000, 3_600) == BELIEVED
    return register, raw + 3, 3_000


def play(register, raw, ms, jumps, watts=3_600):
    """Reads once a second while 1 Wh a second flows; `jumps` are added to what the meter would show."""
    events = []
    for jump in jumps:
        raw += watts // 3_600
        ms += 1_000
        events.append(register.take(raw + jump, ms, watts))
    return raw, ms, events


def test_a_hiccup_of_a_second_is_not_believed():
    """M1: up and down, small and large."""
    for jump in (60_000, -50_000, 20, -20, 2**40, -1_003):
        register, raw, ms = counting()
        raw, ms, events = play(register, raw, ms, (jump, jump))
        assert register.wh == 1_003 and register.in_doubt and events == [DOUBTED, DOUBTED], jump
        raw, ms, events = play(register, raw, ms, (0,))
        assert register.wh == raw and not register.in_doubt and events == [BELIEVED], jump


def test_a_register_that_stays_elsewhere_counts_on_without_its_jump():
    """M1: a meter that was exchanged, reset or has wrapped; the flow that nothing counted is that of the last power."""
    for jump in (60_000, -50_000, 20, -20, -1_003):
        register, raw, ms = counting()
        raw, ms, events = play(register, raw, ms, (jump,) * 6)
        assert REBASED in events[2:4] and events[-1] == BELIEVED, (jump, events)
        assert register.wh == raw and register.offset == -jump
        raw, ms, _ = play(register, raw, ms, (jump,) * 600)
        assert register.wh == raw
        register.close()
        assert register.wh == raw + jump and register.offset == 0, "outside of a transaction the meter is right"


def test_a_register_that_comes_back_withdraws_its_rebasing():
    """M1: -50 000 Wh for 5 s, and for an hour."""
    for seconds in (5, 60, 3_600):
        register, raw, ms = counting()
        raw, ms, events = play(register, raw, ms, (-50_000,) * seconds)
        assert REBASED in events
        raw, ms, events = play(register, raw, ms, (0, 0))
        assert events == [DOUBTED, WITHDRAWN] and register.wh == raw and register.offset == 0


def test_a_register_that_stood_still_elsewhere_has_missed_nothing_when_it_is_back():
    """M1: a gateway that answers zeros for a while."""
    register, raw, ms = counting()
    for i in range(20):
        register.take(0, ms + 1_000 * i, 0)
    assert register.wh in (1_003, 1_004) and register.offset
    raw, ms = raw + 20, ms + 20_000
    raw, ms, events = play(register, raw, ms, (0, 0))
    assert events[-1] == WITHDRAWN and register.wh == raw


def test_jumps_to_and_fro_add_nothing():
    """M1: repeated."""
    register, raw, ms = counting()
    for jump in (500, -700, 500, 60_000, -700, 0) * 20:
        raw, ms, _ = play(register, raw, ms, (jump,) * 7)
    raw, ms, _ = play(register, raw, ms, (0,) * 7)
    assert abs(register.wh - raw) <= 2


def test_a_wrong_reading_in_a_register_that_was_rebased_is_not_taken_for_its_return():
    register, raw, ms = counting()
    raw, ms, _ = play(register, raw, ms, (60_000,) * 3_600)
    raw, ms, events = play(register, raw, ms, (10_000, 60_000))
    assert events == [DOUBTED, BELIEVED] and register.wh == raw
    raw, ms, _ = play(register, raw, ms, (10_000,) * 6)
    raw, ms, _ = play(register, raw, ms, (60_000,) * 6)
    assert register.wh == raw


def test_garbage_is_never_billed():
    """M1: no two readings fit together."""
    register, raw, ms = counting()
    garbage = 12_345
    for i in range(100):
        garbage = garbage * 1_103_515_245 % 2**31
        register.take(garbage, ms + (i + 1) * 1_000, 3_600)
        assert register.wh == 1_003
    raw, ms = raw + 100, ms + 100_000
    play(register, raw, ms, (0, 0))
    assert register.wh == raw + 2


def test_a_meter_that_was_silent_for_an_hour_may_have_counted_for_an_hour():
    """M1: supply x time. More is another meter's past."""
    for gained, billed in ((6_000, 6_000), (9_000, 0), (-500, 0)):
        register, raw, ms = counting()
        ms += 3_600_000
        raw += gained
        assert register.take(raw, ms, 0) == DOUBTED, "a second reading has to agree"
        for _ in range(4):
            ms += 1_000
            register.take(raw, ms, 0)
        assert register.wh == 1_003 + billed


def test_the_answer_may_take_its_time():
    register, raw, ms = counting()
    assert register.take(raw + 5, ms + 1_000, 7_200, True, 1_500) == BELIEVED


def test_a_coarse_register_moves_in_steps_that_the_power_explains():
    """A step of 100 Wh in a second cannot flow, but it can have flowed since the last step."""
    for resolution_wh in (100, 1):
        register = Register(_SUPPLY_W, resolution_wh)
        for second in range(1_000):
            register.take(second // 100 * 100, second * 1_000, 3_600)
        register.take(1_000, 1_000_000, 3_600)
        assert register.wh == 1_000, resolution_wh


def test_noise_is_waited_for():
    """A register that falls back by less than flows in a second catches up; it gives nothing twice."""
    register, raw, ms = counting()
    for _ in range(100):
        raw, ms, events = play(register, raw, ms, (1, -1), 0)
    assert register.wh <= raw + 1 and not register.in_doubt


def test_outside_of_a_transaction_the_meter_is_right_but_for_hiccups():
    """M1: between sessions."""
    register = Register(_SUPPLY_W)
    register.take(1_000, 0, 0, False)
    assert register.take(7, 1_000, 0, False) == DOUBTED and register.wh == 1_000
    assert register.take(1_000, 2_000, 0, False) == BELIEVED and register.wh == 1_000
    events = [register.take(7, 3_000 + 1_000 * i, 0, False) for i in range(4)]
    assert events == [DOUBTED, DOUBTED, DOUBTED, REBASED] and (register.wh, register.offset) == (7, 0)
    assert register.take(6, 8_000, 0, False) == BELIEVED and register.wh == 6


def test_the_past_of_a_meter_that_answers_late_is_not_counted():
    register = Register(_SUPPLY_W)
    register.assume(0)
    register.take(456_000, 0)
    assert (register.wh, register.offset) == (0, -456_000)
    register.take(456_002, 1_000)
    assert register.wh == 2
    register.close()
    assert (register.wh, register.offset) == (456_002, 0)
    register = Register(_SUPPLY_W)
    register.assume(0)
    register.close()
    assert register.wh is None, "nobody has seen it"
