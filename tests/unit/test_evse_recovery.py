"""V2: the pauses of a connector whose control has failed, to the millisecond."""

from evse_site import SiteEvse
from harness import FakeClock

from firmware.evse.limits import STATE_F, STEADY


class _Failing:
    """A connector whose pilot driver raises when it is broken."""

    def __init__(self):
        self.clock = FakeClock()
        self.evse = SiteEvse(self.clock)
        self.drivers = self.evse.drivers
        self.drivers.error = ValueError("a defect")
        for _ in range(100):
            self.tick(20)

    def tick(self, ms):
        """Returns True when the connector was tried."""
        self.drivers.calls.clear()
        self.clock.advance(ms)
        self.evse.tick()
        return "sample" in self.drivers.calls

    def fails(self, after_ms=20):
        self.drivers.broken = ("sample",)
        assert self.tick(after_ms)
        self.drivers.broken = ()

    def rests(self, ms):
        """It is not tried before `ms`, and is then."""
        assert not self.tick(1) and not self.tick(ms - 2)
        assert self.tick(1)

    def proves(self):
        """The fault ends a second after it was tried again, and not before."""
        assert not self.tick(0) or self.evse.names == ["control_failed"]
        assert self.tick(999) and self.evse.names == ["control_failed"]
        assert self.tick(1) and self.evse.names == []


def test_a_second_of_rest_and_a_second_of_proof():
    site = _Failing()
    site.fails()
    assert site.evse.names == ["control_failed"] and site.drivers.duty == STATE_F
    site.rests(1_000)
    site.proves()


def test_a_connector_that_is_tried_begins_anew_once():
    site = _Failing()
    site.fails()
    site.rests(1_000)
    assert site.drivers.testing, "the self-test of the RCD belongs to a beginning"
    for _ in range(16):
        site.tick(20)
    assert site.drivers.duty == STEADY and site.evse.names == ["control_failed"]


def test_a_failure_counts_as_a_first_one_after_10_minutes_of_work():
    for worked_ms, pause_ms in ((599_999, 2_000), (600_000, 1_000)):
        site = _Failing()
        site.fails()
        site.rests(1_000)
        site.proves()
        site.fails(worked_ms)
        site.rests(pause_ms)


def test_a_failure_in_the_second_of_proof_doubles_the_pause_up_to_a_minute():
    site = _Failing()
    site.fails()
    for pause_s in (1, 2, 4, 8, 16, 32, 60, 60):
        site.rests(pause_s * 1_000)
        site.fails()
    site.rests(60_000)
    site.proves()


def test_who_goes_while_it_rests_takes_the_pause_along():
    """V5, V8: the next vehicle does not wait for what the last one had."""
    site = _Failing()
    evse = site.evse
    evse.wishes.permitted = True
    evse.plug_in()
    for _ in range(50):
        site.tick(20)
    assert evse.offered_ma
    evse.raise_fault("other")
    site.tick(20)
    evse.clear_fault("other")
    site.tick(20)
    site.drivers.broken = ("sample",)
    for gone in (False, True):
        if gone:
            evse.pull_out()
        for _ in range(200):
            site.tick(20)
        assert evse.names == ["control_failed"] and evse.recovering
    site.drivers.broken = ()
    for _ in range(500):
        site.tick(20)
    assert evse.names == [] and not evse.recovering
