"""Cards: the same one read twice, ids that are no identity; and what ends at a reset."""

import asyncio

from charging_bench import Bench

from firmware.charging.authorisation import is_made_up
from firmware.charging.session import UNLOCKED
from firmware.store.registry import SETTINGS


def guarded(**settings):
    """Returns a Bench with the guard as delivered."""
    settings.setdefault("ReswipeGuard", SETTINGS.find("ReswipeGuard").default)
    return Bench(**settings)


async def test_m7_the_same_card_twice_starts_once():
    """M7: with the plug in."""
    for gap_ms in (300, 1_200, 2_800):
        bench = guarded()
        await bench.run()
        bench.plug()
        assert await bench.station.swipe("CARD") == "start"
        await bench.run(gap_ms)
        assert await bench.station.swipe("card") == "busy"
        await bench.run(2_000)
        assert bench.transaction and not bench.transaction.stopping, gap_ms
        await bench.run(2_000)
        assert await bench.station.swipe("CARD") == "stop"


async def test_m7_the_same_card_twice_before_the_plug():
    """M7: the second look of the reader is no second presentation (OCPP 1.6 §4.9 B1); after the guard it is one."""
    bench = guarded(connectors=2)
    await bench.run()
    assert await bench.station.swipe("CARD") == "start"
    await bench.run(1_200)
    assert await bench.station.swipe("CARD") == "busy"
    bench.plug(2)
    await bench.run(800)
    assert bench.station.transaction(2)
    assert await bench.station.swipe("OTHER") == "start"
    await bench.run(3_000)
    assert await bench.station.swipe("OTHER") == "cancelled"


async def test_m7_a_card_that_stops_does_not_start_again():
    bench = guarded()
    await bench.charging()
    await bench.run(5_000)
    assert await bench.station.swipe("CARD") == "stop"
    await bench.run(2_000)
    assert bench.transaction is None and await bench.station.swipe("CARD") == "busy"
    await bench.run(1_000)
    assert await bench.station.swipe("CARD") == "start"


async def test_m7_others_are_not_held_up_by_it():
    """M7: a card that was refused may be shown again at once, another card of the group may stop, 0 is no guard."""
    bench = guarded()
    await bench.run()
    bench.plug()
    assert await bench.station.swipe("STRANGER") == "refused"
    bench.backend.tokens["STRANGER"] = bench.backend.tokens["CARD"]
    for token in ("STRANGER", "OTHER"):
        bench.backend.tokens[token].parent = "FAMILY"
    assert await bench.station.swipe("STRANGER") == "start"
    await bench.run(800)
    assert await bench.station.swipe("OTHER") == "stop"
    bench = Bench(ReswipeGuard=0)
    await bench.charging()
    assert await bench.station.swipe("CARD") == "stop"


def test_m8_which_ids_are_made_up():
    """M8, ISO 14443-3 §6.5.4; in the form in which the readers hand them in."""
    assert is_made_up("08A1B2C3") and is_made_up("08a1b2c3")
    for token in ("04A1B2C3", "08A1B2C", "08A1B2C3D4", "08A1B2C3D4E5F6", "08A1B2CX", "A1B2C308", "", "8" * 20):
        assert not is_made_up(token), token
    assert is_made_up("C3B2A108", reverse=True) and not is_made_up("08A1B2C3", reverse=True)
    assert is_made_up("08A1B2C3000000", shorten=False) and is_made_up("C3B2A108000000", True, False)
    assert not is_made_up("08A1B2C3D4E5F6", shorten=False) and not is_made_up("08A1B2C3000000")


async def test_m8_a_made_up_id_is_refused_wherever_it_comes_from():
    for accepted in (False, True):
        bench = Bench(AcceptRandomUIDs=accepted, AllowOfflineTxForUnknownId=True)
        bench.backend.tokens["08A1B2C3"] = bench.backend.tokens["CARD"]
        await bench.run()
        bench.plug()
        assert await bench.station.swipe("08A1B2C3") == ("start" if accepted else "refused")
        await bench.run()
        assert bool(bench.transaction) is accepted and bool(bench.backend.asked) is accepted
        assert [status for _, status, _ in bench.checks] == ["accepted" if accepted else "invalid"]


async def test_m8_the_back_ends_own_tokens_are_no_cards():
    """M8: a remote start with a token of that form works, and so does a card that is reversed into it."""
    bench = Bench(AuthorizeRemoteTxRequests=False, ReverseUIDs=True)
    bench.backend.tokens["08CCBBAA"] = bench.backend.tokens["CARD"]
    await bench.run()
    bench.plug()
    assert await bench.station.swipe("08CCBBAA") == "start"  # AABBCC08
    bench = Bench(AuthorizeRemoteTxRequests=False)
    await bench.run()
    bench.plug()
    assert bench.station.remote_start("08A1B2C3", 1)
    await bench.run()
    assert bench.transaction.token == "08A1B2C3"


async def test_what_waits_for_a_plug_ends_at_a_reset():
    """OCPP 1.6 §4.9 B1: a grant ends with the usage, and a plug without one stays what it is."""
    bench = Bench(2)
    await bench.run()
    bench.plug(1)
    bench.station.remote_start("CARD", 2)
    await bench.run()
    assert bench.station.connector(2).usage.grant
    bench.station.operation.request_reset(False, "csms")
    assert bench.station.connector(2).usage.grant is None
    assert [bench.station.status(n).state for n in (1, 2)] == ["waiting", "free"]


async def test_m2_a_meter_that_stands_still_keeps_no_plug():
    """M2: only the meter says that current flows; the end is written and the plug let go of within 5 s."""
    for connectors in (1, 2):
        for stop in ("unplug", "card", "unlock"):
            bench = Bench(connectors)
            await bench.charging()
            bench.meter.draws_w = 3_680
            await bench.run(1_500)
            assert bench.meter.draws_w and bench.evse.charging
            bench.evse.set_state("B")
            if stop == "card":
                assert await bench.station.swipe("CARD") == "stop"
            elif stop == "unlock":
                asyncio.create_task(bench.station.unlock(1, UNLOCKED))
            await bench.run(500)
            bench.unplug_ev_side()
            await bench.run(4_500)
            assert bench.transaction is None and len(bench.ends()) == 1, stop
            assert not bench.evse.held and not bench.evse.locked, stop
            assert bench.evse.meter.currents_ma[0] > 10_000
