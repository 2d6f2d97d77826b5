"""A central system that sends anything; the long run is `python tests/system/hostile_csms.py`."""

from hostile_csms import HEAP_SLACK, ordeal


def test_a_hostile_central_system_neither_stops_the_station_nor_closes_a_contactor():
    hostile, peaks = ordeal(1_500, seed=7)
    assert hostile.left == 0
    assert peaks[-1] > peaks[len(peaks) // 2] - HEAP_SLACK, peaks
