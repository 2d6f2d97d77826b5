"""What the faces ask of the station: remote start and stop, availability, unlocking, reset, two connectors."""

import asyncio

from charging_bench import Bench
from harness import settle

from firmware.charging.session import UNLOCKED
from firmware.store.records import BEGIN, END
from firmware.store.tokens import TokenInfo


async def test_remote_start_with_authorisation():
    """OCPP 1.6 §5.11: as a local action; the answer is known at once."""
    bench = Bench()
    await bench.run()
    bench.plug()
    assert bench.station.remote_start("CARD", 1)
    assert not bench.station.remote_start("OTHER", 1)  # one at a time
    await bench.run(800)
    assert bench.transaction and bench.backend.asked == ["CARD"]


async def test_remote_start_of_a_refused_token():
    bench = Bench()
    await bench.run()
    bench.plug()
    assert bench.station.remote_start("STRANGER", 1)
    await bench.run(2_000)
    assert bench.transaction is None and bench.checks == [("STRANGER", "invalid", "csms")]
    assert bench.station.remote_start("CARD", 1)


async def test_remote_start_without_authorisation():
    bench = Bench(AuthorizeRemoteTxRequests=False)
    await bench.run()
    assert bench.station.remote_start("ANYTHING")
    assert bench.word == "waiting" and bench.backend.asked == []
    bench.plug()
    await bench.run(800)
    assert bench.transaction.token == "ANYTHING"


async def test_remote_start_where_it_cannot_be():
    bench = Bench()
    await bench.run()
    for token, connector in (("CARD", 0), ("CARD", 2), ("CARD", -1), ("CARD", "1"), ("", 1), ("x" * 37, 1), (None, 1)):
        assert not bench.station.remote_start(token, connector)
    bench.station.availability.change(1, False)
    assert not bench.station.remote_start("CARD", 1)
    bench.station.availability.change(1, True)
    await bench.charging()
    assert not bench.station.remote_start("OTHER", 1) and not bench.station.remote_start("OTHER")


async def test_remote_start_uses_a_plug_that_timed_out():
    """The operator names the connector: OCPP 1.6 §4.9 F2."""
    bench = Bench(2, ReadinessTimeOut=20)
    await bench.run()
    bench.plug(2)
    await bench.run(21_000)
    assert bench.station.remote_start("CARD", 2)
    await bench.run(800)
    assert bench.station.transaction(2)


async def test_remote_stop():
    bench = Bench()
    transaction = await bench.charging()
    assert not bench.station.remote_stop(transaction.number + 1)
    assert bench.station.remote_stop(transaction.number)
    await bench.run(1_000)
    assert bench.ends()[0][1] == "remote" and bench.records(END)[0].token is None
    assert not bench.station.remote_stop(transaction.number)
    assert not bench.evse.held and bench.word == "done"


async def test_refused_after_the_start_stops():
    """OCPP 1.6 §3.5.4, erratum 3.17: DeAuthorized, and the cable stays locked until the owner identifies."""
    bench = Bench()
    transaction = await bench.charging()
    bench.station.confirmed(transaction.number, "CARD", TokenInfo("invalid"))
    await bench.run(1_000)
    assert bench.ends()[0][1] == "deauthorised" and bench.word == "done"
    assert bench.evse.held and bench.cache.get("CARD").status == "invalid"
    assert await bench.station.swipe("OTHER") == "refused"
    assert bench.evse.held
    assert await bench.station.swipe("card") == "released"
    assert not bench.evse.held and bench.word == "done"


async def test_cable_of_a_refused_user_is_released_at_the_vehicle_or_by_the_group():
    bench = Bench()
    for release in ("unplug", "group"):
        bench.backend.tokens["CARD"] = TokenInfo("accepted", parent="FAMILY")
        bench.backend.tokens["OTHER"] = TokenInfo("accepted", parent="FAMILY")
        transaction = await bench.charging()
        bench.station.confirmed(transaction.number, "CARD", TokenInfo("blocked", parent="FAMILY"))
        await bench.run(1_000)
        assert bench.evse.held
        if release == "group":
            assert await bench.station.swipe("OTHER") == "released"
        else:
            bench.unplug_ev_side()
        assert not bench.evse.held
        bench.unplug()
        await bench.run(200)
        assert bench.word == "free"


async def test_refused_after_the_start_only_suspends():
    """OCPP 1.6 §3.5.4: StopTransactionOnInvalidId false."""
    bench = Bench(StopTransactionOnInvalidId=False)
    transaction = await bench.charging()
    bench.station.confirmed(transaction.number, "CARD", TokenInfo("expired"))
    assert bench.word == "suspended by station" and transaction.suspended and not bench.evse.permitted
    await bench.run(1_000)
    assert bench.ends() == []
    assert await bench.station.swipe("CARD") == "stop"


async def test_energy_for_an_invalid_token():
    """MaxEnergyOnInvalidId: counted from the refusal."""
    for stop in (True, False):
        bench = Bench(StopTransactionOnInvalidId=stop, MaxEnergyOnInvalidId=30)
        transaction = await bench.charging()
        await bench.flow(10)
        await bench.run(1_200)
        bench.station.confirmed(transaction.number, "CARD", TokenInfo("invalid"))
        await bench.flow(29)
        await bench.run(2_000)
        assert bench.word == "charging"
        await bench.flow(1)
        await bench.run(3_000)
        assert bench.word == ("done" if stop else "suspended by station")
        assert [reason for _, reason, _ in bench.ends()] == (["deauthorised"] if stop else [])


async def test_verdict_brings_the_parent():
    """OCPP 1.6 §3.10; and late verdicts only go to the cache."""
    bench = Bench()
    transaction = await bench.charging()
    bench.station.confirmed(transaction.number, "CARD", TokenInfo("accepted", parent="FAMILY"))
    bench.backend.tokens["OTHER"] = TokenInfo("accepted", parent="FAMILY")
    assert await bench.station.swipe("OTHER") == "stop"
    await bench.run(1_000)
    bench.station.confirmed(transaction.number, "CARD", TokenInfo("blocked"))
    bench.station.authoriser.learn("OTHER", TokenInfo("expired"))
    assert bench.cache.get("CARD").status == "blocked" and bench.cache.get("OTHER").status == "expired"


async def test_availability():
    """OCPP 1.6 §5.2: connector 0 is the station and all connectors; kept over restarts."""
    bench = Bench(2)
    await bench.run()
    station = bench.station
    assert station.availability.change(1, True) == "accepted"  # already so
    assert station.availability.change(2, False) == "accepted"
    assert [station.status(n).state for n in (0, 1, 2)] == ["free", "free", "out of service"]
    assert not bench.evses[1].available and bench.evses[0].available
    assert station.availability.change(0, False) == "accepted"
    assert [station.status(n).state for n in (0, 1, 2)] == ["out of service"] * 3
    bench = bench.power_cut()
    assert [bench.station.status(n).state for n in (0, 1, 2)] == ["out of service"] * 3
    assert not bench.evses[0].available
    assert bench.station.availability.change(0, True) == "accepted"
    assert [bench.station.status(n).state for n in (0, 1, 2)] == ["free"] * 3
    for n in (3, -1, None, "1"):
        assert bench.station.availability.change(n, False) == "rejected"


async def test_availability_waits_for_the_transaction():
    bench = Bench()
    await bench.charging()
    assert bench.station.availability.change(0, False) == "scheduled"
    assert bench.word == "charging" and bench.evse.available
    assert bench.station.status(0).state == "free"  # scheduled means the station, too
    assert bench.station.availability.change(1, True) == "accepted"
    assert bench.station.availability.change(1, False) == "scheduled"
    await bench.station.swipe("CARD")
    await bench.run(1_000)
    assert bench.words[-3:] == ["done", "out of service", "out of service"] and not bench.evse.available
    assert bench.station.status(0).state == "out of service"
    assert not bench.evse.held


async def test_availability_ends_a_usage_first():
    """E4.29: there is no step from Preparing to Unavailable."""
    bench = Bench()
    await bench.run()
    bench.plug()
    assert bench.station.availability.change(1, False) == "accepted"
    assert bench.words == ["waiting", "done", "out of service"]
    bench.station.availability.change(1, True)
    await bench.run(200)
    assert bench.word == "waiting"  # H2: the vehicle is still there
    await bench.station.swipe("CARD")
    await bench.run(800)
    assert bench.transaction


async def test_unlock():
    """OCPP 1.6 §5.18: the transaction ends first; without a reason it goes on and keeps its plug."""
    bench = Bench()
    await bench.charging()
    assert await bench.station.unlock(1) == "in use" and bench.evse.locked and bench.evse.charging
    unlock = asyncio.create_task(bench.station.unlock(1, UNLOCKED))
    await bench.run(2_000)
    assert await unlock == "unlocked"
    assert bench.ends()[0][1] == "unlocked"
    bench.unplug()
    await bench.run()
    bench.plug()
    await bench.run(200)
    assert bench.evse.locked  # LockEarly
    unlock = asyncio.create_task(bench.station.unlock(1))
    await bench.run(1_000)
    assert await unlock == "unlocked" and not bench.evse.held
    bench.evse.locked, bench.evse.lock_works = True, False
    unlock = asyncio.create_task(bench.station.unlock(1))
    await bench.run(7_000)
    assert await unlock == "failed" and bench.evse.lock_retries == 3  # §5.18: a new attempt each time


async def test_unlock_window():
    """Matrix C6.2: the plug can be taken for 30 s; if it stays, it is locked as before."""
    bench = Bench(UnlockWindow=30)
    await bench.run()
    bench.plug()
    await bench.run(200)
    assert bench.evse.locked  # LockEarly
    bench.station.connector(1).release_plug()
    await bench.run(29_000)
    assert not bench.evse.locked
    await bench.run(2_000)
    assert bench.evse.locked
    bench.station.connector(1).release_plug()
    bench.unplug()
    await bench.run(200)
    bench.plug()
    await bench.run(200)
    assert bench.evse.locked  # the next plug


async def test_plug_of_an_interrupted_transaction_is_free_when_the_power_is_back():
    for policy in (True, False):
        bench = Bench(UnlockAfterPowerLoss=policy)
        await bench.charging()
        bench = bench.power_cut()
        bench.plug()
        await bench.run(10_000)
        assert bench.ends()[0][1] == "power lost" and bench.word == "waiting"
        assert bench.evse.locked is not policy
        assert await bench.station.swipe("CARD") == "start"
        assert bench.evse.held


async def test_unlock_where_there_is_no_lock():
    """OCPP 1.6 erratum 3.85."""
    assert await Bench().station.unlock(2) == "not supported"
    assert await Bench(socket=False).station.unlock(1) == "not supported"


async def check_reset(hard, by, reason):
    bench = Bench()
    resets = []
    bench.station.operation.reset_requested.connect(lambda *args: resets.append(args + (bench.ends()[0][1],)))
    await bench.charging()
    assert bench.station.operation.request_reset(hard, by) and bench.station.operation.request_reset(True, "again")
    assert resets == [] and not bench.evse.permitted
    await bench.run(2_000)
    assert resets == [(hard, by, reason)]
    assert await bench.station.swipe("CARD") == "refused" and not bench.station.remote_start("CARD", 1)
    bench = bench.power_cut()
    await bench.run()
    assert len(bench.ends()) == 1 and len(bench.records(BEGIN)) == 1


async def test_reset_stops_and_writes_first():
    """OCPP 1.6 §5.14."""
    await check_reset(False, "csms", "soft reset")
    await check_reset(True, "csms", "hard reset")
    await check_reset(False, "portal", "reboot")


async def test_reset_retries_wait_for_the_transaction_again():
    """ResetRetries, OCPP 1.6 §9.1.21: a transaction whose end cannot be written is what makes a reset fail."""

    def refuse(*args):
        raise OSError(28)

    for retries, waited_ms in ((0, 10_000), (2, 30_000)):
        bench = Bench(ResetRetries=retries)
        await bench.charging()
        resets = []
        bench.station.operation.reset_requested.connect(lambda hard, by, resets=resets: resets.append(by))
        bench.journal.end = refuse
        bench.station.operation.request_reset(False, "csms")
        await bench.run(waited_ms - 1_000)
        assert resets == []
        await bench.run(2_000)
        assert resets == ["csms"]


async def test_two_connectors_and_one_reader():
    """The last one plugged in is authorised, the other has to be replugged; the same card ends its own session."""
    bench = Bench(2)
    await bench.run()
    bench.plug(2)
    await bench.run(1_000)
    bench.plug(1)
    await bench.station.swipe("CARD")
    await bench.run(800)
    assert bench.station.transaction(1) and not bench.station.transaction(2)
    assert bench.station.status(2).state == "done"
    assert await bench.station.swipe("OTHER") == "refused"
    bench.unplug(2)
    await bench.run(500)
    bench.plug(2)
    assert await bench.station.swipe("OTHER") == "start"
    await bench.run(800)
    assert bench.station.transaction(2).token == "OTHER"
    assert await bench.station.swipe("CARD") == "stop"
    assert bench.station.transaction(1).stopping and not bench.station.transaction(2).stopping


async def test_forgotten_cable_does_not_charge_on_a_strangers_card():
    """OCPP 1.6 erratum 3.20."""
    bench = Bench(2, ReadinessTimeOut=20)
    await bench.run()
    bench.plug(1)
    await bench.run(21_000)
    assert await bench.station.swipe("CARD") == "start"
    await bench.run(800)
    assert [bench.station.status(n).state for n in (1, 2)] == ["done", "waiting"]
    bench.plug(2)
    await bench.run(800)
    assert bench.station.transaction(2)


async def test_a_twin_is_ready_for_ten_minutes():
    """Matrix C7.3: from the plug, whatever ConnectionTimeOut says; then it must be plugged in again."""
    bench = Bench(2, ConnectionTimeOut=20)
    await bench.run()
    bench.plug(1)
    await bench.run(595_000)
    assert bench.station.status(1).state == "waiting"
    await bench.run(10_000)
    assert bench.station.status(1).state == "done"
    bench.settings.set("ConnectionTimeOut", 0, "system")
    assert await bench.station.swipe("CARD") == "refused"
    bench.unplug(1)
    await bench.run(200)
    bench.plug(1)
    await bench.run(590_000)
    assert await bench.station.swipe("CARD") == "start"


async def test_one_card_has_one_session():
    """Matrix C7.4: shown again it ends its session, and only then it starts one at the other connector."""
    bench = Bench(2)
    await bench.charging()
    bench.plug(2)
    assert await bench.station.swipe("CARD") == "stop"
    await bench.run(2_000)
    assert bench.transaction is None and bench.station.transaction(2) is None
    assert await bench.station.swipe("CARD") == "start"
    await bench.run(800)
    assert bench.transaction is None and bench.station.transaction(2).token == "CARD"


async def test_card_goes_where_the_plug_is():
    bench = Bench(2)
    await bench.run()
    await bench.station.swipe("CARD")
    assert bench.station.status(1).state == "waiting"
    bench.plug(2)
    await bench.run(800)
    assert bench.station.transaction(2).token == "CARD"
    assert bench.station.status(1).state == "free"


async def test_reader_serves_its_connectors_only():
    bench = Bench(2)
    await bench.run()
    bench.plug(1)
    await bench.station.swipe("CARD", (2,))
    await bench.run(800)
    assert not bench.station.transaction(1) and bench.station.status(2).state == "waiting"
    assert await bench.station.swipe("CARD", ()) == "refused"


async def test_card_shown_twice_while_it_is_checked():
    bench = Bench()
    await bench.run()
    bench.plug()
    first = asyncio.create_task(bench.station.swipe("CARD"))
    await asyncio.sleep(0)
    assert await bench.station.swipe("CARD") == "busy"
    await settle()
    assert await first == "start"
    assert await bench.station.swipe("CARD") == "busy"  # the transaction is about to begin
    await bench.run(800)
    assert bench.transaction and bench.backend.asked == ["CARD"]


async def test_place_is_free_once_the_plug_is_gone():
    """The transaction may wait for its meter for seconds; what is Available is so for every card, and for a plug."""
    for card in ("CARD", "OTHER"):
        for plug_first in (False, True):
            bench = Bench()
            old = await bench.charging()
            bench.meter.fails = True
            bench.unplug()
            assert bench.word == "free" and old.stopping
            if plug_first:
                bench.plug()
                assert bench.word == "waiting"
            assert await bench.station.swipe(card) == "start"
            if not plug_first:
                bench.plug()
            await bench.run(15_000)
            assert bench.transaction is not old and bench.transaction.token == card
            assert bench.words[2:4] == ["free", "waiting"] and "done" not in bench.words
            assert [tx for tx, _, _ in bench.ends()] == [old.number]


async def test_no_card_starts_where_the_connector_is_about_to_be_unavailable():
    bench = Bench()
    await bench.charging()
    assert bench.station.availability.change(1, False) == "scheduled"
    bench.unplug()
    assert await bench.station.swipe("CARD") == "refused"
    await bench.run(1_000)
    assert bench.word == "out of service"


async def test_reswipe_guard():
    """Matrix C5.3."""
    bench = Bench(ReswipeGuard=30)
    await bench.charging()
    assert await bench.station.swipe("CARD") == "busy"
    await bench.run(30_000)
    assert await bench.station.swipe("CARD") == "stop"


async def test_nonsense_is_refused_quietly():
    bench = Bench()
    await bench.run()
    for token in ("", "x" * 37, None, 17):
        assert await bench.station.swipe(token) == "refused"
    for n in (-1, 2, None, "1"):
        assert bench.station.connector(n) is None and bench.station.status(n) is None
        assert bench.station.transaction(n) is None and bench.station.meters.current(n) is None
        assert bench.station.meters.sample(n) is None
    assert not bench.station.remote_stop(None)
    bench.station.confirmed(99, "CARD", TokenInfo("blocked"))
    assert bench.backend.asked == [] and bench.word == "free"


async def test_faults_of_the_station_are_connector_zero():
    bench = Bench()
    bench.station.zero.raise_fault("reader_lost")
    assert bench.station.status(0).state == "free" and bench.station.status(0).fault.name == "reader_lost"
    bench.station.zero.raise_fault("other", "CODE", "text")
    assert bench.station.status(0).state == "faulted" and bench.word == "free"
    bench.station.zero.clear_fault("other")
    bench.station.zero.clear_fault("reader_lost")
    assert [word for n, word in bench.statuses if n == 0] == ["free", "faulted", "free", "free"]
