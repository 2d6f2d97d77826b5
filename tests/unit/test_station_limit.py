"""Several vehicles below one limit: who gets what, and what becomes of the current that one does not use (§3.13.3)."""

from charging_bench import Bench
from charging_profiles import profile

from firmware.charging.composite import STATION
from firmware.charging.sharing import split
from firmware.kernel.reading import Reading
from firmware.store.tokens import TokenInfo


async def both_charge(total, *defaults):
    """Two connectors charge below a limit of the station, the second began later."""
    bench = Bench(2)
    await bench.run(100)
    bench.station.schedules.install(profile(1, 0, STATION, start=0, periods=(0, total, 0)))
    for i, limit in enumerate(defaults):
        bench.station.schedules.install(profile(10 + i, i + 1, periods=(0, limit, 0)))
    for n, token in ((1, "CARD"), (2, "OTHER")):
        bench.plug(n)
        await bench.station.swipe(token, (n,))
        await bench.run(800)
        bench.evses[n - 1].set_state("C")
        await bench.run(20_000)
    return bench


def offers(bench):
    return [evse.offered_ma for evse in bench.evses]


async def test_one_vehicle_gets_all_that_the_station_has():
    bench = Bench(2)
    bench.station.schedules.install(profile(1, 0, STATION, start=0, periods=(0, 200, 0)))
    await bench.charging()
    assert bench.evses[0].offered_ma == 20_000 and bench.evse.limit == (20_000, "station")


async def test_the_sum_of_all_connectors_stays_below_the_limit_of_the_station():
    # §3.13.3; trap 33
    assert offers(await both_charge(200)) == [10_000, 10_000]
    assert offers(await both_charge(300, 80, 160)) == [8_000, 16_000]
    assert offers(await both_charge(100)) == [10_000, 0], "the second one waits"


async def test_what_one_gives_up_goes_to_the_other_when_the_vehicle_has_followed():
    # a vehicle has 5 s to draw less: until then the sum of what may flow would be too much
    bench = Bench(2)
    await bench.run(100)
    bench.station.schedules.install(profile(1, 0, STATION, start=0, periods=(0, 320, 0)))
    await bench.charging()
    bench.plug(2)
    bench.evses[1].set_state("C")
    await bench.station.swipe("OTHER", (2,))
    await bench.run(1_500)
    assert offers(bench) == [16_000, 0]
    await bench.run(6_000)
    assert offers(bench) == [16_000, 16_000]


async def test_a_pause_of_one_connector_ends_when_its_own_limit_says_so():
    """V6, V8: what it gave up in the pause after a fault went to the other one, which draws all of it and goes on."""
    for slot, pause_ma in (("recovery", 0), ("temperature", 6_000), ("voltage", 8_000)):
        bench = await both_charge(320)
        bench.meters[0].draws_w, bench.meters[1].draws_w = 230 * 16, 230 * 32
        limits = bench.evses[0].limits
        limits.set(slot, pause_ma)
        await bench.run(20_000)
        assert offers(bench) == [pause_ma, 32_000 - pause_ma], slot
        await bench.run(70_000)
        limits.clear(slot)
        await bench.run(8_000)
        assert offers(bench) == [16_000, 16_000], slot


async def test_the_second_vehicle_gets_its_pilot_as_soon_as_the_first_may_be_asked_and_has_followed():
    # IEC 61851-1 A.5.3: 5 s since the last duty cycle of the first; table A.6 seq. 7: 5 s to follow the new one
    bench = Bench(2, ConnectionTimeOut=3)
    for evse in bench.evses:
        evse.duty_interval_ms = 5_000
    bench.station.schedules.install(profile(1, 0, STATION, start=0, periods=(0, 320, 0)))
    await bench.charging()
    await bench.run(10_000)
    bench.station.schedules.install(profile(2, 1, periods=(0, 300, 0)))  # a new duty cycle, just now
    bench.plug(2)
    assert await bench.station.swipe("OTHER", (2,)) == "start"
    waited_ms = asked_ms = 0
    while not bench.evses[1].offered_ma:
        await bench.run(100)
        waited_ms += 100
        if bench.evses[0].offered_ma == 30_000:
            asked_ms = waited_ms
        else:
            assert bench.evses[1].offered_ma or bench.evses[1].limit == (0, "station")
    assert 4_900 <= asked_ms <= 5_100 and 5_000 <= waited_ms - asked_ms <= 5_300, (asked_ms, waited_ms)
    bench.evses[1].set_state("C")
    await bench.run(200)
    words = [word for n, word in bench.statuses if n == 2]
    assert words == ["waiting", "suspended by station", "charging"], "no time-out, and the vehicle is not blamed"


async def test_the_last_one_gets_everything_back():
    bench = await both_charge(200)
    await bench.station.swipe("OTHER", (2,))
    await bench.run(10_000)
    assert offers(bench) == [20_000, 0]


async def test_who_has_no_voltage_any_more_keeps_nothing_from_the_others():
    # the contactor is open: nothing has to be waited for, neither in a pause nor with a fault that came before
    for fault in (False, True):
        bench = await both_charge(320)
        if fault:
            bench.evses[0].raise_fault("cp_short")
            await bench.run(10_000)
            assert offers(bench) == [0, 16_000], "the fault may go at any moment"
        bench.station.schedules.install(profile(5, 1, periods=(0, 0, 0)))
        await bench.run(500)
        assert offers(bench) == [0, 32_000]


async def test_a_refused_user_keeps_nothing_from_the_others():
    # StopTransactionOnInvalidId off: the transaction goes on without energy
    bench = await both_charge(200)
    bench.settings.set("StopTransactionOnInvalidId", False)
    bench.station.confirmed(bench.transaction.number, "CARD", TokenInfo("invalid"))
    await bench.run(1_000)
    assert offers(bench) == [0, 20_000]


async def test_what_flows_through_a_welded_contactor_is_nobody_elses():
    # the vehicle draws on after the end of its session, and so it does in a pause
    for pause in (False, True):
        bench = await both_charge(320)
        draws(bench, 16, 15)
        if pause:
            bench.station.schedules.install(profile(5, 2, periods=(0, 0, 0)))
        else:
            await bench.station.swipe("OTHER", (2,))
        bench.evses[1].raise_fault("contactor_welded")
        await bench.run(10_000)
        assert offers(bench) == [17_000, 0]
        draws(bench, 17, 0)
        await bench.run(10_000)
        assert offers(bench) == [32_000, 0], "it draws no more"


# -- what is not used


def draws(bench, *amperes):
    for meter, a in zip(bench.meters, amperes):
        meter.draws_w = a * 230


async def test_a_full_vehicle_gives_back_all_but_the_least():
    # it keeps 6 A, so that it can say that it wants more; nothing is left unused until its transaction ends
    bench = await both_charge(320)
    draws(bench, 16, 16)
    await bench.run(5_000)
    bench.evses[0].set_state("B")
    await bench.run(50_000)
    assert offers(bench) == [16_000, 16_000], "it may only have begun late"
    await bench.run(20_000)
    assert offers(bench) == [6_000, 26_000] and bench.word == "suspended by vehicle"
    bench.evses[0].set_state("C")
    draws(bench, 6, 26)
    await bench.run(10_000)
    assert offers(bench) == [16_000, 16_000], "the even share as soon as it draws"


async def test_a_vehicle_that_can_take_little_leaves_the_rest_to_others():
    bench = await both_charge(320)
    draws(bench, 7, 16)
    await bench.run(70_000)
    assert offers(bench) == [10_500, 21_500], "half as much again as it drew"
    bench.meter.draws_w = 1_700
    await bench.run(130_000)
    assert offers(bench) == [10_500, 21_500], "a meter that flickers moves nothing"
    draws(bench, 9, 21)
    await bench.run(10_000)
    assert offers(bench) == [16_000, 16_000]


async def test_what_nobody_else_can_use_stays():
    # no pilot moves for nothing
    bench = await both_charge(320, 100, 320)
    draws(bench, 10, 1)
    before = offers(bench)
    assert before == [10_000, 22_000]
    await bench.run(130_000)
    assert offers(bench) == before
    await bench.station.swipe("CARD")
    await bench.run(130_000)
    assert offers(bench) == [0, 32_000]


async def test_who_draws_comes_before_who_does_not():
    # 10 A are enough for one: the older one is full, so the other one charges, and both are served once there is more
    bench = await both_charge(100)
    draws(bench, 0, 10)
    bench.evses[0].set_state("B")
    await bench.run(80_000)
    assert offers(bench) == [0, 10_000] and bench.word == "suspended by station"
    bench.station.schedules.install(profile(1, 0, STATION, start=0, periods=(0, 160, 0)))
    await bench.run(10_000)
    assert offers(bench) == [6_000, 10_000] and bench.word == "suspended by vehicle"


async def test_without_currents_nobody_knows_what_is_left():
    # a meter that counts energy and nothing else
    async def read():
        return Reading(energy_wh=1_000)

    bench = await both_charge(320)
    for meter in bench.meters:
        meter.read = read
    await bench.run(130_000)
    assert offers(bench) == [16_000, 16_000]
    bench.evses[0].set_state("B")
    await bench.run(70_000)
    assert offers(bench) == [6_000, 26_000], "but the contactor is open"


async def test_the_next_user_begins_with_an_even_share():
    bench = await both_charge(320)
    draws(bench, 16, 16)
    bench.evses[0].set_state("B")
    await bench.run(70_000)
    await bench.station.swipe("CARD")
    bench.unplug(1)
    await bench.run(10_000)
    bench.plug(1)
    await bench.station.swipe("CARD")
    await bench.run(20_000)
    assert offers(bench) == [16_000, 16_000]


async def test_increases_are_rolled_out_evenly():
    # the oldest one does not take all that is free already, while the rest has still to be given up by the third one
    bench = Bench(3)
    bench.backend.tokens["THIRD"] = TokenInfo("accepted")
    await bench.run(100)
    bench.station.schedules.install(profile(1, 0, STATION, start=0, periods=(0, 300, 0)))
    draws(bench, 10, 10, 10)
    for n, token in ((1, "CARD"), (2, "OTHER"), (3, "THIRD")):
        bench.plug(n)
        await bench.station.swipe(token, (n,))
        bench.evses[n - 1].set_state("C")
        await bench.run(20_000)
    assert offers(bench) == [10_000] * 3
    bench.station.schedules.install(profile(2, 3, periods=(0, 60, 0)))
    bench.station.schedules.install(profile(1, 0, STATION, start=0, periods=(0, 320, 0)))
    await bench.run(1_000)
    assert offers(bench) == [11_000, 11_000, 6_000]
    await bench.run(6_000)
    assert offers(bench) == [13_000, 13_000, 6_000]


def test_split_without_a_least():
    assert split(9, [(0, 4), (0, 9)]) == [4, 5]
    assert split(0, [(0, 4), (6, 9)]) == [0, 0]
