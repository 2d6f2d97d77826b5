"""The parts of the charging task: what one of them raises is its own affair."""

from charging_bench import Bench
from harness import FakeClock

from firmware.charging.rows import Rows
from firmware.charging.task import Turn
from firmware.kernel.log import Log
from firmware.store.records import BEGIN, END


class Part:
    """A step that raises while it is told to."""

    def __init__(self):
        self.broken = True
        self.calls = 0

    def step(self):
        self.calls += 1
        if self.broken:
            raise MemoryError("swept")


def test_a_part_that_raises_is_called_again_and_reported_once_a_minute():
    clock, part, told = FakeClock(), Part(), []
    log = Log(clock)
    turn = Turn("part", part.step, clock, log, told.append)
    for _ in range(700):
        turn.take()
        clock.advance(100)
    assert part.calls == 700 and told == [True] and len(list(log.lines())) == 2
    part.broken = False
    turn.take()
    assert told == [True, False]


async def test_one_connector_that_raises_leaves_the_other_ones_session_alone():
    bench = Bench(connectors=2)
    await bench.run(100)
    part = Part()
    bench.station.connector(1).session.tell = part.step
    bench.plug(2)
    await bench.station.swipe("CARD")
    await bench.run(1_000)
    bench.evses[1].set_state("C")
    await bench.run(2_500)
    assert bench.station.status(2).state == "charging" and part.calls > 20
    assert [fault.name for fault in bench.evses[0].faults] == ["control_failed"] and not bench.evses[1].faults


async def test_a_begin_that_breaks_off_goes_on_with_the_same_transaction():
    bench = Bench()
    await bench.run(100)
    metering = bench.station.connector(1).metering
    count_from = metering.count_from

    def interrupted(wh):
        metering.count_from = count_from
        raise MemoryError("swept")

    metering.count_from = interrupted
    await bench.charging()
    await bench.station.swipe("CARD")
    await bench.run(2_000)
    bench.unplug()
    await bench.run(8_000)
    assert [record.kind for record in bench.records(BEGIN, END)] == [BEGIN, END]
    assert [event for event, _ in bench.events] == ["start", "stop"]


async def test_a_plug_whose_news_breaks_off_is_seen_with_the_next_step():
    bench = Bench()
    await bench.charging()
    session = bench.station.connector(1).session
    stop = session.stop

    def interrupted(*args):
        session.stop = stop
        raise MemoryError("swept")

    session.stop = interrupted
    try:
        bench.unplug()
    except MemoryError:
        pass  # where no app takes what observers raise
    await bench.run(8_000)
    assert bench.transaction is None and [reason for _, reason, _ in bench.ends()] == ["unplugged"]


def test_rows_that_could_not_be_written_are_written_later():
    class History:
        works = False

        def __init__(self):
            self.rows = []

        def settle(self, connector, number, journal):
            pass

        def began(self, transaction):
            if not self.works:
                raise OSError(5)
            self.rows.append(("start", transaction.number))

        def ended(self, transaction):
            self.rows.append(("stop", transaction.number))

    class Charge:
        number = 7
        connector_id = 1

    clock, history = FakeClock(), History()
    rows = Rows(history, None, clock)
    try:
        rows.follow("start", Charge())
    except OSError:
        pass
    rows.follow("stop", Charge())
    assert history.rows == []
    history.works = True
    clock.advance(10_000)
    rows.step()
    assert history.rows == [("start", 7), ("stop", 7)]
