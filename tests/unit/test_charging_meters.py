"""Connector 0: the meters of all connectors as one."""

from charging_bench import Bench

from firmware.charging.meters import total
from firmware.kernel.reading import Reading


def test_what_adds_up_is_added_and_what_is_shared_is_not():
    sum_ = total(
        [
            Reading(1_000, 2_300, (10_000, 0, 0), (230_000, 231_000, 232_000), None, 50_000),
            Reading(2_000, 4_600, (10_000, 10_000, None), (229_000, 231_000, 232_000), None, 49_990),
        ]
    )
    assert sum_.energy_wh == 3_000 and sum_.power_w == 6_900
    assert sum_.currents_ma == (20_000, 10_000, None)
    assert sum_.voltages_mv == (230_000, 231_000, 232_000) and sum_.frequency_mhz == 50_000
    assert sum_.powers_w is None and sum_.export_wh is None


def test_meters_that_measure_differently_give_what_they_share():
    sum_ = total([Reading(1, None, (6_000,)), Reading(2, 100, (6_000, 6_000, 6_000))])
    assert sum_.energy_wh == 3 and sum_.power_w is None and sum_.currents_ma is None


async def test_aligned_values_of_the_station_come_with_and_without_transactions():
    # trap 21, errata 3.16
    bench = Bench(connectors=2, ClockAlignedDataInterval=60)
    bench.clock.unix = 1_800_000_000 // 86_400 * 86_400 + 30
    await bench.run(2_000)
    bench.plug(1)
    await bench.station.swipe("CARD")
    await bench.run(60_000)
    assert bench.transaction
    samples = bench.samples_outside()
    mine = [sample for sample in samples if sample[0] == 0]
    assert [sample[1:] for sample in mine] == [("clock", 1_800_000_000 // 86_400 * 86_400 + 60, 2_000)]
    assert [n for n, _, _, _ in samples if n] == [2]  # that of connector 1 belongs to its transaction


async def test_a_meter_that_is_silent_leaves_a_gap():
    bench = Bench(connectors=2, ClockAlignedDataInterval=60)
    await bench.run(2_000)
    assert bench.station.meters.current(0).energy_wh == 2_000
    bench.meters[1].fails = True
    await bench.run(30_000)
    assert bench.station.meters.current(0) is None
