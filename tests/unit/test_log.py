"""The log: what it keeps, for how long, and that no line from outside disturbs it."""

from harness import FakeClock, raises

from firmware.kernel.log import ERROR, INFO, WARNING, Log, level_of


def test_lines_come_back_as_they_were_added():
    clock = FakeClock(1_000_000)
    log = Log(clock)
    log.info("evse 1", "state %s", "C")
    log.error("rpc", "äöü\ttab")
    (unix, *first), second = log.lines()
    assert unix == clock.now() and first == [INFO, "evse 1", "state C"]
    assert second[1:] == (ERROR, "rpc", "äöü\ttab")
    assert [line[3] for line in log.lines(ERROR)] == ["äöü\ttab"]


def test_the_newest_lines_fit_into_the_size():
    log = Log(FakeClock(), size=500)
    for number in range(100):
        log.info("area", "line %d", number)
        kept = [line[3] for line in log.lines()]
        assert kept == ["line %d" % i for i in range(number + 1 - len(kept), number + 1)]
        assert number < 15 or 10 <= len(kept) <= 30


def test_a_line_of_a_peer_stays_one_line_of_bounded_length():
    log = Log(FakeClock())
    log.info("a\nb", "x\ny" * 200)
    ((_, _, area, text),) = log.lines()
    assert area == "a b" and text.startswith("x yx y") and len(text) == 240


def test_the_sink_gets_what_is_kept():
    got = []
    log = Log(FakeClock(), level=WARNING, sink=got.append)
    log.info("a", "dropped")
    log.warning("a", "%d", 1)
    assert got == list(log.lines())
    with raises(ValueError):
        level_of("loud")


def test_reading_ends_although_the_reader_logs():
    log = Log(FakeClock())
    log.info("a", "one")
    for _ in log.lines():
        log.info("a", "again")
    assert len(list(log.lines())) == 2
