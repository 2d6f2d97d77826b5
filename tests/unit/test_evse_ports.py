"""What a connector reads of its drivers and writes to them, and when; what a failing driver stands for."""

from evse_site import SiteEvse
from harness import FakeClock

from firmware.evse.limits import STATE_F
from firmware.evse.missing import NoIndicator, NoLock, NoProximity, NoRcd, NoThermistor
from firmware.evse.ports import Drivers
from firmware.kernel.log import Log


class _Site:
    def __init__(self, number=1, ms=2_000, **options):
        self.clock = FakeClock()
        self.log = Log(self.clock)
        self.evse = SiteEvse(self.clock, number=number, log=self.log, **options)
        self.drivers = self.evse.drivers
        self.run(ms)

    def tick(self, ms=20):
        """Returns the calls of one tick."""
        self.drivers.calls.clear()
        self.clock.advance(ms)
        self.evse.tick()
        return list(self.drivers.calls)

    def run(self, ms):
        for _ in range(ms // 20):
            self.tick()

    def charge(self):
        self.evse.wishes.permitted = True
        self.evse.plug_in()
        self.run(2_000)
        self.evse.set_state("C")
        self.run(2_000)
        assert self.evse.charging
        return self

    def breaks(self, *calls):
        self.drivers.broken = calls

    def failed(self):
        return [fault.text for fault in self.evse.faults if fault.name == "other"]

    def lines(self, word):
        return [line for line in self.log.lines() if word in line[3]]


def test_cable_and_temperature_are_read_every_100_ms_and_twins_take_turns():
    for number in (1, 2):
        site = _Site(number, 0)
        read = []
        for ms in range(20, 420, 20):
            if "ohm" in site.tick():
                read.append(ms)
        assert read == [number * 20 + 100 * i for i in range(4)], number


def test_a_held_loop_leaves_reads_out_and_keeps_their_rhythm():
    site = _Site(ms=120)  # read at 120
    assert "ohm" in site.tick(250)
    read = [ms for ms in range(390, 640, 10) if "ohm" in site.tick(10 if ms > 390 else 20)]
    assert read == [420, 520, 620]


def test_outputs_are_written_when_they_change_and_the_contactor_each_time():
    site = _Site()
    site.evse.plug_in()
    site.run(1_000)
    for _ in range(3):
        calls = site.tick()
        assert "contactor.drive" in calls
        for call in ("pilot.drive", "disconnect", "test", "lock.drive"):
            assert call not in calls, call
    site.evse.wishes.hold_plug = True
    assert site.tick().count("lock.drive") == 1
    site.evse.wishes.permitted = True
    site.run(5_000)
    site.evse.limits.set("ocpp", 10_000)
    calls = site.tick()
    assert [call for call in calls if call in ("pilot.drive", "disconnect", "test", "lock.drive")] == ["pilot.drive"]


def test_the_first_step_writes_every_output_but_the_bolt():
    site = _Site(ms=0)
    calls = site.tick()
    for call in ("contactor.drive", "pilot.drive", "disconnect", "test"):
        assert calls.count(call) == 1, call
    assert "lock.drive" not in calls, "nobody has decided"


def test_the_pilot_is_cut_and_connected_by_its_switch():
    site = _Site()
    site.evse.wishes.permitted = True
    site.evse.plug_in()
    cuts = []
    for _ in range(95_000 // 20):
        calls = site.tick()
        if "disconnect" in calls:
            cuts.append(site.drivers.cut)
            assert "pilot.drive" not in calls
    assert cuts == [True, False]


def test_making_safe_writes_everything_again():
    site = _Site().charge()
    site.evse.fail_safe()
    calls = site.tick()
    for call in ("contactor.drive", "pilot.drive", "disconnect", "test", "lock.drive"):
        assert calls.count(call) == 1, call


def test_making_safe_reaches_each_driver_and_logs_each_that_fails():
    for call in ("contactor.drive", "pilot.drive", "disconnect", "lock.halt", "test"):
        site = _Site().charge()
        site.breaks(call)
        site.drivers.error = ValueError("a defect of " + call)
        site.drivers.calls.clear()
        site.evse.fail_safe()
        assert site.drivers.calls == ["contactor.drive", "pilot.drive", "disconnect", "lock.halt", "test"], call
        assert len(site.lines("a defect of")) == 1
        assert call == "contactor.drive" or not site.drivers.closed
        assert call == "pilot.drive" or site.drivers.duty == STATE_F


def test_a_driver_that_fails_is_named_once_until_it_has_been_quiet_for_5_s():
    site = _Site()
    for call, name in (
        ("sample", "pilot"),
        ("is_closed", "contactor"),
        ("is_tripped", "rcd"),
        ("is_locked", "lock"),
        ("ohm", "proximity"),
        ("temperature_dc", "thermistor"),
        ("contactor.drive", "contactor"),
    ):
        site.breaks(call)
        site.run(200)
        site.breaks()
        assert site.failed() == ["driver failed: " + name], call
        assert len(site.lines(name + " driver")) == 1, call
        site.run(30_000)
        assert "other" not in site.evse.names
        site = _Site()


def test_two_drivers_that_fail_are_both_named():
    site = _Site()
    site.breaks("sample", "is_locked")
    site.run(100)
    assert site.evse.faults[0].text == "driver failed: pilot, lock"
    assert len(site.lines("driver:")) == 2


def test_5_s_of_quiet_to_the_millisecond():
    site = _Site()
    site.breaks("is_closed")
    site.tick()
    site.breaks()
    site.tick(4_999)
    assert site.evse.names == ["other"]
    site.tick(1)  # it is quiet; the fault ends with the next step
    assert site.evse.names == ["other"]
    site.tick(1)
    assert site.evse.names == []


def test_an_output_that_fails_is_named_too():
    for call, name in (("test", "rcd"), ("lock.drive", "lock"), ("pilot.drive", "pilot")):
        site = _Site(ms=0 if call == "test" else 2_000)
        site.breaks(call)
        site.evse.plug_in()
        site.evse.wishes.hold_plug = True
        site.evse.wishes.permitted = True
        site.run(300)
        assert site.failed() == ["driver failed: " + name], call


def _reading(call):
    """What the inputs' readings are, by what the connector says of them, while a driver's call fails."""
    site = _Site().charge()
    site.breaks(call)
    site.run(3_000)
    return site.evse


def test_a_reading_that_fails_is_the_one_that_opens():
    """Whatever the driver said before."""
    assert "cp_open" in _reading("sample").names
    assert "rcd_tripped" in _reading("is_tripped").names
    assert _reading("is_locked").locked is False
    assert _reading("lock.step").locked is False
    assert _reading("ohm").cable_ma is None
    evse = _reading("temperature_dc")
    assert evse.temperature_dc is None and "temperature_sensor" in evse.names


def test_what_is_not_fitted_answers_like_a_part_that_is_no_obstacle():
    drivers = Drivers()
    for part, kind in (
        (drivers.proximity, NoProximity),
        (drivers.lock, NoLock),
        (drivers.rcd, NoRcd),
        (drivers.thermistor, NoThermistor),
        (drivers.indicator, NoIndicator),
    ):
        assert isinstance(part, kind) and part.fitted is False
    assert drivers.proximity.ohm() is None and drivers.lock.is_locked() is None
    assert drivers.rcd.is_tripped() is None and drivers.rcd.can_test is False
    assert drivers.thermistor.temperature_dc() is None
    assert (drivers.indicator.brightness, drivers.indicator.repeat) == (100, 0)
    assert drivers.pilot is None and drivers.contactor is None
