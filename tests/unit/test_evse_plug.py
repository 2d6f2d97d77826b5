"""Cable rating and plug lock (IEC 61851-1 table B.2, D.6.5)."""

from evse_bench import Bench

from firmware.evse.cable import rating_ma


def test_ratings_and_the_bands_round_them():
    for ohm, milliamps in (
        (1_500, 13_000), (680, 20_000), (220, 32_000), (100, 63_000), (1_000, 13_000), (999, 20_000), (330, 20_000),
        (329, 32_000), (150, 32_000), (149, 63_000), (0, 0), (59, 0), (2_700, 0), (4_499, 0),
    ):  # fmt: skip
        assert rating_ma(ohm) == milliamps, ohm
    assert rating_ma(4_500) is None and rating_ma(None) is None


def test_the_cable_limits_the_offer():
    for ohm, milliamps in ((1_500, 13_000), (680, 20_000), (220, 32_000), (100, 48_000)):
        bench = Bench(supply_ma=48_000)
        bench.machine.wishes.permitted = True
        bench.plug(ohm=ohm)
        bench.run(2_000)
        assert bench.machine.offered_ma == milliamps, ohm
        bench.unplug()
        bench.run(1_000)
        assert bench.limits.get("cable") is None


def test_an_unreadable_cable_is_refused_and_given_back():
    for ohm in (None, 10, 3_000):
        bench = Bench()
        bench.machine.wishes.permitted = True
        bench.machine.wishes.hold_plug = True
        bench.plug(ohm=ohm)
        bench.run(1_000)
        bench.vehicle = "C"
        assert bench.closes(10_000) is None and not bench.pwm
        assert bench.names == ["pp_invalid"] and not bench.locked
        bench.unplug()
        bench.run(1_000)
        assert bench.names == []


def test_a_cable_that_is_first_read_behind_a_held_loop_is_good():
    """The pilot is read every 20 ms, proximity more rarely: a TLS handshake may come between the two."""
    bench = Bench()
    bench.plug(ohm=None)
    bench.run(100)
    bench.inputs.proximity_ohm = 220
    bench.step(2_000)
    bench.run(1_000)
    assert bench.names == [] and bench.machine.plug.cable_ma == 32_000


def test_a_plug_that_goes_while_out_of_service_is_no_bad_cable():
    """In state F the pilot does not show that the vehicle has gone: proximity alone does."""
    bench = Bench()
    bench.plug()
    bench.run(500)
    bench.machine.wishes.available = False
    bench.run(10_000)
    bench.unplug()
    bench.run(2_000)
    assert bench.names == []
    bench.machine.wishes.available = True
    bench.run(2_000)
    assert bench.names == [] and bench.machine.state == "A"


def test_a_cable_that_becomes_unreadable_while_charging():
    bench = Bench()
    bench.charge()
    bench.inputs.proximity_ohm = 10
    bench.step()
    assert bench.opens(1_000) is not None
    assert bench.names == ["pp_invalid"]


def test_a_fixed_cable_needs_neither_proximity_nor_lock():
    bench = Bench(fixed_cable=True)
    bench.machine.wishes.permitted = True
    bench.vehicle = "B"
    bench.run(2_000)
    bench.vehicle = "C"
    assert bench.closes(3_000) is not None
    assert bench.machine.offered_ma == 32_000 and bench.out.lock is None


def test_held_plug_is_locked_and_a_released_one_unlocked():
    bench = Bench()
    bench.plug()
    bench.run(2_000)
    assert not bench.locked
    bench.machine.wishes.hold_plug = True
    bench.run(500)
    assert bench.locked
    bench.machine.wishes.hold_plug = False
    bench.run(500)
    assert not bench.locked


def test_an_empty_socket_is_not_locked():
    bench = Bench()
    bench.machine.wishes.hold_plug = True
    bench.run(2_000)
    assert not bench.out.lock


def test_a_held_cable_stays_locked_when_only_the_vehicle_goes():
    bench = Bench()
    bench.machine.wishes.hold_plug = True
    bench.charge()
    bench.vehicle = "A"
    bench.run(2_000)
    assert bench.locked


def test_the_plug_is_not_released_while_the_contactor_is_closed():
    bench = Bench()
    bench.charge()
    bench.machine.wishes.hold_plug = False
    bench.machine.wishes.permitted = False
    bench.run(3_000)
    assert bench.out.close and bench.locked
    bench.vehicle = "B"
    bench.run(1_000)
    assert not bench.out.close and not bench.locked


def test_the_bolt_stays_where_it_is_until_somebody_decides():
    """After a power cut with a locked plug the policy decides, not the order in which the parts start."""
    bench = Bench(start=False)
    bench.lock_jammed = True
    bench.plug()
    bench.run(5_000)
    assert bench.out.lock is None and bench.names == []


def test_closes_only_when_the_lock_is_confirmed():
    bench = Bench()
    bench.lock_jammed = False
    bench.machine.wishes.permitted = True
    bench.plug()
    bench.run(1_000)
    bench.vehicle = "C"
    assert bench.until(lambda: bench.out.close or "lock_failed" in bench.names, 20_000) is not None
    assert not bench.out.close


def test_three_tries_with_a_pause_then_a_fault():
    bench = Bench()
    bench.lock_jammed = False
    bench.machine.wishes.hold_plug = True
    bench.plug()
    bench.run(60)
    tries = []
    driven = False
    start = bench.now
    while "lock_failed" not in bench.names and bench.now - start < 30_000:
        bench.step()
        if bench.out.lock and not driven:
            tries.append(bench.now)
        driven = bench.out.lock
    # The first try began with the plug; the bench looks from 60 ms on.
    assert len(tries) == 3
    assert all(1_600 <= tries[i + 1] - tries[i] <= 1_900 for i in range(2))
    assert bench.now - start <= 4_600, "V10: known within 5 s"
    assert not bench.out.lock  # the plug is given back
    bench.lock_jammed = None
    bench.unplug()
    bench.run(1_000)
    assert bench.names == []
    bench.charge()


def test_a_lock_that_frees_itself_on_the_third_try_is_no_fault():
    bench = Bench()
    bench.lock_jammed = False
    bench.machine.wishes.hold_plug = True
    bench.plug()
    bench.run(3_000)
    assert bench.names == []
    bench.lock_jammed = None
    bench.run(2_000)
    assert bench.locked and bench.machine.plug.locked and bench.names == []


def test_a_lock_that_opens_while_charging_opens_the_contactor():
    bench = Bench()
    bench.charge()
    bench.lock_jammed = False
    elapsed = bench.opens(2_000)
    assert 250 <= elapsed <= 320


def test_a_chattering_feedback_does_not_open_the_contactor():
    bench = Bench()
    bench.charge()
    for _ in range(20):
        bench.lock_jammed = False
        bench.run(100)
        bench.lock_jammed = None
        bench.locked = True
        bench.run(100)
    assert bench.out.close


def _bench_with_a_jammed_bolt():
    """Returns a Bench whose plug is locked, is to be free, and cannot."""
    bench = Bench()
    bench.machine.wishes.hold_plug = True
    bench.plug()
    bench.run(1_000)
    bench.lock_jammed = True
    bench.machine.wishes.hold_plug = False
    return bench


def test_a_bolt_that_does_not_come_out_fails_and_can_be_tried_again():
    bench = _bench_with_a_jammed_bolt()
    assert bench.until(lambda: "lock_failed" in bench.names, 20_000) is not None
    bench.lock_jammed = None
    bench.locked = True
    bench.machine.plug.retry_lock()
    bench.run(3_000)
    assert not bench.locked


def test_unplugging_at_the_vehicle_gives_a_bolt_that_did_not_come_out_another_round():
    """The fault's recovery is unplugging; until then nobody can take the cable out of the socket."""
    bench = _bench_with_a_jammed_bolt()
    bench.run(12_000)
    assert bench.names == ["lock_failed"] and not bench.out.lock
    bench.run(5_000)
    assert not bench.out.lock, "it has given up for now"
    bench.vehicle = "A"
    assert bench.until(lambda: bench.out.lock, 1_000) is not None, "the motor pulls once more, the other way first"
    assert bench.until(lambda: not bench.out.lock, 2_000) is not None
    bench.lock_jammed = None
    bench.run(1_000)
    assert bench.names == [] and not bench.locked


def test_a_bolt_that_is_jammed_in_an_empty_socket_is_pulled_at_again_and_again():
    bench = _bench_with_a_jammed_bolt()
    bench.unplug()
    bench.run(30_000)
    for _ in range(2):
        assert bench.names == ["lock_failed"], "it stays one fault, however often the motor pulls"
        assert bench.until(lambda: bench.out.lock, 35_000) is not None, "the other way first"
        assert bench.until(lambda: not bench.out.lock, 2_000) is not None
    bench.lock_jammed = None
    bench.run(1_000)
    assert bench.names == [] and not bench.locked
