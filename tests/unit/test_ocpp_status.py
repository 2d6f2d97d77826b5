"""StatusNotification: table of transitions, error codes, duration, and what is said after a time without a link."""

from harness import FakeClock, raises

from firmware.evse.faults import names
from firmware.kernel.clock import iso8601
from firmware.kernel.signal import Signal
from firmware.ocpp.v16.status import StatusReporter, between, error_code, may_follow
from firmware.ocpp.v16.words import STATES

WORDS = "Available Preparing Charging SuspendedEV SuspendedEVSE Finishing Reserved Unavailable Faulted".split()
STATES_OF = {word: state for state, word in STATES.items()}


class Fault:
    def __init__(self, name, code="EVSE F1", text="text"):
        self.name = name
        self.code = code
        self.text = text


class Status:
    """A status of the station, by the word of OCPP for it."""

    def __init__(self, word, fault=None, info=""):
        self.state = STATES_OF[word]
        self.fault = fault
        self.info = info


class Station:
    def __init__(self):
        self.status_changed = Signal()
        self.connectors = (1,)
        self._status = {0: Status("Available", None, ""), 1: Status("Available", None, "")}

    def status(self, n):
        return self._status[n]

    def set(self, state, fault=None, info="", n=1):
        self._status[n] = Status(state, fault, info)
        self.status_changed.emit(n, self._status[n])


class Settings:
    def __init__(self, duration_s=0):
        self.values = {"MinimumStatusDuration": duration_s, "ChargePointVendor": "Vendor"}

    def get(self, name):
        return self.values[name]


class Bench:
    def __init__(self, duration_s=0):
        self.clock = FakeClock()
        self.station = Station()
        self.reporter = StatusReporter(self.station, Settings(duration_s), self.clock, lambda: None)

    def sent(self):
        """Acknowledges everything that is due and returns (connector, status) of it."""
        result = []
        while True:
            payload = self.reporter.next()
            if payload is None:
                return result
            result.append((payload["connectorId"], payload["status"]))
            self.reporter.sent(payload)


def test_the_table_is_that_of_the_specification():
    # §4.9 with errata 3.20 (B6); A6, B7, B8, F3-F5, G3-G6, H6-H8 do not exist
    assert may_follow("Finishing", "Preparing")
    for old, new in (
        ("Available", "Finishing"),
        ("Preparing", "Unavailable"),
        ("Preparing", "Reserved"),
        ("Finishing", "Charging"),
        ("Reserved", "Charging"),
        ("Unavailable", "Finishing"),
        ("Unavailable", "Reserved"),
        ("Charging", "Preparing"),
    ):
        assert not may_follow(new, old)
    assert [word for word in WORDS if not may_follow(word, "Faulted")] == ["Faulted"]
    assert sum(may_follow(new, old) for old in WORDS for new in WORDS) == 53


def test_a_word_is_inserted_where_two_do_not_follow_each_other():
    assert between("Finishing", "Charging") == "Preparing"
    assert between("Reserved", "Charging") == "Preparing"
    assert between("Preparing", "Charging") is None
    for old in WORDS:
        for new in WORDS:
            word = between(old, new)
            if word is None:
                assert old == new or may_follow(new, old)
            else:
                assert may_follow(word, old) and may_follow(new, word)


def test_connector_zero_and_all_others_are_reported_after_acceptance():
    # errata 3.22
    bench = Bench()
    bench.reporter.report_all()
    assert bench.sent() == [(0, "Available"), (1, "Available")]


def test_every_change_is_reported_in_order_while_online():
    bench = Bench()
    bench.reporter.report_all()
    bench.sent()
    for state in ("Preparing", "SuspendedEV", "Charging", "SuspendedEV", "Charging"):
        bench.station.set(state)
    assert [state for _, state in bench.sent()] == ["Preparing", "SuspendedEV", "Charging", "SuspendedEV", "Charging"]


def test_a_forbidden_jump_goes_by_a_word_that_may_stand_between():
    bench = Bench()
    bench.station.set("Finishing")
    bench.reporter.report_all()
    bench.sent()
    bench.station.set("Charging")
    assert [state for _, state in bench.sent()] == ["Preparing", "Charging"]


def test_after_a_time_offline_only_the_current_status_is_sent_if_it_changed():
    # trap 25, §4.9 rules 1 and 3
    bench = Bench()
    bench.reporter.report_all()
    bench.sent()
    bench.reporter.pause()
    for state in ("Preparing", "Charging", "Finishing"):
        bench.station.set(state)
    assert bench.sent() == []
    bench.reporter.resume()
    assert bench.sent() == [(1, "Finishing")]

    bench.reporter.pause()
    bench.station.set("Available")
    bench.station.set("Preparing")
    bench.station.set("Finishing")
    bench.reporter.resume()
    assert bench.sent() == []


def test_a_status_that_was_not_acknowledged_is_sent_after_the_reconnect():
    bench = Bench()
    bench.reporter.report_all()
    bench.sent()
    bench.station.set("Preparing")
    bench.reporter.next()  # sent, and no answer before the link goes
    bench.reporter.pause()
    bench.reporter.resume()
    assert bench.sent() == [(1, "Preparing")]


def test_what_may_have_been_heard_is_put_right():
    # A reservation is told, the link goes before the answer, and the reservation expires.
    bench = Bench()
    bench.reporter.report_all()
    bench.sent()
    bench.station.set("Reserved")
    bench.reporter.failed(bench.reporter.next())
    bench.reporter.pause()
    bench.station.set("Available")
    bench.reporter.resume()
    assert bench.sent() == [(1, "Available")]


def test_what_may_have_been_heard_is_put_right_while_the_link_lasts():
    bench = Bench()
    bench.reporter.report_all()
    bench.sent()
    bench.station.set("Reserved")
    bench.reporter.failed(bench.reporter.next())
    bench.station.set("Available")
    assert bench.sent() == [(1, "Available")]


def test_without_an_answer_the_connector_is_left_alone_for_a_while():
    bench = Bench()
    bench.reporter.report_all()
    bench.sent()
    bench.station.set("Finishing")
    payload = bench.reporter.next()
    assert payload["status"] == "Preparing"  # stands between
    bench.reporter.failed(payload)
    assert bench.reporter.next() is None and bench.reporter.wait_ms() == 10_000
    bench.clock.advance(10_000)
    assert bench.sent() == [(1, "Preparing"), (1, "Finishing")]


def test_minimum_status_duration_delays_and_omits():
    # trap 25
    bench = Bench(duration_s=5)
    bench.reporter.report_all()
    bench.sent()
    bench.station.set("Preparing")
    bench.clock.advance(4_999)
    assert bench.sent() == []
    bench.station.set("Charging")  # Preparing has lasted less than 5 s
    assert bench.reporter.wait_ms() == 5_000
    bench.clock.advance(5_000)
    assert bench.sent() == [(1, "Charging")]


def test_a_status_that_comes_back_within_the_duration_is_no_change():
    bench = Bench(duration_s=5)
    bench.reporter.report_all()
    bench.sent()
    bench.station.set("Preparing")
    bench.station.set("Available")
    bench.clock.advance(10_000)
    assert bench.sent() == []


def test_the_timestamp_is_that_of_the_change_and_follows_the_clock():
    bench = Bench()
    bench.clock.unix = 1_800_000_000
    bench.station.set("Preparing")
    bench.clock.advance(60_000)
    assert bench.reporter.payload(1)["timestamp"] == "2027-01-15T08:00:00Z"
    bench.clock.set_unix(1_800_003_660, "ocpp")
    assert bench.reporter.payload(1)["timestamp"] == "2027-01-15T09:00:00Z"


def test_a_fault_brings_code_text_and_vendor_within_their_limits():
    bench = Bench()
    bench.station.set("Faulted", Fault("rcd_tripped", "c" * 60, "t" * 60))
    payload = bench.reporter.payload(1)
    assert payload["errorCode"] == "GroundFailure"
    assert payload["vendorErrorCode"] == "c" * 50
    assert payload["info"] == "t" * 50
    assert payload["vendorId"] == "Vendor"


def test_without_a_fault_there_are_no_empty_fields():
    # strict back-ends refuse empty strings
    assert sorted(Bench().reporter.payload(0)) == ["connectorId", "errorCode", "status", "timestamp"]


def test_a_warning_keeps_the_status():
    # trap 24
    assert error_code(Status("Charging", Fault("derated"), "")) == "HighTemperature"


def test_ev_communication_error_belongs_to_four_words_only():
    # §4.9
    assert error_code(Status("SuspendedEV", Fault("diode"), "")) == "EVCommunicationError"
    assert error_code(Status("Faulted", Fault("diode"), "")) == "OtherError"


def test_every_error_code_is_one_of_the_specification():
    known = (
        "ConnectorLockFailure EVCommunicationError GroundFailure HighTemperature InternalError LocalListConflict "
        "NoError OtherError OverCurrentFailure PowerMeterFailure PowerSwitchFailure ReaderFailure ResetFailure "
        "UnderVoltage OverVoltage WeakSignal"
    ).split()
    codes = {name: error_code(Status("Preparing", Fault(name), "")) for name in names()}
    assert all(code in known for code in codes.values())
    others = [name for name, code in codes.items() if code == "OtherError"]
    assert set(others) == {"emergency_stop", "breaker_tripped", "spd_tripped", "other"}
    assert error_code(Status("Faulted", Fault("unheard_of"), "")) == "OtherError"


def test_a_change_that_could_not_be_queued_is_reported_later():
    # Memory that is short for a moment must not leave the back-end with an old status.
    woken = []
    settings, station = Settings(), Station()
    reporter = StatusReporter(station, settings, FakeClock(), lambda: woken.append(True))
    reporter.report_all()
    while reporter.next():
        reporter.sent(reporter.next())
    duration = settings.values.pop("MinimumStatusDuration")
    woken.clear()
    with raises(KeyError):
        station.set("Preparing")
    settings.values["MinimumStatusDuration"] = duration
    assert woken and reporter.wait_ms() == 0
    assert reporter.next()["status"] == "Preparing"


def test_the_queue_of_one_connector_is_bounded():
    bench = Bench()
    bench.reporter.report_all()
    bench.sent()
    for _ in range(100):
        bench.station.set("Charging")
        bench.station.set("SuspendedEV")
    sent = bench.sent()
    assert len(sent) <= 10
    assert sent[-1] == (1, "SuspendedEV")


def test_an_error_is_reported_each_time_and_only_while_online():
    # §3.5.2: LocalListConflict is no fault of the station
    bench = Bench()
    bench.reporter.error(0, "LocalListConflict")
    assert bench.reporter.wait_ms() is None
    bench.reporter.report_all()
    bench.sent()
    for _ in range(2):
        bench.clock.advance(5_000)
        bench.reporter.error(0, "LocalListConflict")
        assert bench.reporter.wait_ms() == 0
        payload = bench.reporter.next()
        assert (payload["connectorId"], payload["errorCode"]) == (0, "LocalListConflict")
        assert payload["timestamp"] == iso8601(bench.clock.now())
        bench.reporter.sent(payload)
        assert bench.reporter.wait_ms() is None


def test_a_fault_without_a_code_of_its_own_is_another_error():
    assert error_code(Status("Faulted")) == "OtherError" and error_code(Status("Unavailable")) == "NoError"


def test_nothing_waits_after_an_acceptance_or_a_lost_link():
    bench = Bench(duration_s=60)
    reporter = bench.reporter
    assert reporter.next() is None
    reporter.report_all()
    bench.sent()
    bench.station.set("Preparing")
    assert reporter.wait_ms() == 60_000
    reporter.pause()
    assert reporter.wait_ms() is None
    reporter.resume()  # what has changed is told without waiting
    assert reporter.wait_ms() == 0
    assert bench.sent() == [(1, "Preparing")]
    reporter.resume()
    assert reporter.wait_ms() is None
    bench.station.set("Charging")
    reporter.report_all()  # all are told anew, each once
    assert reporter.wait_ms() == 0
    assert bench.sent() == [(0, "Available"), (1, "Charging")]


def test_a_status_without_an_answer_is_sent_again_and_holds_up_its_own_connector_only():
    bench = Bench()
    reporter = bench.reporter
    reporter.report_all()
    payload = reporter.next()
    assert payload["connectorId"] == 0
    reporter.failed(payload)
    assert reporter.next()["connectorId"] == 1 and reporter.wait_ms() == 0
    reporter.sent(reporter.next())
    assert reporter.next() is None and reporter.wait_ms() > 0
    bench.clock.advance(reporter.wait_ms())
    assert reporter.next() is payload


def test_a_resumption_that_breaks_off_is_made_up_for():
    bench = Bench()
    bench.reporter.report_all()
    bench.sent()
    bench.reporter.pause()
    bench.station.set("Faulted", Fault("diode"))
    status = bench.station.status

    def interrupted(n):
        bench.station.status = status
        raise MemoryError("swept")

    bench.station.status = interrupted
    try:
        bench.reporter.resume()
        raise AssertionError("not interrupted")
    except MemoryError:
        pass
    assert bench.reporter.wait_ms() == 0 and bench.sent() == [(1, "Faulted")]
