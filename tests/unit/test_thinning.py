"""Thinning: every second sample in the middle goes, one closed segment after the other (OCPP 1.6 errata 3.14, 3.91)."""

from flashlog import FlashLog
from folder import fresh_folder

from firmware.kernel.reading import Reading
from firmware.store.records import BEGIN, BOOT, END, EVENT, SAMPLE, begin_payload, sample_payload
from firmware.store.thinning import thin


def new_log(worn=None):
    """Returns a FlashLog of small segments; `worn` gets the bytes of each write."""
    wrote = None if worn is None else lambda count, before: worn.append(count)
    return FlashLog(fresh_folder() + "/log", 600, wrote=wrote)


def sample(context="periodic", tx=7, connector=1, wh=5):
    return sample_payload(1_800_000_000, tx, connector, context, Reading(wh), None)


def fill(log, payloads, kind=SAMPLE):
    """Adds records and closes their segment; returns their sequence numbers."""
    numbers = [log.append(kind, payload) for payload in payloads]
    log.rotate()
    return numbers


def numbers_of(log):
    return [seq for seq, _, _ in log.read()]


def test_each_series_keeps_every_second_sample_the_first_one_not():
    log = new_log()
    series = (("periodic", 7, 1), ("clock", 7, 1), ("clock", 0, 0), ("clock", 0, 1), ("trigger", 8, 2))
    numbers = fill(log, [sample(*one) for _ in range(4) for one in series])
    won, segment = thin(log, 0)
    assert won > 0 and segment == numbers[0]
    assert numbers_of(log) == numbers[5:10] + numbers[15:20]


def test_only_samples_in_the_middle_go():
    worn = []
    log = new_log(worn)
    edges = [sample(context) for context in ("begin", "end", "interruption.begin", "interruption.end")]
    numbers = fill(log, edges + edges + [b"of a later version"])
    for kind in (BEGIN, END, EVENT, BOOT):
        numbers += fill(log, [begin_payload(1_800_000_000, 7, 1, "A", 0, None, None)] * 3, kind)
    worn.clear()
    for after in (0, numbers[3], numbers[-1]):
        won, segment = thin(log, after)
        assert won == 0 and segment in log.segments()
    assert numbers_of(log) == numbers and worn == []


def test_segments_are_thinned_in_turn_and_the_open_one_is_not():
    log = new_log()
    first, second, third = [fill(log, [sample()] * 4) for _ in range(3)]
    open_one = [log.append(SAMPLE, sample()) for _ in range(4)]
    assert thin(log, 0)[1] == first[0]
    assert numbers_of(log) == first[1::2] + second + third + open_one
    assert thin(log, second[0])[1] == third[0]
    assert thin(log, third[0])[1] == first[0]  # from the beginning again
    assert numbers_of(log) == first[3:] + second + third[1::2] + open_one
    assert thin(log, first[0])[1] == second[0]
    seen = numbers_of(log)
    while thin(log, 0)[0]:
        assert len(numbers_of(log)) < len(seen)
        seen = numbers_of(log)
    assert seen == open_one


def test_the_only_segment_is_thinned_again_and_again():
    log = new_log()
    numbers = fill(log, [sample()] * 4)
    assert thin(log, 0)[1] == numbers[0] and numbers_of(log) == numbers[1::2]
    assert thin(log, numbers[0])[0] and numbers_of(log) == numbers[3:]


def test_a_segment_that_wins_nothing_is_passed_over():
    worn = []
    log = new_log(worn)
    kept = fill(log, [sample("begin")] * 4)
    thinned = fill(log, [sample()] * 2)
    worn.clear()
    won, segment = thin(log, 0)
    assert segment == thinned[0] and len(worn) == 1
    assert won == len(sample()) + 12  # of the flash, with the record's head and check
    assert numbers_of(log) == kept + thinned[1:]
