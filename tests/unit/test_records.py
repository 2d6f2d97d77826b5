"""Records of the journal: older and newer firmware read each other's, and what makes no sense is refused."""

from harness import raises

from firmware.kernel.reading import Reading
from firmware.store import records
from firmware.store.packing import pack, unpack

T = 1_800_000_000

# kind -> (number of the kind on flash, fields, the Record's values that are not None or 0)
KINDS = {
    "begin": (
        1,
        [T, 17, 2, "04A1B2C3", 1000, 7, "FLEET"],
        {"tx": 17, "connector": 2, "token": "04A1B2C3", "wh": 1000, "reservation": 7, "parent": "FLEET"},
    ),
    "sample": (2, [T, 17, 2, 2, 16_000], {"tx": 17, "connector": 2, "context": "periodic", "offered_ma": 16_000}),
    "end": (
        3,
        [T, 17, 2, "04A1B2C3", 2000, "Local"],
        {"tx": 17, "connector": 2, "token": "04A1B2C3", "wh": 2000, "reason": "Local"},
    ),
    "event": (4, [T, "StartupOfTheDevice", "cold"], {"context": "StartupOfTheDevice", "info": "cold"}),
    "clock": (5, [T, 3, -40], {}),
    "boot": (6, [T], {}),
}
NAMES = "seq kind t tx connector token parent wh reason reservation context offered_ma info".split()


def decoded(kind, fields, rebase=None):
    return records.decode(9, kind, pack(fields), rebase)


def test_each_kind_is_read_as_it_was_written():
    for kind, fields, expected in KINDS.values():
        record = decoded(kind, fields)
        values = {"seq": 9, "kind": kind, "t": T, "tx": 0, "connector": 0}
        values.update(expected)
        for name in NAMES:
            assert getattr(record, name) == values.get(name), (kind, name)
    record = decoded(2, [T, 17, 2, 6, None, 3_600_000, -50, [16_000, 0, 7]])
    assert (record.context, record.offered_ma) == ("interruption.end", None)
    assert (record.reading.energy_wh, record.reading.power_w) == (3_600_000, -50)
    assert record.reading.currents_ma == (16_000, 0, 7)
    assert decoded(2, [T, 17, 2, 0, None]).context == "begin"


def test_what_is_written_has_these_fields():
    reading = Reading(5, 6)
    assert [
        unpack(data)
        for data in (
            records.begin_payload(T, 17, 2, "A", 1000, 7, "P"),
            records.sample_payload((3, 5), 17, 2, "interruption.begin", reading, 16_000),
            records.end_payload(T, 17, 2, None, 2000, "Local"),
            records.event_payload(T, "X", "y"),
            records.clock_payload(T, 3, -40),
            records.boot_payload(T),
        )
    ] == [
        [T, 17, 2, "A", 1000, 7, "P"],
        [[3, 5], 17, 2, 5, 16_000, 5, 6],
        [T, 17, 2, None, 2000, "Local"],
        [T, "X", "y"],
        [T, 3, -40],
        [T],
    ]


def test_fields_of_a_later_version_are_passed_over():
    for kind, fields, _ in KINDS.values():
        if kind != 2:  # the fields of a sample end with the reading's, which has a limit of its own
            assert decoded(kind, fields + ["later"]) == decoded(kind, fields)
    assert decoded(2, [T, 17, 2, 2, 16_000] + list(range(12))).reading.temperature_dc == 7
    assert list(records.clock_fields(pack([T, 3, -40, "later"]))) == [3, -40]
    assert records.sample_series(pack([T, 17, 2, 3, None])) == (17, 2, "clock")
    assert records.transaction_number(1, pack([T, 17])) == 17


def test_what_is_too_short_or_unknown_is_refused():
    for kind, fields, _ in KINDS.values():
        with raises(ValueError):
            records.clock_fields(pack(fields[:-1])) if kind == 5 else decoded(kind, fields[:-1])
    for kind in (0, 7, 99):
        with raises(ValueError):
            decoded(kind, [T] * 7)
    for context in (-1, 7):
        with raises(ValueError):
            decoded(2, [T, 17, 2, context, None])
        with raises(ValueError):
            records.sample_series(pack([T, 17, 2, context, None]))
    for time in ([], [3], [3, 5, 6]):
        with raises(ValueError):
            records.time_of(pack([time]))
    for read in (records.clock_fields, records.sample_series, lambda data: records.transaction_number(1, data)):
        with raises(ValueError):
            read(pack([T]))


def test_a_time_before_the_clock_was_known_is_rebased():
    assert records.time_of(pack([T])) == (None, T) and records.time_of(pack([[3, 5]])) == (3, 5)
    for kind, fields, _ in KINDS.values():
        record = decoded(kind, [[3, 5]] + fields[1:], lambda boot, seconds: 1000 * boot + seconds)
        assert record.t == 3005
