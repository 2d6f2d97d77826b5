"""What the station sends of its own accord, part by part: registration, heartbeat, requested messages, their order."""

import asyncio

from folder import fresh_folder
from harness import FakeClock, raises, settle

from firmware.kernel.log import WARNING, Log
from firmware.ocpp.cursor import Cursor, sequence_floor
from firmware.ocpp.errors import CallError, LinkDown, RpcTimeout
from firmware.ocpp.heartbeat import Heartbeat
from firmware.ocpp.registration import ACCEPTED, NONE, PENDING, REJECTED, Registrar, Registration
from firmware.ocpp.requested import Requested
from firmware.ocpp.sender import Sender
from firmware.ocpp.transmissions import Transmissions
from firmware.ocpp.waker import Waker
from firmware.store.registry import SETTINGS
from firmware.store.settings import Settings
from firmware.store.statefile import StateFile

# verdict -> (sends what it is asked for, answers calls), OCPP 1.6 §4.2
RULES = {NONE: (False, True), ACCEPTED: (True, True), PENDING: (True, False), REJECTED: (False, False)}


class Version:
    """The messages of a version of OCPP."""

    def __init__(self):
        self.identity = {"model": "A"}

    def boot(self):
        return "Boot", dict(self.identity)

    def verdict(self, response):
        return response.get("status"), response.get("interval", 0)

    def heartbeat(self):
        return "Heartbeat", {}

    def time_in(self, response):
        return response.get("time")


class Station:
    """`answers` are what the back-end says next: payloads, exceptions or functions."""

    def __init__(self, folder=None):
        self.folder = folder or fresh_folder()
        self.clock = FakeClock()
        self.log = Log(self.clock)
        self.settings = Settings(self.folder + "/settings", SETTINGS)
        self.address = "ws://a/cp"
        self.state = StateFile(self.folder + "/registration")
        self.registration = Registration(self.state, lambda: self.address, self.clock, RULES)
        self.version = Version()
        self.answers = []
        self.calls = []
        self.registrar = Registrar(self.registration, self.version, self.call, self.log)
        self.taken = []
        self.registrar.serve(lambda *verdict: self.taken.append(verdict))
        self.heartbeat = Heartbeat(self.registration, self.version, self.call, self.settings, self.clock, self.log)
        self.woken = 0
        self.requested = Requested(self.registration, self.call, self.log, self.wake)

    def wake(self):
        self.woken += 1

    async def call(self, action, payload):
        self.calls.append((action, payload))
        await asyncio.sleep(0)
        answer = self.answers.pop(0) if self.answers else {}
        if isinstance(answer, Exception):
            raise answer
        return answer() if callable(answer) else answer

    async def boot(self, answer):
        self.answers = [answer]
        await self.registrar.send()

    def warnings(self):
        return [line[3] for line in self.log.lines(WARNING)]


# -- registration


def test_what_a_station_may_do_by_the_verdict():
    station = Station()
    registration = station.registration
    assert (registration.status, registration.obeys, registration.answers) == (NONE, False, True)
    for status in (ACCEPTED, PENDING, REJECTED):
        registration.answered(status, 7)
        assert (registration.obeys, registration.answers) == RULES[status]
        assert registration.accepted == registration.current == registration.may_start == (status == ACCEPTED)


def test_the_interval_of_a_verdict_that_does_not_accept_is_waited_for():
    # OCPP 1.6 §4.2: 0 is the station's own choice
    station = Station()
    registration = station.registration
    assert registration.wait_ms() == 0
    for interval_s, waits_ms in ((7, 7_000), (1, 1_000), (0, 60_000), (-1, 60_000)):
        registration.answered(PENDING, interval_s)
        assert registration.wait_ms() == waits_ms
        station.clock.advance(waits_ms - 1)
        assert registration.wait_ms() == 1
        station.clock.advance(2)
        assert registration.wait_ms() == 0


def test_silence_doubles_the_wait_up_to_5_minutes_and_an_answer_ends_that():
    station = Station()
    registration = station.registration
    for waits_ms in (10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000):
        registration.unanswered()
        assert registration.wait_ms() == waits_ms
    registration.answered(PENDING, 5)
    registration.unanswered()
    assert registration.wait_ms() == 10_000
    registration.renew()
    assert registration.wait_ms() == 0 and registration.status == NONE


def test_an_accepted_station_may_start_after_a_power_cut_and_a_new_back_end_has_to_accept_it():
    # OCPP 1.6 §4.2.1
    station = Station()
    assert not station.registration.may_start
    station.address = ""
    assert station.registration.may_start  # there is no back-end
    station.address = "ws://a/cp"
    saves = []
    save = station.state.save
    station.state.save = lambda value: (saves.append(value), save(value))
    station.registration.answered(ACCEPTED, 5)
    station.registration.answered(ACCEPTED, 5)
    assert len(saves) == 1  # the flash keeps what it has
    again = Station(station.folder)
    assert again.registration.status == NONE and again.registration.may_start
    again.address = "ws://b/cp"
    assert not again.registration.may_start
    again.registration.answered(REJECTED, 5)
    again.address = "ws://a/cp"
    assert not again.registration.may_start  # what it says now counts


async def test_the_request_for_registration_is_sent_until_it_is_accepted():
    station = Station()
    registrar = station.registrar
    assert registrar.wait_ms() == 0 and not registrar.booted
    await station.boot({"status": PENDING, "interval": 3})
    assert registrar.wait_ms() == 3_000 and not registrar.booted
    registrar.ask()
    assert registrar.wait_ms() == 0
    await station.boot({"status": ACCEPTED, "interval": 9})
    assert registrar.wait_ms() is None and registrar.booted
    assert [(status, interval) for status, interval, _ in station.taken] == [(PENDING, 3), (ACCEPTED, 9)]
    assert station.taken[1][2] == {"status": ACCEPTED, "interval": 9}
    registrar.ask()
    assert registrar.wait_ms() == 0
    await station.boot({"status": REJECTED, "interval": 0})
    assert registrar.wait_ms() == 60_000 and not registrar.booted


async def test_an_answer_that_is_none_is_asked_for_again_and_a_lost_link_costs_no_wait():
    for answer in (RpcTimeout("silence"), CallError("InternalError"), {}):
        station = Station()
        await station.boot(answer)
        assert station.registrar.wait_ms() == 10_000 and not station.taken and len(station.warnings()) == 1
    station = Station()
    with raises(LinkDown):
        await station.boot(LinkDown())
    assert station.registrar.wait_ms() == 0 and not station.warnings()


async def test_a_station_that_has_changed_while_it_asked_says_it_again():
    station = Station()

    def changed():
        station.version.identity["model"] = "B"
        return {"status": ACCEPTED}

    await station.boot(changed)
    assert station.registration.accepted and not station.registration.current
    assert station.registrar.wait_ms() == 0
    await station.boot({"status": ACCEPTED})
    assert station.registration.current

    def broken(*verdict):
        raise MemoryError("swept")

    station.registrar.serve(broken)
    with raises(MemoryError):
        await station.boot({"status": ACCEPTED})
    assert not station.registration.current  # what follows an acceptance has not been done


# -- heartbeat


def accepted(interval_s=0):
    station = Station()
    station.registration.answered(ACCEPTED, 5)
    station.heartbeat.accepted(interval_s)
    return station


def test_the_heart_beats_at_the_interval_of_the_acceptance():
    # OCPP 1.6 §4.2, also one that the key does not allow
    for interval_s, beat_ms, key in ((30, 30_000, 30), (1, 1_000, 1), (0, 300_000, 300), (-1, 300_000, 300)):
        station = accepted(interval_s)
        assert station.heartbeat.wait_ms() == beat_ms
        assert station.settings.text("HeartbeatInterval") == str(key)
    station = accepted(30)
    station.clock.advance(29_999)
    assert station.heartbeat.wait_ms() == 1
    station.clock.advance(2)
    assert station.heartbeat.wait_ms() == 0
    station.settings.set("HeartbeatInterval", 60)
    station.heartbeat.setting_changed()
    assert station.heartbeat.wait_ms() == 60_000


def test_no_heart_beats_before_the_back_end_has_accepted_the_station():
    station = Station()
    assert station.heartbeat.wait_ms() is None
    station.heartbeat.setting_changed()
    station.registration.answered(ACCEPTED, 5)
    assert station.heartbeat.wait_ms() is None  # it is accepted, and nobody has planned one
    station.heartbeat.plan()
    assert station.heartbeat.wait_ms() == 300_000
    station.registration.outdated = True
    assert station.heartbeat.wait_ms() is None


def test_an_interval_that_cannot_be_kept_counts_until_the_next_start():
    station = accepted(1 << 40)
    assert station.heartbeat.wait_ms() == 1000 * (1 << 40) and station.settings.get("HeartbeatInterval") >= 10
    station = accepted()

    def refuse(*arguments):
        raise OSError(28)

    station.settings.set = refuse
    station.heartbeat.accepted(30)
    assert station.heartbeat.wait_ms() == 30_000 and len(station.warnings()) == 1


async def test_the_answer_to_a_heartbeat_sets_the_clock():
    # OCPP 1.6 §4.6
    station = accepted(30)
    station.clock.advance(30_000)
    station.answers = [{"time": "2027-03-01T00:00:00.250Z"}]
    await station.heartbeat.send()
    assert station.clock.now() == 1_803_859_200 and station.clock.source == "ocpp"
    assert station.heartbeat.wait_ms() == 30_000 and station.calls == [("Heartbeat", {})]
    for answer, warnings in (({}, 0), ({"time": "2023-12-31T23:59:59Z"}, 1), (RpcTimeout("silence"), 2)):
        station.answers = [answer]
        await station.heartbeat.send()
        assert station.clock.now() == 1_803_859_200 and len(station.warnings()) == warnings


async def test_a_heartbeat_that_was_asked_for_sets_the_clock_too():
    station = accepted(30)
    station.heartbeat.post(station.requested)
    station.answers = [{"time": "2027-03-01T00:00:00Z"}]
    await station.requested.send()
    assert station.calls == [("Heartbeat", {})] and station.clock.now() == 1_803_859_200


def test_the_first_plausible_second_is_believed():
    station = accepted(30)
    station.heartbeat.take_time({"time": "2024-01-01T00:00:00Z"})
    assert station.clock.now() == 1_704_067_200


# -- requested messages


async def test_requested_messages_go_in_turn_and_their_answers_are_handed_on():
    # OCPP 1.6 §4.2: a Pending station sends what it is asked for
    station = Station()
    requested, answers = station.requested, []
    assert not requested.busy and requested.wait_ms() is None
    requested.post("A", {"n": 1}, answers.append)
    requested.post("B", {})
    assert requested.busy and requested.wait_ms() is None and station.woken == 2  # nobody has accepted it
    station.registration.answered(PENDING, 5)
    assert requested.wait_ms() == 0
    station.answers = [lambda: {"busy": requested.busy}, {}]
    await requested.send()
    assert answers == [{"busy": True}] and requested.busy
    station.answers = [lambda: {"busy": answers.append(requested.busy)}]
    await requested.send()
    assert answers[1:] == [True]  # the last one is on its way
    assert station.calls == [("A", {"n": 1}), ("B", {})]
    assert not requested.busy and requested.wait_ms() is None


async def test_a_requested_message_that_fails_is_not_sent_again():
    station = Station()
    station.registration.answered(ACCEPTED, 5)
    for answer in (CallError("InternalError"), LinkDown()):
        station.requested.post("A", {})
        station.answers = [answer]
        await station.requested.send()
        assert not station.requested.busy
    assert len(station.warnings()) == 2
    station.requested.post("A", {})
    station.requested.clear()
    assert not station.requested.busy


async def test_16_requested_messages_wait_and_the_oldest_goes_first():
    station = Station()
    station.registration.answered(ACCEPTED, 5)
    for n in range(16):
        station.requested.post("A", {"n": n})
    assert not station.warnings()
    station.requested.post("A", {"n": 16})
    assert len(station.warnings()) == 1
    while station.requested.busy:
        await station.requested.send()
    assert [payload["n"] for _, payload in station.calls] == list(range(1, 17))


# -- the sender


class Source:
    def __init__(self, wait=None):
        self.wait = wait
        self.sent = 0
        self.booted = False
        self.busy = False
        self.error = None
        self.heard = []

    def wait_ms(self):
        return self.wait

    async def send(self):
        self.sent += 1
        if self.error:
            raise self.error
        self.wait = None

    def __getattr__(self, name):
        return lambda *arguments: self.heard.append((name,) + arguments)


class Connection:
    connected = True
    call = object()


def new_sender():
    sources = [Source() for _ in range(4)]
    clock = FakeClock()
    waker = Waker(clock)
    return Sender(Connection(), *sources, waker), sources, clock


async def test_the_most_urgent_source_sends_first_and_one_at_a_time():
    sender, sources, clock = new_sender()
    for source in sources:
        source.wait = 0
    order = []
    for source in sources:
        source.send = lambda source=source: sent(source)

    async def sent(source):
        order.append(sources.index(source))
        source.wait = None
        await asyncio.sleep(0)

    task = asyncio.create_task(sender.run(lambda: None))
    await settle()
    assert order == [0, 1, 2, 3]
    sources[2].wait = 500
    sources[3].wait = 900
    sender.wake()
    await settle()
    clock.advance(499)
    await settle()
    assert len(order) == 4
    sources[2].wait = 0
    clock.advance(1)  # woken by the clock
    await settle()
    assert order[4:] == [2]
    task.cancel()


async def test_nothing_is_sent_without_a_link_and_a_lost_one_is_waited_for():
    sender, sources, clock = new_sender()
    sender._connection.connected = False
    sources[0].wait = 5
    task = asyncio.create_task(sender.run(lambda: None))
    await settle()
    assert sources[0].sent == 0 and not clock._sleepers  # for ever: the link's signal wakes it
    sender._connection.connected = True
    sources[0].error = LinkDown()
    sources[0].wait = 0
    sender.wake()
    await settle()
    assert sources[0].sent == 1
    await clock.run_for(10_000)
    assert sources[0].sent == 1
    sender.wake()
    await settle()
    assert sources[0].sent == 2
    task.cancel()


def test_the_sender_hands_on_what_concerns_its_sources():
    sender, (registrar, heartbeat, requested, statuses), clock = new_sender()
    assert not sender.busy and not sender.booted and sender.clock is clock
    requested.busy = True
    assert sender.busy
    requested.busy, statuses.wait = False, 0
    assert sender.busy
    registrar.booted = True
    assert sender.booted
    woken = []
    sender.wake = lambda: woken.append(True)
    sender.post("A", {})
    assert requested.heard.pop() == ("post", "A", {}) and sender.call is Connection.call
    sender.accepted(30)
    sender.resume()
    sender.pause()
    sender.boot_now()
    sender.heartbeat_now()
    sender.interval_changed()
    sender.take_time({})
    assert registrar.heard == [("ask",)] and len(woken) == 2  # for the request and the new interval
    assert heartbeat.heard == [
        ("accepted", 30),
        ("plan",),
        ("post", requested),
        ("setting_changed",),
        ("take_time", {}),
    ]
    assert statuses.heard == [("report_all",), ("resume",), ("pause",)]
    sender.link_lost()
    assert not sender.booted and requested.heard == [("clear",)] and statuses.heard[3:] == [("pause",)]


# -- the place of delivery


class State:
    def __init__(self, value=None):
        self.value = value
        self.saved = []
        self.full = False

    def load(self):
        return self.value

    def save(self, value):
        if self.full:
            raise OSError(28)
        self.saved.append(value)


def test_the_cursor_is_saved_when_there_is_something_to_keep():
    log = Log(FakeClock())
    state = State()
    assert sequence_floor(state) == 0
    cursor = Cursor(state, log)
    assert (cursor.next, cursor.failures, cursor.number(1), cursor.local_transaction(1)) == (0, 0, None, None)
    cursor.save()
    assert state.saved == []
    cursor.keep(1, 17, 1001)
    cursor.keep(2, 18, -5)
    assert cursor.fail() == 1 and cursor.fail() == 2
    cursor.touch()
    state.full = True
    cursor.save()
    assert len(list(log.lines())) == 1
    state.full = False
    cursor.save()
    cursor.save()
    ((place, failures, *known),) = state.saved
    assert (place, failures) == (0, 2) and sorted(known) == [(1, 17, 1001), (2, 18, -5)]
    cursor.advance(9)
    assert (cursor.next, cursor.failures) == (9, 0)
    cursor.forget(1)
    cursor.forget(1)
    assert cursor.number(17) is None and cursor.number(18) == -5


def test_the_cursor_comes_back():
    state = State([9, 2, [1, 17, 1001], [2, 18, None]])
    cursor = Cursor(state, None)
    assert sequence_floor(state) == 9 and (cursor.next, cursor.failures) == (9, 2)
    assert (cursor.number(17), cursor.number(18), cursor.number(19)) == (1001, None, None)
    assert cursor.local_transaction(1001) == 17 and cursor.local_transaction(7) is None


# -- transmissions of one message


def test_each_transmission_has_one_answer_and_the_newest_16_are_known():
    told = []
    sent = Transmissions(lambda: told.append(True))
    assert sent.answer is None
    for n in range(18):
        sent.add("id%d" % n)
    assert [n for n in range(18) if sent.take("id%d" % n)] == list(range(2, 18))
    assert not sent.take("id5")
    sent.add("x")
    sent.keep("late")
    assert told == [True] and sent.answer == "late"
    assert sent.claim() == "late" and sent.claim() is None
    sent.keep("late")
    sent.end()
    assert sent.answer is None and not sent.take("x")


# -- errors and waits


def test_an_error_reads_as_its_code_and_what_it_says():
    error = CallError("InternalError", "no meter")
    assert str(error) == "InternalError: no meter" and error.args == ("InternalError", "no meter")
    assert str(CallError("InternalError")) == "InternalError" and error.details == {}


async def test_a_wait_ends_with_what_comes_first_and_leaves_no_alarm():
    clock = FakeClock()
    waker = Waker(clock)
    task = asyncio.create_task(waker.wait(1_000))
    await settle()
    waker.wake()
    await settle()
    assert task.done() and not clock._sleepers
    task = asyncio.create_task(waker.wait(1_000))
    await clock.run_for(999)
    assert not task.done()
    await clock.run_for(1)
    assert task.done()
