"""After a power cut: every open transaction ends exactly once, with the best value that is known."""

from charging_bench import Bench

from firmware.store.records import BEGIN, END, SAMPLE


async def test_power_cut_ends_the_transaction():
    """OCPP 1.6 §4.10 PowerLoss; what the meter shows after the cut is what was delivered."""
    # trap 20
    bench = Bench()
    transaction = await bench.charging()
    bench.meter.wh = 1_234
    bench = bench.power_cut()
    await bench.run()
    assert bench.ends() == [(transaction.number, "power lost", 1_234)]
    assert bench.contexts()[-1] == "end"
    assert bench.events[0][0] == "stop" and bench.events[0][1].reason == "power lost"
    for _ in range(2):
        bench = bench.power_cut()
        await bench.run()
    assert len(bench.ends()) == 1


async def test_silent_meter_leaves_the_last_known_value():
    # trap 20
    bench = Bench(RunningStateInterval=5)
    await bench.charging()
    await bench.flow(20)
    await bench.run(7_000)
    bench.meter.wh += 5
    bench = bench.power_cut()
    bench.meter.fails = True
    await bench.run(5_000)
    assert bench.ends()[0][2] == 1_020


async def test_exchanged_meter_does_not_count():
    """OCPP 1.6 erratum 3.77: meterStop >= meterStart; and nobody pays for another meter's past."""
    for shown in (3, 900_000):
        bench = Bench()
        await bench.charging()
        bench = bench.power_cut()
        bench.meter.wh = shown
        await bench.run()
        assert bench.ends()[0][2] == 1_000


async def test_reset_that_was_cut_short_keeps_its_reason():
    bench = Bench()
    await bench.charging()
    bench.station.operation.request_reset(False, "csms")
    bench = bench.power_cut()
    await bench.run()
    assert bench.ends()[0][1] == "soft reset"
    await bench.charging()
    bench = bench.power_cut()
    await bench.run()
    assert bench.ends()[1][1] == "power lost"


async def test_nobody_begins_before_the_old_ends():
    bench = Bench()
    await bench.charging()
    bench = bench.power_cut()
    bench.meter.fails = True
    bench.plug()
    await bench.station.swipe("OTHER")
    await bench.run(5_000)
    kinds = [record.kind for record in bench.records(BEGIN, END)]
    assert kinds == [BEGIN, END, BEGIN] and bench.transaction.token == "OTHER"


async def test_two_transactions_of_one_power_on():
    bench = Bench(2)
    await bench.run()
    for n, token in ((1, "CARD"), (2, "OTHER")):
        bench.plug(n)
        await bench.station.swipe(token)
        await bench.run(800)
    bench.meters[0].wh, bench.meters[1].wh = 1_100, 1_200
    bench = bench.power_cut()
    await bench.run()
    assert sorted(wh for _, _, wh in bench.ends()) == [1_100, 1_200]


async def test_no_energy_by_itself_after_a_power_cut():
    """Matrix C4.12, C8.4."""
    bench = Bench()
    await bench.charging()
    bench = bench.power_cut()
    bench.plug()
    bench.evse.set_state("C")
    await bench.run(5_000)
    assert not bench.evse.permitted and bench.word == "waiting"


async def test_one_poll_without_an_answer_costs_nothing():
    """The loop may have been held while the meter answered: it is lost only after three polls."""
    bench = Bench()
    transaction = await bench.charging()
    bench.meter.wh = 1_234
    bench = bench.power_cut()
    bench.meter.fail_next(2)
    await bench.run(10_000)
    assert bench.ends() == [(transaction.number, "power lost", 1_234)]


async def test_the_outage_is_no_part_of_the_session():
    """M4: the end has the last time at which the transaction is known to have run, not that of the return."""
    for lasted_s in (0, 9, 40, 200):
        bench = Bench()
        transaction = await bench.charging()
        began = transaction.begin_t
        await bench.run(lasted_s * 1_000)
        cut = bench.clock.now()
        bench = bench.power_cut()
        bench.clock.advance(15_000)
        await bench.run()
        (end,) = bench.records(END)
        assert began <= end.t <= cut and cut - end.t <= 8 + lasted_s // 8, (lasted_s, cut - end.t)
        assert bench.events[0][1].end_t == end.t
        assert [record.t for record in bench.records(SAMPLE)][-1] == end.t


async def test_the_end_after_an_outage_is_on_the_clock_of_the_begin():
    """M3, M4: the clock was set in the transaction, and keeps the new time over the outage."""
    for step in (-400 * 86_400, -3_600, 86_400):
        bench = Bench()
        transaction = await bench.charging()
        await bench.run(10_000)
        bench.clock.set_unix(bench.clock.now() + step, "ocpp")
        await bench.run(30_000)
        bench = bench.power_cut()
        bench.clock.advance(15_000)
        await bench.run()
        assert 30 <= bench.records(END)[0].t - transaction.begin_t <= 42


async def test_no_end_is_below_what_was_sent():
    """M9: the register comes back lower than samples that were delivered, whether they reached the flash or not."""
    for context in ("periodic", "clock", "trigger"):
        bench = Bench(MeterValueSampleInterval=20, ClockAlignedDataInterval=30 if context == "clock" else 0)
        await bench.charging()
        await bench.flow(35 * 5)
        sent = [record.reading.energy_wh for record in bench.records(SAMPLE) if record.context == context]
        if context == "trigger":
            sent = [bench.station.meters.sample(1)[1].energy_wh]
        bench = bench.power_cut()
        bench.meter.wh = 800
        await bench.run()
        assert bench.ends()[0][2] >= max(sent) > 1_050, context
        await bench.charging()
        assert bench.transaction.begin_wh == 800, "the next one begins at the register"


async def test_no_end_is_older_than_what_was_sent():
    """M4: a vehicle that draws nothing has the time of its samples kept, too."""
    for context in ("periodic", "clock", "trigger"):
        bench = Bench(MeterValueSampleInterval=20, ClockAlignedDataInterval=30 if context == "clock" else 0)
        await bench.charging()
        await bench.run(70_000)
        newest = [record.t for record in bench.records(SAMPLE) if record.context == context][-1:]
        if context == "trigger":
            newest = [bench.station.meters.sample(1)[0]]
        bench = bench.power_cut()
        bench.clock.advance(15_000)
        await bench.run()
        assert bench.records(END)[0].t >= max(newest), context


async def test_what_was_counted_while_the_station_was_off_is_nobodys():
    """M1: what cannot have flowed since the last saving."""
    bench = Bench()
    await bench.charging()
    await bench.run(8_000)
    bench = bench.power_cut()
    bench.meter.wh += 1_500
    await bench.run()
    assert bench.ends()[0][2] == 1_000
    await bench.charging()
    assert bench.transaction.begin_wh == 2_500
