"""Metering: the guarded register, samples, the running state, a meter that is lost (OCPP 1.6 §3.16)."""

from charging_bench import Bench
from harness import FakeClock

from firmware.charging.meter_health import MeterCount, MeterDirection
from firmware.charging.sampling import Slots
from firmware.kernel.reading import Reading
from firmware.store.records import BEGIN, END, SAMPLE


def test_slots():
    slots = Slots()
    assert not slots.due(60, 0)  # entering is no tick
    assert not slots.due(60, 59)
    assert slots.due(60, 60) and not slots.due(60, 61)
    assert slots.due(60, 200)  # one that was missed does not come twice
    assert not slots.due(30, 201) and slots.due(30, 210)  # a new interval
    assert not slots.due(0, 900) and not slots.due(0, 1_800)
    assert not slots.due(30, 0, "next") and slots.due(30, 30, "next")


async def test_periodic_samples_count_from_the_begin():
    """§3.16.1."""
    bench = Bench(MeterValueSampleInterval=60)
    transaction = await bench.charging()
    await bench.run(185_000)
    samples = bench.records(SAMPLE)
    assert [s.context for s in samples] == ["begin", "periodic", "periodic", "periodic"]
    assert [s.t - transaction.begin_t for s in samples] == [0, 60, 120, 180]
    assert samples[1].offered_ma == 32_000 and samples[1].reading.energy_wh == 1_000
    await bench.station.swipe("CARD")
    await bench.run(1_000)
    assert bench.contexts()[-1] == "end"
    assert bench.records()[-1].kind != SAMPLE  # the end record comes last


async def test_a_late_sample_is_not_followed_by_its_double():
    """Two samples with the same time and content look like one that is sent again."""
    for late_ms in range(4_300, 5_300, 100):
        bench = Bench(MeterValueSampleInterval=5)
        await bench.run(300)
        transaction = await bench.charging()
        await bench.run(4_900 - (bench.clock.ms() - transaction.begin_ms) % 5_000)
        bench.clock.advance(late_ms)
        await bench.run(12_000)
        times = [s.t for s in bench.records(SAMPLE) if s.context == "periodic"]
        assert len(times) >= 3 and len(times) == len(set(times)), (late_ms, times)


async def test_clock_aligned_samples():
    """§3.16.2: multiples of the interval from midnight; inside and outside of transactions."""
    bench = Bench(ClockAlignedDataInterval=900, MeterValueSampleInterval=0)
    bench.clock.unix = 1_800_000_000 - 20  # a multiple of 900
    await bench.run(25_000)
    seen = [(n, context, t % 900) for n, context, t, _ in bench.samples_outside()]
    assert seen == [(1, "clock", 0), (0, "clock", 0)]
    bench.clock.unix = 1_800_000_000 + 890
    await bench.run(500)
    await bench.charging()
    await bench.run(20_000)
    assert [n for n, _, _, _ in bench.samples_outside()] == [1, 0, 0]
    assert [(s.context, s.t % 900) for s in bench.records(SAMPLE) if s.tx] == [("begin", 890), ("clock", 0)]


async def test_a_clock_aligned_sample_has_the_time_at_which_it_was_due():
    """However late the loop comes to take it."""
    bench = Bench(ClockAlignedDataInterval=900, MeterValueSampleInterval=0)
    for due in (1_800_000_000, 1_800_000_900):
        bench.clock.unix = due - 5
        if due > 1_800_000_000:
            await bench.charging()
        await bench.run(1_800_000_000 % 1_000 + 3_500)
        bench.clock.advance(3_000)
        await bench.run(500)
        if due == 1_800_000_000:
            assert [(n, t) for n, _, t, _ in bench.samples_outside()] == [(1, due), (0, due)]
    newest = [(s.connector, s.context, s.t) for s in bench.records(SAMPLE)][-2:]
    assert newest == [(1, "clock", due), (0, "clock", due)]


async def test_clock_steps_make_no_samples():
    bench = Bench(ClockAlignedDataInterval=900)
    await bench.run()
    bench.clock.set_unix(bench.clock.now() + 5_000, "ntp")
    await bench.run(2_000)
    assert bench.records(SAMPLE) == []


async def test_samples_outside_of_transactions_need_a_reader():
    """The back-end has not registered the station yet, or wants no measurands."""
    for may_start, items, expected in ((True, ["Voltage"], 2), (False, ["Voltage"], 0), (True, [], 0)):
        bench = Bench(ClockAlignedDataInterval=900, MeterValuesAlignedData=items)
        bench.backend.may_start = may_start
        bench.clock.unix = 1_800_000_000 - 5
        await bench.run(10_000)
        assert len(bench.records(SAMPLE)) == expected, (may_start, items)


async def test_triggered_sample():
    bench = Bench()
    await bench.run()
    t, reading, offered_ma = bench.station.meters.sample(1)
    assert (t, reading.energy_wh, offered_ma) == (bench.clock.now(), 1_000, 0)


async def test_running_state_is_saved_sparingly():
    """Every 500 Wh, and so often that a power cut costs an eighth of the session's time, or RunningStateInterval."""
    bench = Bench(RunningStateInterval=60)
    transaction = await bench.charging()
    saved = []
    save = bench.journal.running.save

    def spy(connector, tx, wh, t):
        saved.append((t - transaction.begin_t, wh - transaction.begin_wh))
        save(connector, tx, wh, t)

    bench.journal.running.save = spy
    await bench.run(60_000)
    times = [t for t, _ in saved]
    assert times[0] == 5 and times[-1] > 50 and 6 <= len(times) <= 10
    bench.settings.set("RunningStateInterval", 10, "installer")
    saved.clear()
    await bench.run(40_000)
    assert len(saved) == 4
    bench.settings.set("RunningStateInterval", 3_600, "installer")
    bench.meter.wh += 5
    await bench.run(3_000)
    saved.clear()
    bench.clock.advance(240_000)  # a meter that was read late
    bench.meter.wh += 500
    await bench.run(3_000)
    assert [wh for _, wh in saved][-1] == 505 and transaction.wh == 1_505


async def test_meter_lost_and_back():
    bench = Bench(MeterValueSampleInterval=10)
    await bench.charging()
    bench.meter.fails = True
    await bench.run(5_000)
    assert [fault.name for fault in bench.evse.faults] == ["meter_lost"] and bench.evse.meter is None
    assert bench.word == "charging" and bench.station.status(1).fault.name == "meter_lost"
    await bench.run(20_000)
    before = len(bench.records(SAMPLE))
    assert bench.station.meters.current(1) is None
    await bench.run(20_000)
    assert len(bench.records(SAMPLE)) == before  # no stale values
    bench.meter.fails = False
    bench.meter.wh = 1_200
    await bench.run(2_000)
    assert bench.evse.faults == () and bench.transaction.wh == 1_200


def _faults(bench):
    return [(fault.name, fault.code) for fault in bench.evse.faults]


async def test_a_meter_that_stays_silent_sells_nothing_after_a_minute():
    """Less than a minute may be ignored; where nothing is billed, MeterLossTimeout is 0 and it charges on."""
    bench = Bench()
    await bench.charging()
    transaction = bench.transaction
    bench.meter.fails = True
    await bench.run(58_000)
    assert _faults(bench) == [("meter_lost", "METER TIMEOUT")] and bench.word == "charging"
    await bench.run(4_000)
    assert _faults(bench) == [("meter_lost", "METER TIMEOUT"), ("meter_failed", "METER TIMEOUT")]
    assert bench.word == "faulted" and not bench.evse.charging
    bench.settings.set("MeterLossTimeout", 0, "installer")
    await bench.run(2_000)
    assert bench.word == "charging"
    bench.settings.set("MeterLossTimeout", 3_600, "installer")
    await bench.run(3_600_000 - 70_000)
    assert bench.word == "charging"
    await bench.run(10_000)
    assert bench.word == "faulted"
    bench.meter.fails = False
    await bench.run(2_000)
    assert bench.word == "charging" and bench.transaction is transaction and _faults(bench) == []


async def test_what_is_wrong_with_the_meter_is_in_the_code():
    class Refusal(OSError):
        code = 2  # of a modbus_rtu.ModbusError: the meter does answer

    bench = Bench()
    bench.meter.fails = True
    await bench.run(4_000)
    assert _faults(bench) == [("meter_lost", "METER NOT_PRESENT")]
    bench.meter.fails = False
    await bench.run(2_000)

    async def refuses():
        raise Refusal("illegal data address")

    bench.meter.read = refuses
    await bench.run(4_000)
    assert _faults(bench) == [("meter_lost", "METER FAULTED")]


async def test_begin_waits_for_the_first_look_at_the_meter():
    """A power-on whose meter is slow must not bill the whole register (found by cutting the power at random)."""
    bench = Bench()
    bench.meter.fails = True
    bench.plug()
    await bench.station.swipe("CARD")
    await bench.run(1_500)
    assert bench.transaction is None and bench.word == "waiting"
    bench.meter.fails = False
    await bench.run(2_000)
    assert bench.transaction.begin_wh == bench.meter.wh


async def test_energy_before_the_meter_answers_for_the_first_time_is_nobodys():
    bench = Bench()
    bench.meter.fails = True
    bench.plug()
    await bench.station.swipe("CARD")
    await bench.run(5_000)
    assert bench.transaction.begin_wh == 0, "a meter that is lost keeps nobody from charging"
    bench.meter.fails = False
    bench.meter.wh = 456_000
    await bench.run(3_000)
    await bench.flow(20)
    await bench.run(2_000)
    assert bench.transaction.wh == 20


async def test_end_waits_for_a_meter_that_is_slow():
    """Two meters on one line: the last energy of one session was billed to the next (found by random power cuts)."""
    bench = Bench()
    transaction = await bench.charging()
    read = bench.meter.read

    async def slow():
        await bench.clock.sleep_ms(1_200)
        return await read()

    bench.meter.read = slow
    bench.unplug()
    bench.meter.wh += 6  # what flowed since the last look
    await bench.run(4_000)
    assert bench.transaction is None and transaction.wh == bench.meter.wh


async def test_station_without_meter():
    bench = Bench(meters=[None])
    await bench.charging()
    await bench.station.swipe("CARD")
    await bench.run(2_000)
    assert bench.ends()[0][2] == 0


async def test_full_flash_stops_no_sampling():
    bench = Bench(MeterValueSampleInterval=10)
    await bench.charging()

    def refuse(*args):
        raise OSError(28)

    bench.journal.sample = refuse
    bench.journal.running.save = refuse
    await bench.flow(20)
    await bench.run(30_000)
    assert bench.word == "charging" and bench.transaction.wh == 1_020


async def test_the_last_reading_is_asked_for_until_it_comes():
    """What was charged between the last poll and one that got no answer is billed, too."""
    bench = Bench()
    await bench.charging()
    bench.unplug()
    while bench.evse.charging:
        await bench.run(20)
    bench.meter.wh += 5
    bench.meter.fail_next(2)
    await bench.run(10_000)
    assert [wh for _, _, wh in bench.ends()] == [1_005]


async def test_a_meter_that_never_answered_begins_at_an_unreadable_value_and_ends_at_the_last_valid_one():
    """meterStart -1 tells the back-end; its past is not billed when it answers, and a power cut changes nothing."""
    bench = Bench()
    bench.meter.fails = True
    await bench.run(5_000)
    await bench.charging()
    (begin,) = bench.records(BEGIN)
    assert begin.wh is None and bench.transaction.begin_wh == 0
    assert [record.reading.energy_wh for record in bench.records(SAMPLE)] == [None]
    bench.meter.fails = False
    await bench.run(2_000)
    await bench.flow(20)
    await bench.run(2_000)
    assert bench.transaction.wh == 20
    bench = bench.power_cut()
    bench.meter.fails = True
    await bench.run(10_000)
    ends = [(reason, wh) for _, reason, wh in bench.ends()]
    assert ends[0][0] == "power lost" and 0 < ends[0][1] <= 20, "what was counted and saved"


async def test_a_hiccup_of_the_register_is_neither_sent_nor_billed():
    """M1: in the middle, at the begin and at the end of a session; up and down; on one of two connectors."""
    for jump, ms in ((60_000, 1_300), (-50_000, 5_000), (100, 1_300), (-900, 8_000)):
        for moment in ("before", "middle", "end"):
            bench = Bench(2, MeterValueSampleInterval=5)
            meter = bench.meters[0]
            await bench.run(2_000)
            if moment == "before":
                meter.wh += jump
            bench.plug()
            await bench.station.swipe("CARD")
            await bench.run(6_000)
            meter.draws_w = 3_600
            bench.evse.set_state("C")
            await bench.run(1_500)
            if moment != "before":
                await bench.run(9_000)
                meter.wh += jump
                await bench.run(100)
            if moment == "end":
                bench.unplug()
            await bench.run(ms)
            meter.wh -= jump
            if moment != "end":
                await bench.run(10_000)
                bench.unplug()
            await bench.run(10_000)
            (begin,), (end,) = bench.records(BEGIN), bench.records(END)
            drawn = meter.wh - 1_000
            assert abs(end.wh - begin.wh - drawn) <= 2, (jump, moment, begin.wh, end.wh, meter.wh)
            values = [record.reading.energy_wh for record in bench.records(SAMPLE)]
            assert values == sorted(values) and begin.wh <= values[0] and values[-1] == end.wh
            meter.draws_w = 0
            await bench.run(8_000)
            await bench.charging()
            assert bench.transaction.begin_wh == meter.wh, "the next transaction begins at the register"


async def test_what_a_silent_meter_counted_meanwhile_is_billed_as_far_as_it_can_have_flowed():
    """M1: supply x time."""
    for gained, billed in ((20, 20), (60_000, 0), (-500, 0)):
        bench = Bench()
        transaction = await bench.charging()
        await bench.run(2_000)
        bench.meter.fails = True
        await bench.run(20_000)
        bench.meter.wh += gained
        bench.meter.fails = False
        await bench.run(6_000)
        assert transaction.wh == 1_000 + billed
        await bench.flow(10)
        await bench.run(2_000)
        assert transaction.wh == 1_010 + billed


async def test_a_register_that_makes_no_sense_at_all_is_a_meter_that_is_lost():
    """M1: garbage."""
    bench = Bench()
    transaction = await bench.charging()
    read = bench.meter.read

    async def garbage():
        bench.meter.wh = bench.meter.wh * 1_103_515_245 % 2**31
        return await read()

    bench.meter.read = garbage
    await bench.run(20_000)
    assert _faults(bench) == [("meter_lost", "METER TIMEOUT")] and transaction.wh == 1_000


async def test_times_in_a_transaction_are_its_begin_and_what_has_elapsed():
    """M3: whatever the clock does, also more than once; the new time counts from the next transaction on."""
    for steps in ((-3_600,), (-400 * 86_400,), (86_400,), (86_400, -90_000, 7)):
        bench = Bench(MeterValueSampleInterval=10, ClockAlignedDataInterval=30)
        transaction = await bench.charging()
        began = bench.clock.now()
        for step in steps:
            await bench.run(15_000)
            bench.clock.set_unix(bench.clock.now() + step, "ocpp")
        await bench.run(31_000)
        lasted = 15 * len(steps) + 31
        bench.unplug()
        await bench.run(3_000)
        times = [record.t for record in bench.records() if record.tx]
        assert times == sorted(times) and times[0] == transaction.begin_t
        assert 0 <= times[-1] - began - lasted <= 2 and transaction.end_t == times[-1]
        periodic = [record.t for record in bench.records(SAMPLE) if record.context == "periodic"]
        assert [t - transaction.begin_t for t in periodic] == [10 * (n + 1) for n in range(len(periodic))]
        aligned = [record.t for record in bench.records(SAMPLE) if record.tx and record.context == "clock"]
        assert len(aligned) in (1, 2, 3) and [t % 30 for t in aligned] == [0] * len(aligned)
        await bench.charging()
        assert abs(bench.transaction.begin_t - bench.clock.now()) <= 1


async def test_triggered_values_of_a_transaction_have_its_time():
    """M3."""
    bench = Bench()
    transaction = await bench.charging()
    await bench.run(10_000)
    bench.clock.set_unix(bench.clock.now() - 3_600, "ocpp")
    assert 10 <= bench.station.meters.sample(1)[0] - transaction.begin_t <= 12


async def test_a_transaction_that_began_before_the_time_was_known_is_moved_as_a_whole():
    """M3: begin, samples and end by the difference that was learned first, and by no other."""
    bench = Bench(MeterValueSampleInterval=10, clock=FakeClock(synchronised=False))
    bench.clock.changed.connect(lambda delta_s, source: bench.journal.clock_changed(delta_s))
    await bench.charging()
    await bench.run(15_000)
    bench.clock.set_unix(1_900_000_000, "ocpp")
    await bench.run(15_000)
    bench.clock.set_unix(1_700_000_000, "ocpp")
    await bench.run(15_000)
    bench.unplug()
    await bench.run(3_000)
    times = [record.t - 1_900_000_000 for record in bench.records()]
    assert times == sorted(times) and -18 <= times[0] <= -15 and 30 <= times[-1] <= 33


async def test_a_meter_that_is_wired_backwards_is_reported_after_a_minute():
    """M5."""
    bench = Bench(2)
    meter = bench.meters[0]
    read = meter.read
    watts = [-3_000]

    async def reversed_read():
        reading = await read()
        reading.power_w = watts[0]
        return reading

    meter.read = reversed_read
    await bench.run(70_000)
    assert _faults(bench) == [], "without a session it says nothing"
    await bench.charging()
    await bench.run(50_000)
    assert _faults(bench) == []
    await bench.run(12_000)
    assert _faults(bench) == [("meter_reversed", "METER REVERSED")] and bench.word == "charging"
    assert bench.station.status(1).fault.text and bench.evses[1].faults == ()
    watts[0] = 0
    await bench.run(2_000)
    assert _faults(bench), "no power says nothing of its direction"
    watts[0] = 3_000
    await bench.run(2_000)
    assert _faults(bench) == []


def test_direction_of_one_phase_and_of_a_meter_without_powers():
    """M5."""
    for first, turn in (
        (Reading(powers_w=(-3_000, 3_000, 3_000), power_w=3_000), Reading(powers_w=(3_000, 0, 0), power_w=3_000)),
        (None, Reading(export_wh=61, energy_wh=9)),
    ):
        direction = MeterDirection()
        for second in range(62):
            direction.see(first or Reading(export_wh=second, energy_wh=1), second * 1_000, True)
            assert direction.reversed is (second >= (60 if first else 61))
        assert direction.see(turn, 63_000, True) and not direction.reversed


async def test_a_register_that_stands_while_power_flows_is_reported():
    """M2, of a meter or gateway that repeats its last values while the vehicle charges."""
    bench = Bench()
    read = bench.meter.read

    async def powerful_read():
        reading = await read()
        reading.power_w = 3_600
        return reading

    bench.meter.read = powerful_read
    await bench.charging()
    await bench.run(490_000)
    assert _faults(bench) == []
    await bench.run(20_000)
    assert _faults(bench) == [("meter_standing", "METER STANDING")] and bench.word == "charging"
    bench.meter.wh += 1
    await bench.run(2_000)
    assert _faults(bench) == []


def test_a_meter_without_power_is_watched_by_its_currents():
    """M2: 16 A on one phase are 500 Wh in 8 min 10 s; without a session nothing is said."""
    for currents_ma, charging, due_s in (((16_000, None, 0), True, 490), ((16_000,) * 3, False, 9_999)):
        count = MeterCount()
        for second in range(0, 600, 2):
            count.see(Reading(energy_wh=1, currents_ma=currents_ma), second * 1000, charging)
            assert count.standing is (second >= due_s)


async def test_the_last_reading_of_a_slow_meter_is_waited_for():
    """M6: two tries of 2 s, on a line that the other meter keeps busy."""
    bench = Bench(MeterTimeout=2_000)
    transaction = await bench.charging()
    read = bench.meter.read

    async def slow():
        await bench.clock.sleep_ms(3_900)
        return await read()

    bench.meter.read = slow
    await bench.run(4_000)
    bench.unplug()
    bench.meter.wh += 6
    await bench.run(9_000)
    assert bench.transaction is None and transaction.wh == 1_006
