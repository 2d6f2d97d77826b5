"""What OCPP 1.6 makes of verdicts on tokens, of the registration, and of a meter's look (§4.1, §4.2, §4.8, §4.10)."""

from harness import FakeClock, raises, run

from firmware.kernel.log import WARNING, Log
from firmware.kernel.reading import Reading
from firmware.ocpp.errors import CallError
from firmware.ocpp.registration import ACCEPTED, NONE, PENDING, REJECTED
from firmware.ocpp.v16.measurands import Look, decimal, is_fitted, resolve
from firmware.ocpp.v16.rules import Rules
from firmware.ocpp.v16.version import Ocpp16
from firmware.store.journal import BEGIN, END


class Record:
    def __init__(self, kind, token="TAG"):
        self.kind = kind
        self.tx = 7
        self.token = token


class Station:
    def __init__(self):
        self.authoriser = self
        self.heard = []

    def confirmed(self, tx, token, info):
        self.heard.append(("confirmed", tx, token, info.status))

    def learn(self, token, info):
        self.heard.append(("learned", token, info.status))


class Bench:
    """A version of OCPP without its profiles."""

    def __init__(self):
        self.version = object.__new__(Ocpp16)
        self.station = self.version._station = Station()
        self.log = self.version._log = Log(FakeClock())

    def delivered(self, kind, response, token="TAG"):
        self.version.delivered(Record(kind, token), response)
        heard, self.station.heard = self.station.heard, []
        return heard


def info(status):
    return {"idTagInfo": {"status": status}}


def test_the_verdict_on_a_begin_counts_for_its_session_and_only_accepted_is_accepted():
    # OCPP 1.6 §4.8
    bench = Bench()
    assert bench.delivered(BEGIN, info("Accepted")) == [("confirmed", 7, "TAG", "accepted")]
    assert bench.delivered(BEGIN, info("Blocked")) == [("confirmed", 7, "TAG", "blocked")]
    assert not list(bench.log.lines(WARNING))
    assert bench.delivered(BEGIN, info(None)) == [("confirmed", 7, "TAG", "invalid")]
    assert len(list(bench.log.lines(WARNING))) == 1
    assert bench.delivered(BEGIN, {"idTagInfo": None}) == [("confirmed", 7, "TAG", "invalid")]
    for nothing in (None, {}):
        assert bench.delivered(BEGIN, nothing) == []  # the earlier decision stays


def test_the_verdict_on_an_end_is_remembered():
    # OCPP 1.6 §4.10
    bench = Bench()
    assert bench.delivered(END, info("Blocked")) == [("learned", "TAG", "blocked")]
    assert (
        bench.delivered(END, info(None))
        == bench.delivered(END, info("Blocked"), None)
        == bench.delivered(END, {})
        == []
    )


def test_a_token_that_is_none_is_not_asked_for():
    bench = Bench()
    asked = []

    async def call(action, payload, transmissions, patience_s):
        asked.append(payload["idTag"])
        return info("Accepted")

    for token, status in (("", "invalid"), ("x" * 21, "invalid"), ("x", "accepted"), ("x" * 20, "accepted")):
        assert run(bench.version.authorize(call, token)).status == status
    assert asked == ["x", "x" * 20]

    async def nothing(*arguments):
        return {}

    assert run(bench.version.authorize(nothing, "x")) is None

    async def refused(*arguments):
        raise CallError("InternalError")

    with raises(OSError):
        run(bench.version.authorize(refused, "x"))


def test_a_verdict_on_the_station_has_an_interval_or_none():
    version = Bench().version
    assert version.verdict({"status": "Accepted", "interval": 7}) == ("Accepted", 7)
    assert version.verdict({"status": "Pending"}) == ("Pending", 0)
    assert version.verdict({"interval": None}) == (None, 0)


def test_what_a_station_sends_and_answers_by_its_registration():
    # §4.2: (what it is asked for, calls)
    assert Rules.registration == {
        NONE: (False, True),
        ACCEPTED: (True, True),
        PENDING: (True, True),
        REJECTED: (False, False),
    }
    rules = Rules()
    assert rules.payload(None) == {} and rules.payload([]) == [] and rules.payload({"a": 1}) == {"a": 1}


def test_power_in_one_direction():
    look = Look(Reading(power_w=-300, powers_w=(100, None, -400), export_wh=5))
    assert look.imported_w == (0, 100, None, 0) and look.exported_w == (300, 0, None, 400)
    look = Look(Reading(power_w=3000, powers_w=(3000,)))
    assert look.imported_w == (3000,) and look.exported_w is None
    look = Look(Reading(power_w=5000, powers_w=(2000, 3000)))
    assert look.imported_w == (5000, 2000, 3000)
    look = Look(Reading(export_wh=5))
    assert look.imported_w is None and look.exported_w is None


def test_the_offered_power_is_that_of_the_phases_there_are():
    for currents, watts in ((None, 3_680), ((0,), 3_680), ((0, 0, 0), 11_040)):
        assert Look(Reading(currents_ma=currents), 16_000).offered_w == watts
    assert Look(Reading(), None).offered_w is None and Look(Reading(), 0).offered_w == 0


def test_the_interval_is_never_negative():
    for before, now, expected in ((1000, 1010, 10), (1000, 990, 0), (None, 5, None), (5, None, None), (0, 0, 0)):
        assert Look(Reading(energy_wh=now), 0, before).interval_wh == expected


def test_decimals_are_exact():
    for value, scale, text in (
        (16_000, 3, "16.0"),
        (5, 3, "0.005"),
        (-5, 1, "-0.5"),
        (0, 2, "0.0"),
        (123, 0, "123"),
        (230_150, 3, "230.15"),
    ):
        assert decimal(value, scale) == text


def test_measurands_in_any_case_and_of_a_phase():
    assert resolve("Voltage") == resolve("voltage") == ("Voltage", None)
    assert resolve("current.import.l2") == ("Current.Import", "L2")
    for wrong in ("Voltage.L4", "Volts", "Volts.L1", "", "L1"):
        with raises(ValueError):
            resolve(wrong)


def test_a_measurand_is_fitted_where_the_meter_has_it():
    reading = Reading(energy_wh=1, power_w=2, currents_ma=(3,))
    fitted = [
        item
        for item in (
            "Energy.Active.Import.Register",
            "Energy.Active.Import.Interval",
            "Power.Offered",
            "Current.Offered",
            "Current.Import",
            "Voltage",
            "Temperature",
        )
        if is_fitted(item, reading)
    ]
    assert fitted == [
        "Energy.Active.Import.Register",
        "Energy.Active.Import.Interval",
        "Power.Offered",
        "Current.Offered",
        "Current.Import",
    ]
