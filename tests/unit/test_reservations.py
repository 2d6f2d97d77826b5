"""Reservations in a running station (OCPP 1.6 §3.11, §4.8, §5.1, §5.13); each rule of trap 26 by name."""

from charging_bench import Bench, full_flash

from firmware.store.slots import Slots
from firmware.store.tokens import TokenInfo


async def bench_with(connectors=1, **settings):
    bench = Bench(connectors, **settings)
    await bench.run(1_000)
    bench.backend.tokens["MINE"] = TokenInfo("accepted", None, "GROUP")
    bench.backend.tokens["COUSIN"] = TokenInfo("accepted", None, "GROUP")
    return bench


def reserve(bench, n=1, number=7, token="MINE", parent=None, seconds=600):
    return bench.station.reservations.reserve(number, n, token, parent, bench.clock.now() + seconds)


def words(bench):
    return [c.status.state for c in bench.station.connectors]


async def begun(bench, token, n=1):
    """A vehicle comes and a card is shown; returns the transaction or None."""
    bench.plug(n)
    await bench.station.swipe(token, (n,))
    await bench.run(1_500)
    return bench.station.transaction(n)


async def test_reserved_until_its_user_comes():
    # §4.9 A7 and G2, §4.8: the transaction carries the number and ends the reservation
    bench = await bench_with()
    assert reserve(bench) == "accepted" and bench.word == "reserved"
    transaction = await begun(bench, "MINE")
    assert transaction.grant.reservation == 7
    assert [r.reservation for r in bench.records() if r.token] == [7]
    assert [w for w in bench.words if w != "charging"][:2] == ["reserved", "waiting"]
    assert not bench.station.reservations.cancel(7)


async def test_id_tokens_are_case_insensitive():
    # errata 3.74
    bench = await bench_with()
    bench.backend.tokens["mine"] = TokenInfo("accepted")
    reserve(bench)
    assert (await begun(bench, "mine")).grant.reservation == 7


async def test_nobody_else_may_charge():
    # §5.13; trap 26. MicroOcpp lets a remote start through.
    bench = await bench_with(AuthorizeRemoteTxRequests=False)
    reserve(bench)
    assert await begun(bench, "CARD") is None and bench.word == "reserved"
    assert not bench.station.remote_start("CARD", 1) and not bench.station.remote_start("CARD")
    assert bench.station.remote_start("MINE", 1)
    await bench.run(1_500)
    assert bench.transaction.grant.reservation == 7


async def test_free_charging_is_not_for_a_reserved_connector():
    bench = await bench_with(FreevendEnabled=True, FreevendIdTag="FREE")
    reserve(bench)
    bench.plug()
    await bench.run(2_000)
    assert bench.transaction is None and bench.word == "reserved"


async def test_a_plug_does_not_time_out_while_it_is_kept():
    # ConnectionTimeOut counts from Preparing (errata 3.89)
    bench = await bench_with(ConnectionTimeOut=20)
    reserve(bench)
    bench.plug()
    await bench.run(30_000)
    assert bench.word == "reserved"
    assert (await begun(bench, "MINE")).grant.reservation == 7


async def test_who_does_not_plug_in_keeps_the_reservation():
    bench = await bench_with(ConnectionTimeOut=20)
    reserve(bench)
    await bench.station.swipe("MINE")
    assert bench.word == "waiting"
    await bench.run(21_000)
    assert bench.word == "reserved"


async def test_the_group_may_use_it_once_the_back_end_has_told_it():
    # §5.13: a parent that is not known here is asked for; a token is never compared to the parent
    bench = await bench_with()
    reserve(bench, parent="GROUP")
    bench.backend.tokens["GROUP"] = TokenInfo("accepted")
    assert await begun(bench, "GROUP") is None
    assert (await begun(bench, "COUSIN")).grant.reservation == 7
    assert bench.backend.asked == ["GROUP", "COUSIN"]


async def test_a_remote_start_for_the_group_asks_first():
    bench = await bench_with(AuthorizeRemoteTxRequests=False)
    reserve(bench, parent="group")
    bench.plug()
    assert bench.station.remote_start("CARD", 1), "nobody knows yet"
    await bench.run(1_500)
    assert bench.transaction is None and bench.backend.asked == ["CARD"]
    assert bench.station.remote_start("COUSIN", 1)
    await bench.run(1_500)
    assert bench.transaction.grant.reservation == 7


async def test_the_parent_is_taken_from_the_list_or_the_cache():
    bench = await bench_with(LocalPreAuthorize=True)
    reserve(bench, parent="GROUP")
    bench.cache.put("COUSIN", TokenInfo("accepted", None, "GROUP"))
    assert (await begun(bench, "COUSIN")).grant.reservation == 7 and bench.backend.asked == []


async def test_expiry_makes_it_available():
    # §5.13 (2), G1
    bench = await bench_with()
    reserve(bench, seconds=60)
    await bench.run(58_000)
    assert bench.word == "reserved"
    await bench.run(2_500)
    assert bench.word == "free"
    assert (await begun(bench, "CARD")).grant.reservation is None


async def test_expiry_before_the_plug_comes_leaves_no_number():
    bench = await bench_with()
    reserve(bench, seconds=30)
    await bench.station.swipe("MINE")
    await bench.run(31_000)
    bench.plug()
    await bench.run(1_500)
    assert bench.transaction.grant.reservation is None


async def test_cancel():
    # §5.1
    bench = await bench_with()
    reserve(bench)
    assert not bench.station.reservations.cancel(8)
    assert bench.station.reservations.cancel(7) and bench.word == "free"
    assert not bench.station.reservations.cancel(7)


async def test_same_number_replaces():
    # §5.13; trap 26
    bench = await bench_with(2)
    reserve(bench)
    assert reserve(bench, 1, token="OTHER") == "accepted"
    assert await begun(bench, "MINE") is None
    bench.unplug()
    await bench.run(500)
    assert reserve(bench, 2, token="MINE") == "accepted" and words(bench) == ["free", "reserved"]
    await begun(bench, "CARD")
    assert reserve(bench, 1) == "occupied" and words(bench)[1] == "reserved", "what cannot be replaced stays"


async def test_occupied():
    # trap 26: reserved for anybody, even for the same user; and in use in any way
    bench = await bench_with()
    reserve(bench)
    assert reserve(bench, number=8) == "occupied" and reserve(bench, 0, number=8) == "occupied"
    bench.station.reservations.cancel(7)
    bench.plug()
    assert reserve(bench) == "occupied"
    await begun(bench, "CARD")
    assert reserve(bench) == "occupied" and reserve(bench, 0) == "occupied"


async def test_out_of_order():
    # §7.40
    bench = await bench_with(2)
    bench.station.availability.change(1, False)
    assert reserve(bench) == "unavailable" and reserve(bench, 0) == "accepted"
    bench.evses[1].raise_fault("cp_short")
    assert reserve(bench, 2) == "faulted" and reserve(bench, 0) == "faulted"
    bench.evses[1].clear_fault("cp_short")
    bench.station.zero.raise_fault("emergency_stop")
    assert reserve(bench, 2) == "faulted"
    bench.station.zero.clear_fault("emergency_stop")
    assert reserve(bench, 2) == "accepted"
    bench.station.availability.change(0, False)
    assert reserve(bench, 2) == "unavailable" and reserve(bench, 0) == "unavailable"


async def test_o11_the_connector_is_looked_at_before_the_request():
    """O11, OCPP 1.6 §5.13: Faulted, Unavailable, Occupied; only then Rejected for a time that has passed."""
    for seconds in (600, 0, -600):
        bench = await bench_with(2)
        assert reserve(bench, 3, seconds=seconds) == "rejected"
        free = reserve(bench, 2, seconds=seconds)
        assert free == ("accepted" if seconds > 0 else "rejected")
        bench.evse.raise_fault("other")
        bench.plug(2)
        assert reserve(bench, 1, seconds=seconds) == "faulted"
        assert reserve(bench, 2, seconds=seconds) == "occupied" and reserve(bench, 0, seconds=seconds) == "occupied"
        bench.evse.clear_fault("other")
        bench.station.availability.change(1, False)
        assert reserve(bench, 1, seconds=seconds) == "unavailable"
        bench.evses[1].raise_fault("emergency_stop")
        bench.unplug(2)
        await bench.run(200)
        assert reserve(bench, 2, seconds=seconds) == "faulted" and reserve(bench, 0, seconds=seconds) == "faulted"
        bench.station.zero.raise_fault("other")
        assert reserve(bench, 1, seconds=seconds) == "faulted"


async def test_rejected():
    bench = await bench_with(ReserveConnectorZeroSupported=False)
    assert reserve(bench, 0) == "rejected"
    assert reserve(bench, 2) == "rejected" and reserve(bench, -1) == "rejected"
    assert reserve(bench, seconds=0) == "rejected"
    assert bench.word == "free"


async def test_a_fault_or_being_out_of_service_ends_it():
    # §5.13 (3)
    for end in (
        lambda bench: bench.evse.raise_fault("cp_short"),
        lambda bench: bench.station.availability.change(1, False),
        lambda bench: bench.station.zero.raise_fault("emergency_stop"),
    ):
        for n in (1, 0):
            bench = await bench_with()
            assert reserve(bench, n) == "accepted"
            end(bench)
            await bench.run(200)
            assert not bench.station.reservations.cancel(7)


# -- connector 0


async def test_any_connector_may_be_used_and_the_last_one_is_kept():
    # §5.13; trap 26: no certain connector, but always one
    bench = await bench_with(2)
    assert reserve(bench, 0) == "accepted" and words(bench) == ["free", "free"]
    assert (await begun(bench, "CARD", 1)).grant.reservation is None
    await bench.run(200)
    assert words(bench)[1] == "reserved"
    assert await begun(bench, "OTHER", 2) is None
    assert (await begun(bench, "MINE", 2)).grant.reservation == 7
    assert not bench.station.reservations.cancel(7)


async def test_the_last_connector_is_free_again_when_another_one_is():
    bench = await bench_with(2)
    reserve(bench, 0)
    await begun(bench, "CARD", 1)
    await bench.station.swipe("CARD", (1,))
    await bench.run(10_000)
    bench.unplug(1)
    await bench.run(1_000)
    assert words(bench) == ["free", "free"]


async def test_two_strangers_at_once_do_not_take_both():
    bench = await bench_with(2)
    reserve(bench, 0)
    bench.plug(1)
    bench.plug(2)
    assert bench.station.remote_start("CARD", 1) is False, "no other one is free any more"
    bench.unplug(1)
    bench.unplug(2)
    await bench.run(500)
    assert bench.station.remote_start("CARD", 1)
    assert not bench.station.remote_start("OTHER", 2), "while the first one is still being authorised"


async def test_one_connector_and_connector_zero():
    # C21: a product with one connector that supports connector 0
    bench = await bench_with()
    assert reserve(bench, 0) == "accepted" and bench.word == "reserved"
    assert await begun(bench, "CARD") is None
    assert (await begun(bench, "MINE")).grant.reservation == 7


async def test_one_has_to_remain_for_connector_zero():
    bench = await bench_with(2)
    assert reserve(bench, 0, 1) == "accepted" and reserve(bench, 1, 2, "CARD") == "accepted"
    assert reserve(bench, 2, 3, "OTHER") == "occupied"
    await bench.run(200)
    assert words(bench) == ["reserved", "reserved"]


async def test_the_connector_that_is_kept_comes_before_a_strangers_plug():
    bench = await bench_with(2)
    reserve(bench, 2)
    bench.plug(1)
    await bench.station.swipe("MINE")
    assert words(bench)[1] == "waiting"
    bench.plug(2)
    await bench.run(1_500)
    assert bench.station.transaction(2).grant.reservation == 7 and bench.station.transaction(1) is None


async def test_a_card_shown_before_the_plug_does_not_open_a_reserved_connector():
    bench = await bench_with(2)
    reserve(bench, 2)
    await bench.station.swipe("CARD")
    bench.plug(2)
    await bench.run(1_500)
    assert bench.station.transaction(2) is None and words(bench)[1] == "reserved"
    bench.plug(1)
    await bench.run(1_500)
    assert bench.station.transaction(1).grant.reservation is None


# -- restart


async def test_it_is_kept_over_a_restart():
    bench = await bench_with(2)
    reserve(bench, 1, parent="GROUP")
    reserve(bench, 0, 8, "OTHER", seconds=20)
    bench = bench.power_cut()
    await bench.run(1_000)
    assert words(bench) == ["reserved", "reserved"]
    await bench.run(20_000)
    assert words(bench) == ["reserved", "free"]
    assert not bench.station.reservations.cancel(8) and bench.station.reservations.cancel(7)
    assert "reservations" not in bench.power_cut().station.features, "and the code is not loaded without need"


async def test_one_that_was_used_does_not_come_back():
    bench = await bench_with()
    reserve(bench)
    await begun(bench, "MINE")
    bench = bench.power_cut()
    bench.unplug()
    await bench.run(5_000)
    assert bench.word == "free"


async def test_a_flash_that_refuses_reserves_nothing():
    bench = await bench_with()
    with full_flash():
        assert reserve(bench) == "rejected" and bench.word == "free"


async def test_a_store_from_elsewhere_is_no_reason_to_stand_still():
    bench = await bench_with()
    for text in ("{", "[1]", "[[1]]", "{}"):
        Slots(bench.folder + "/reserved").save(text)
        bench = bench.power_cut()
        await bench.run(100)
        assert bench.word == "free" and reserve(bench, 0) == "accepted"
        bench.station.reservations.cancel(7)


async def test_the_end_of_a_reservation_is_not_late():
    # §5.13: Faulted has just been reported, and the back-end asks at once
    bench = await bench_with()
    reserve(bench)
    bench.evse.raise_fault("cp_short")
    assert bench.word == "faulted" and not bench.station.reservations.cancel(7)
