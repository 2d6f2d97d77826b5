"""Metering: the guarded register, samples, the running state, a meter that is lost (OCPP 1.6 §3.16)."""

from charging_bench import Bench

from firmware.charging.metering import Register, Slots
from firmware.store.records import BEGIN, SAMPLE


def test_register_never_runs_backwards_while_it_counts():
    """OCPP 1.6 erratum 3.77."""
    # trap 20
    register = Register()
    assert register.take(1_000, True) is None
    assert register.take(5, True) is None and register.wh == 1_000  # a glitch
    assert register.take(1_001, True) is None and register.wh == 1_001
    assert [register.take(5, True) for _ in range(3)] == [None, None, 996]  # the meter insists
    assert register.wh == 1_001
    register.take(15, True)
    assert register.wh == 1_011


def test_register_follows_an_exchanged_meter_when_nothing_counts():
    register = Register()
    register.take(1_000, False)
    assert register.take(7, False) == 0 and register.wh == 7


def test_register_shows_the_new_meter_once_nothing_counts():
    register = Register()
    register.take(1_000, True)
    assert [register.take(5, True) for _ in range(3)][-1] == 995 and register.wh == 1_000
    assert register.take(6, False) == 0 and register.wh == 6


def test_register_does_not_count_the_past_of_a_meter_that_answers_late():
    register = Register()
    register.assume(0)
    assert register.take(456_000, True) == -456_000 and register.wh == 0
    register.take(456_010, True)
    assert register.wh == 10
    assert register.take(456_010, False) == 0 and register.wh == 456_010


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


async def test_clock_aligned_samples():
    """§3.16.2: multiples of the interval from midnight; inside a transaction in the journal, outside by signal."""
    bench = Bench(ClockAlignedDataInterval=900, MeterValueSampleInterval=0)
    seen = []
    bench.station.sampled.connect(lambda n, context, t, reading: seen.append((n, context, t % 900)))
    bench.clock.unix = 1_800_000_000 - 20  # a multiple of 900
    await bench.run(25_000)
    assert seen == [(1, "clock", 0), (0, "clock", 0)]
    bench.clock.unix = 1_800_000_000 + 890
    await bench.run(500)
    await bench.charging()
    await bench.run(20_000)
    assert [n for n, _, _ in seen] == [1, 0, 0]
    assert [(s.context, s.t % 900) for s in bench.records(SAMPLE)] == [("begin", 890), ("clock", 0)]


async def test_a_clock_aligned_sample_has_the_time_at_which_it_was_due():
    """However late the loop comes to take it."""
    bench = Bench(ClockAlignedDataInterval=900, MeterValueSampleInterval=0)
    seen = []
    bench.station.sampled.connect(lambda n, context, t, reading: seen.append((n, t)))
    for due in (1_800_000_000, 1_800_000_900):
        bench.clock.unix = due - 1
        await bench.run(500)
        bench.clock.advance(3_000)
        await bench.run(500)
        if due == 1_800_000_000:
            assert seen == [(1, due), (0, due)]
            await bench.charging()
    assert [(s.context, s.t) for s in bench.records(SAMPLE)][-1] == ("clock", due) and seen[-1] == (0, due)


async def test_clock_steps_make_no_samples():
    bench = Bench(ClockAlignedDataInterval=900)
    seen = []
    bench.station.sampled.connect(lambda *args: seen.append(args))
    await bench.run()
    bench.clock.set_unix(bench.clock.now() + 5_000, "ntp")
    await bench.run(2_000)
    assert seen == []


def test_a_jump_that_no_vehicle_makes_is_a_glitch_or_another_meter():
    """A frame that is wrong with a right CRC, or a meter exchanged while it counts: nobody pays for that."""
    register = Register()
    register.take(1_000, True, 1)
    assert register.take(17_777_216, True, 1) is None and register.wh == 1_000
    assert register.take(1_005, True, 1) is None and register.wh == 1_005
    for _ in range(2):
        assert register.take(900_000, True, 1) is None
    assert register.take(900_000, True, 1) == 1_005 - 900_000 and register.wh == 1_005
    register.take(900_010, True, 1)
    assert register.wh == 1_015
    register.take(1_150_000, True, 4 * 3600)  # a meter that was silent for so long
    assert register.wh == 251_005


async def test_triggered_sample():
    bench = Bench()
    seen = []
    bench.station.sampled.connect(lambda n, context, t, reading: seen.append((n, context, reading.energy_wh)))
    await bench.run()
    assert bench.station.sample_now(1).energy_wh == 1_000
    assert seen == [(1, "trigger", 1_000)]


async def test_running_state_is_saved_sparingly():
    bench = Bench(RunningStateInterval=60)
    transaction = await bench.charging()
    saved = []
    save = bench.journal.running.save

    def spy(connector, tx, wh, t):
        saved.append(wh)
        save(connector, tx, wh, t)

    bench.journal.running.save = spy
    await bench.run(50_000)
    assert saved == []
    bench.meter.wh = 1_001
    await bench.run(12_000)
    assert saved == [1_001]  # a minute is over
    bench.meter.wh = 1_500
    await bench.run(2_000)
    bench.meter.wh = 1_501
    await bench.run(2_000)
    assert saved == [1_001, 1_501]  # 500 Wh
    await bench.run(60_000)
    assert saved == [1_001, 1_501, 1_501]  # the time goes on
    assert transaction.wh == 1_501


async def test_meter_lost_and_back():
    bench = Bench(MeterValueSampleInterval=10)
    await bench.charging()
    bench.meter.fails = True
    await bench.run(5_000)
    assert [fault.name for fault in bench.evse.faults] == ["meter_lost"] and bench.evse.meter is None
    assert bench.word == "Charging" and bench.station.status(1).fault.name == "meter_lost"
    await bench.run(20_000)
    before = len(bench.records(SAMPLE))
    assert bench.station.readings(1) is None
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
    assert _faults(bench) == [("meter_lost", "METER TIMEOUT")] and bench.word == "Charging"
    await bench.run(4_000)
    assert _faults(bench) == [("meter_lost", "METER TIMEOUT"), ("meter_failed", "METER TIMEOUT")]
    assert bench.word == "Faulted" and not bench.evse.charging
    bench.settings.set("MeterLossTimeout", 0, "installer")
    await bench.run(2_000)
    assert bench.word == "Charging"
    bench.settings.set("MeterLossTimeout", 3_600, "installer")
    await bench.run(3_600_000 - 70_000)
    assert bench.word == "Charging"
    await bench.run(10_000)
    assert bench.word == "Faulted"
    bench.meter.fails = False
    await bench.run(2_000)
    assert bench.word == "Charging" and bench.transaction is transaction and _faults(bench) == []


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
    assert bench.transaction is None and bench.word == "Preparing"
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
    bench.meter.wh += 50
    await bench.run(2_000)
    assert bench.transaction.wh == 50


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
    bench.meter.wh = 5_000
    await bench.run(30_000)
    assert bench.word == "Charging" and bench.transaction.wh == 5_000


async def test_the_last_reading_is_asked_for_until_it_comes():
    """What was charged between the last poll and one that got no answer is billed, too."""
    bench = Bench()
    transaction = await bench.charging()
    bench.unplug()
    while transaction.quiet_ms is None:
        await bench.run(20)
    await bench.run(transaction.quiet_ms - bench.clock.ms() - 20)
    bench.meter.wh = 1_234
    bench.meter.fail_next(2)
    await bench.run(10_000)
    assert [wh for _, _, wh in bench.ends()] == [1_234]


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
    bench.meter.wh += 100
    await bench.run(2_000)
    assert bench.transaction.wh == 100
    bench = bench.power_cut()
    bench.meter.fails = True
    await bench.run(10_000)
    ends = [(reason, wh) for _, reason, wh in bench.ends()]
    assert ends == [("PowerLoss", None)], "nothing was measured, nothing is billed"
