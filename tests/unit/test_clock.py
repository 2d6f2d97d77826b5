"""The clock: Unix seconds inside, the board's epoch and wrapping ticks outside (OCPP 1.6 §3.15 for the text form)."""

from harness import raises

from firmware.kernel.clock import Clock, iso8601, parse_iso8601, read_time


class Ticks:
    """Ticks of a board: they wrap at 2**30 ms."""

    PERIOD = 1 << 30

    def __init__(self, start=0):
        self.value = start

    def ms(self):
        return self.value % self.PERIOD

    def diff(self, a, b):
        half = self.PERIOD // 2
        return (a - b + half) % self.PERIOD - half


def make(start=0, wall=None):
    ticks = Ticks(start)
    return ticks, Clock(ticks.ms, ticks.diff, wall=(lambda: wall) if wall else None)


def test_milliseconds_go_on_over_the_wrap_of_the_ticks():
    ticks, clock = make(start=Ticks.PERIOD - 100)
    clock.ms()
    ticks.value += 250
    assert clock.ms() == 250


def test_time_before_synchronisation_is_the_floor_plus_uptime():
    ticks, clock = make()
    clock.set_floor(1_800_000_000)
    ticks.value += 5_000
    assert clock.now() == 1_800_000_005
    assert not clock.synchronised


def test_setting_the_time_reports_the_step():
    ticks, clock = make()
    clock.set_floor(1_800_000_000)
    seen = []
    clock.changed.connect(lambda delta, source: seen.append((delta, source)))
    clock.set_unix(1_800_000_100, "ocpp")
    assert clock.synchronised and clock.source == "ocpp"
    assert clock.now() == 1_800_000_100
    assert seen == [(100, "ocpp")]


def test_a_worse_source_does_not_override_a_better_one():
    ticks, clock = make()
    clock.set_unix(1_800_000_000, "ntp")
    clock.set_unix(1_700_000_000, "ocpp")
    assert clock.now() == 1_800_000_000 and clock.source == "ntp"


def test_a_source_that_agrees_to_the_second_does_not_step_the_clock():
    ticks, clock = make()
    clock.set_unix(1_800_000_000, "ocpp")
    ticks.value += 700
    clock.set_unix(1_800_000_000, "ocpp")
    ticks.value += 300
    assert clock.now() == 1_800_000_001


def test_the_first_time_of_a_better_source_counts_to_the_millisecond():
    """A real-time clock in whole seconds is up to a second late, and so would be every timestamp."""
    ticks, clock = make(wall=1_790_000_000)
    seen = []
    clock.changed.connect(lambda delta, source: seen.append(delta))
    clock.set_unix(1_790_000_000, "ocpp", 400)
    assert seen == []
    ticks.value += 599
    assert clock.now() == 1_790_000_000
    ticks.value += 1
    assert clock.now() == 1_790_000_001
    clock.set_unix(1_790_000_000, "ocpp", 900)  # a message that took its time
    assert clock.now() == 1_790_000_001 and seen == []


def test_a_step_is_told_in_the_seconds_that_it_changes():
    ticks, clock = make(wall=1_790_000_000)
    seen = []
    clock.changed.connect(lambda delta, source: seen.append(delta))
    ticks.value += 800
    clock.set_unix(1_790_000_001, "ocpp", 100)
    assert seen == [1] and clock.now() == 1_790_000_001


def test_a_real_time_clock_that_lost_its_battery_is_not_believed():
    assert make(wall=1_000_000_000)[1].synchronised is False
    clock = make(wall=1_790_000_000)[1]
    assert clock.source == "rtc" and clock.now() == 1_790_000_000


def test_text_form_and_back():
    for unix, text in (
        (0, "1970-01-01T00:00:00Z"),
        (951_782_399, "2000-02-28T23:59:59Z"),
        (951_782_400, "2000-02-29T00:00:00Z"),
        (1_795_222_923, "2026-11-21T01:02:03Z"),
        (4_107_542_400, "2100-03-01T00:00:00Z"),
    ):
        assert iso8601(unix) == text
        assert parse_iso8601(text) == unix


def test_fractions_and_offsets_are_understood():
    assert parse_iso8601("2026-11-21T01:02:03.999999Z") == 1_795_222_923
    assert parse_iso8601("2026-11-21T03:02:03+02:00") == 1_795_222_923
    assert parse_iso8601("2026-11-20T20:32:03.5-0430") == 1_795_222_923
    assert parse_iso8601("2026-11-21T01:02:03") == 1_795_222_923


def test_milliseconds_of_a_time():
    for fraction, ms in (("", 0), (".5", 500), (",05", 50), (".123456", 123), (".999999999", 999)):
        for zone in ("", "Z", "+02:00", "-0430"):
            assert read_time("2026-11-21T01:02:03" + fraction + zone)[1] == ms


def test_every_form_of_a_time_whose_meaning_is_clear_is_read():
    # O8: what central systems write as currentTime
    moment = 1_795_222_923
    for value, expected in (
        ("2026-11-21T01:02:03Z", (moment, 0)),
        ("2026-11-21T01:02Z", (moment - 3, 0)),
        ("2026-11-21T01:02", (moment - 3, 0)),
        ("2026-11-21T02:02+01:00", (moment - 3, 0)),
        ("2026-11-21 01:02:03", (moment, 0)),
        ("2026-11-21T01:02:03.1234567Z", (moment, 123)),
        ("2026-11-21T01:02:03,5+00:00", (moment, 500)),
        ("2026-11-20T20:32:03.5-0430", (moment, 500)),
        ("2026-11-21T03:02:03.999+02", (moment, 999)),
        ("20261121T010203Z", (moment, 0)),
        ("20261121T010203.25Z", (moment, 250)),
        ("20261121T0102Z", (moment - 3, 0)),
        ("20261121T030203+0200", (moment, 0)),
        ("20261121 010203", (moment, 0)),
        ("20261121010203", (moment, 0)),
        ("20261121010203Z", (moment, 0)),
        ("20261121T01:02:03Z", (moment, 0)),
        ("2026-11-21T010203Z", (moment, 0)),
        (" 2026-11-21T01:02:03Z\n", (moment, 0)),
        ("2026-11-21 01:02:03 UTC", (moment, 0)),
        ("2026-11-21 02:02:03 +01:00", (moment, 0)),
        (moment, (moment, 0)),
        (str(moment), (moment, 0)),
        (moment * 1000 + 250, (moment, 250)),
        (str(moment * 1000 + 250), (moment, 250)),
        (moment + 0.5, (moment, 500)),
        (moment * 1000.0, (moment, 0)),
        (0, (0, 0)),
    ):
        assert read_time(value) == expected, value


def test_what_is_no_time_is_refused():
    # O8: rather no time than a wrong one
    for value in (
        None,
        True,
        [],
        {},
        "",
        " ",
        "now",
        "-1",
        -1,
        -1.5,
        1e30,
        1e999,
        1e999 - 1e999,
        10**15,
        "2026-11-21",
        "20261121",
        "2026-11-21Z",
        "2026-11-21T",
        "2026-11-21T01",
        "2026-11-21T01Z",
        "2026-11-21T1:2:3Z",
        "2026-11-21T01:0203Z",
        "2026-11-21T01:02:3Z",
        "2026-11-21T25:00Z",
        "2026-11-31T01:02Z",
        "20261131T010203Z",
        "20261121T01020Z",
        "20261121X010203Z",
        "2026-11-21T01:02:03 CET",
        "2026-11-21T01:02:03.Z",
        "21.11.2026 01:02:03",
        "11/21/2026 01:02",
        "01:02:03",
        "Sat, 21 Nov 2026 01:02:03 GMT",
        "2026-325T01:02:03Z",
        "1795222923.5",
        "9" * 100,
        "2026-11-21T01:02:03Z" + " " * 9 + "x" * 100,
    ):
        with raises(ValueError):
            read_time(value)


def test_a_request_is_read_to_the_letter():
    # O8: the wider reading is for answers
    for text in ("2026-11-21T01:02Z", "20261121T010203Z", "20261121010203", "2026-11-21 01:02:03 UTC", "1795222923"):
        with raises(ValueError):
            parse_iso8601(text)


def test_nonsense_is_refused():
    for text in (
        "",
        "yesterday",
        "2026-13-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00+25:00",
        "2026-01-01T00:00:00 CET",
        "2026-01-01X00:00:00Z",
        "2_26-01-01T00:00:00Z",
        None,
        5,
    ):
        with raises(ValueError):
            parse_iso8601(text)
