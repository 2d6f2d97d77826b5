"""The life of a fault: debounce, blocking, and each kind of recovery."""

from harness import raises

from firmware.boards.contacts import CONTACTS
from firmware.evse.faults import MAX_RETRIES, RETRY_AFTER_MS, Fault, Faults, names

# How long a cause has to last, and to be gone, in ms; nothing for all others.
_TIMES = {
    "contactor_welded": (250, 0),
    "contactor_stuck_open": (250, 0),
    "rcd_tripped": (50, 0),
    "overcurrent": (5_000, 0),
    "cp_open": (55, 1_000),
    "diode": (100, 0),
    "pp_invalid": (500, 0),
    "phase_loss": (3_000, 10_000),
    "overvoltage": (2_000, 10_000),
    "undervoltage": (3_000, 10_000),
    "imbalance": (6_000, 0),
}
_OF_THE_VEHICLE = ("cp_short", "cp_open", "diode", "ventilation", "pp_invalid")


class _Recorder(Faults):
    """Keeps what became active or over as (name, on)."""

    def __init__(self):
        super().__init__()
        self.unplugged = False
        self.events = []

    def changed(self):
        before = [fault.name for fault in self.active]
        super().changed()
        after = [fault.name for fault in self.active]
        self.events += [(name, False) for name in before if name not in after]
        self.events += [(name, True) for name in after if name not in before]


def _faults():
    faults = _Recorder()
    return faults, faults.events


def test_texts_fit_into_a_status_report():
    for name in names():
        fault = Fault(name)
        assert 0 < len(fault.code) <= 50 and 0 < len(fault.text) <= 50, fault.name
        assert fault.recovery in ("auto", "supply", "again", "unplug", "retry", "latched")
    assert len(set(names())) == len(list(names()))


def test_the_times_of_each_fault():
    assert (RETRY_AFTER_MS, MAX_RETRIES) == (900_000, 3)
    for name in names():
        fault = Fault(name)
        assert (fault.debounce_ms, fault.clear_ms) == _TIMES.get(name, (0, 0)), name
        assert fault.vehicle == (name in _OF_THE_VEHICLE), name


def test_every_contact_of_a_protective_device_is_a_fault():
    for name in CONTACTS:
        assert name in ("stop", "emergency") or Fault(name).blocks


def test_a_cause_must_last():
    faults, events = _faults()
    watch = faults.watch("diode")
    debounce = Fault("diode").debounce_ms
    watch.see(True, 0)
    watch.see(True, debounce - 1)
    watch.see(False, debounce)
    watch.see(True, debounce + 1)
    assert events == []
    watch.see(True, 2 * debounce + 1)
    assert events == [("diode", True)] and faults.blocking


def test_auto_clears_when_the_cause_has_been_gone_long_enough():
    faults, events = _faults()
    watch = faults.watch("overvoltage")
    for now in range(0, 2_020, 20):
        watch.see(True, now)
    assert faults.blocking
    watch.see(False, 3_000)
    watch.see(False, 12_980)
    assert faults.blocking
    watch.see(False, 13_000)
    assert not faults.blocking and events == [("overvoltage", True), ("overvoltage", False)]


def test_unplug_waits_for_the_vehicle_to_go():
    faults, _ = _faults()
    watch = faults.watch("overcurrent")
    watch.see(True, 0)
    watch.see(True, 7_000)
    watch.see(False, 100_000)
    assert faults.blocking
    faults.unplugged = True
    watch.see(False, 100_020)
    assert not faults.blocking


def test_retry_three_times_after_15_minutes_then_latched():
    faults, _ = _faults()
    watch = faults.watch("rcd_tripped")
    now = 0
    for _ in range(MAX_RETRIES):
        watch.see(True, now)
        watch.see(True, now + 50)
        assert watch.active and not watch.latched
        watch.see(False, now + 50 + RETRY_AFTER_MS - 1)
        assert watch.active
        now += 50 + RETRY_AFTER_MS
        watch.see(False, now)
        watch.see(False, now)
        assert not watch.active
    watch.see(True, now)
    watch.see(True, now + 50)
    assert watch.latched
    faults.unplugged = True
    watch.see(False, now + 10 * RETRY_AFTER_MS)
    assert watch.active
    watch.clear()
    assert not watch.active and not watch.latched


def test_unplugging_cancels_the_retries():
    """All three have been used when the vehicle goes; the next one has three of its own."""
    faults, _ = _faults()
    watch = faults.watch("rcd_tripped")
    now = 0
    for vehicle in range(2):
        faults.unplugged = False
        for attempt in range(MAX_RETRIES):
            watch.see(True, now)
            watch.see(True, now + 50)
            assert watch.active and not watch.latched, (vehicle, attempt)
            now += 50 + RETRY_AFTER_MS
            watch.see(False, now)
            assert not watch.active
        faults.unplugged = True
        watch.see(False, now + 20)
        now += 1_000


def test_a_transient_fault_waits_for_unplugging_at_the_third_time_in_10_minutes():
    """V8."""
    faults, _ = _faults()
    watch = faults.watch("diode")
    for now, over in ((0, True), (300_000, True), (600_000, True), (950_000, True), (1_199_999, False)):
        watch.see(True, now)
        watch.see(True, now + 100)
        assert faults.blocking
        faults.resting = True
        watch.see(False, now + 200)
        assert faults.blocking
        faults.resting = False
        watch.see(False, now + 220)
        assert faults.blocking != over, now
    faults.unplugged = True
    watch.see(False, 1_300_000)
    watch.see(False, 1_300_020)
    faults.unplugged = False
    watch.see(True, 1_310_000)
    watch.see(True, 1_310_100)
    watch.see(False, 1_310_200)
    assert not faults.blocking


def test_a_fault_from_elsewhere_with_words_of_its_own():
    faults, events = _faults()
    faults.raise_fault("other", 1_000, "SPD TRIPPED", "x" * 80)
    assert faults.active[0].code == "SPD TRIPPED" and len(faults.active[0].text) == 50
    assert faults.active[0].name == "other" and faults.blocking
    faults.raise_fault("other", 1_100, "SPD TRIPPED", "again")
    assert faults.active[0].text == "again"
    faults.clear_fault("other")
    faults.step(1_120)
    assert faults.active == () and events[-1] == ("other", False)
    faults.raise_fault("other", 2_000)
    assert faults.active[0].code == Fault("other").code  # words do not stay for the next time


def test_worst_first_and_a_warning_does_not_block():
    faults, _ = _faults()
    faults.raise_fault("reader_lost", 0)
    faults.raise_fault("meter_lost", 0)
    assert not faults.blocking
    faults.raise_fault("lock_failed", 0)
    faults.raise_fault("contactor_welded", 0)
    assert [fault.name for fault in faults.active] == ["contactor_welded", "lock_failed", "meter_lost", "reader_lost"]
    assert faults.blocking


def test_a_raised_fault_whose_cause_is_also_seen_stays():
    faults, events = _faults()
    watch = faults.watch("cp_short")
    faults.raise_fault("cp_short", 0)
    faults.clear_fault("cp_short")
    for now in range(20, 200, 20):
        watch.see(True, now)
        faults.step(now)
    assert events == [("cp_short", True)]
    watch.see(False, 200)
    faults.step(200)
    assert events[-1] == ("cp_short", False)


def test_unknown_fault():
    with raises(KeyError):
        _faults()[0].raise_fault("gremlins", 0)


def test_nothing_is_known_at_the_beginning():
    faults = Faults()
    assert (faults.active, faults.blocking, faults.unplugged, faults.resting) == ((), False, True, False)
    assert not faults.proving and faults.trouble_ms < 0


def test_15_minutes_count_from_the_beginning_of_a_fault():
    faults, _ = _faults()
    watch = faults.watch("rcd_tripped")
    for now in (0, 50, 700_000, 700_050):
        watch.see(True, now)
    watch.see(False, 900_049)
    assert watch.active
    watch.see(False, 900_050)
    assert not watch.active


def test_a_cause_that_comes_again_has_to_be_gone_as_long_as_before():
    faults, _ = _faults()
    watch = faults.watch("cp_open")
    for cause, now in ((True, 0), (True, 55), (False, 100), (True, 1_000), (False, 1_020), (False, 2_019)):
        watch.see(cause, now)
    assert watch.active
    watch.see(False, 2_020)
    assert not watch.active


def _trying():
    """A supply that has failed and is good again; a vehicle waits for the closing that proves it."""
    faults, _ = _faults()
    faults.proving = True
    watch = faults.watch("undervoltage")
    for cause, now in ((True, 0), (True, 3_000), (False, 3_020), (False, 13_019)):
        watch.see(cause, now)
    assert faults.blocking
    faults.resting = True
    watch.see(False, 13_020)
    assert faults.blocking, "not in the pause"
    faults.resting = False
    watch.see(False, 13_040)
    assert watch.active and not faults.blocking
    return faults, watch


def test_a_supply_that_is_tried_is_reported_and_does_not_block():
    faults, watch = _trying()
    watch.see(False, 14_000)
    assert watch.active and not faults.blocking
    faults.proving = False
    watch.see(False, 14_020)
    assert not watch.active and faults.active == ()


def test_a_supply_that_is_tried_blocks_again_when_it_is_low_for_as_long_as_before():
    faults, watch = _trying()
    for cause, now in ((True, 20_000), (False, 22_000), (True, 23_000), (True, 25_999)):
        watch.see(cause, now)
        assert not faults.blocking, now
    watch.see(True, 26_000)
    assert faults.blocking
    watch.see(False, 26_020)
    watch.see(False, 36_019)
    assert faults.blocking, "gone for 10 s again"
    watch.see(False, 36_020)
    assert not faults.blocking


def test_a_fault_that_is_cleared_begins_its_debounce_anew():
    faults, _ = _faults()
    watch = faults.watch("diode")
    watch.see(True, 0)
    watch.clear()
    for now, active in ((99, False), (198, False), (199, True)):
        watch.see(True, now)
        assert watch.active == active, now


def test_what_changes_nothing_leaves_the_same_object():
    faults, _ = _faults()
    faults.raise_fault("reader_lost", 0)
    active = faults.active
    faults.watch("diode").clear()
    faults.raise_fault("reader_lost", 20)
    faults.step(20)
    assert faults.active is active


def test_other_words_for_a_fault_that_is_over_change_nothing():
    faults, _ = _faults()
    faults.raise_fault("reader_lost", 0, None, "no answer")
    assert faults.active[0].text == "no answer" and faults.active[0].code == Fault("reader_lost").code
    faults.raise_fault("reader_lost", 0, "NFC", None)
    assert faults.active[0].code == "NFC" and faults.active[0].text == Fault("reader_lost").text
    faults.raise_fault("reader_lost", 0, "x" * 80, None)
    assert faults.active[0].code == "x" * 50


def test_only_what_blocks_is_trouble():
    faults, _ = _faults()
    faults.raise_fault("reader_lost", 10)
    faults.step(20)
    assert faults.trouble_ms < 0
    faults.raise_fault("other", 30)
    assert faults.trouble_ms == 30
    faults.step(40)
    assert faults.trouble_ms == 40
    faults.clear_fault("other")
    faults.step(60)
    assert faults.trouble_ms == 40


def test_a_raised_fault_is_looked_after_until_its_recovery_ends_it():
    faults, _ = _faults()
    faults.raise_fault("overcurrent", 0)
    for now in (20, 40):
        faults.step(now)
    faults.clear_fault("overcurrent")
    for now in (60, 80):
        faults.step(now)
        assert faults.blocking
    faults.unplugged = True
    faults.step(100)
    assert not faults.blocking
    faults.raise_fault("overcurrent", 120)
    faults.clear_fault("overcurrent")
    faults.step(140)
    assert not faults.blocking


def test_after_an_exception_a_debounce_begins_anew_and_what_is_active_stays():
    faults, _ = _faults()
    diode = faults.watch("diode")
    diode.see(True, 0)
    faults.raise_fault("other", 0, "SPD TRIPPED", "surge")
    faults.settle()
    assert faults.active[0].text == "surge"
    for now, names_ in ((99, ["other"]), (198, ["other"]), (199, ["other", "diode"])):
        diode.see(True, now)
        assert [fault.name for fault in faults.active] == names_, now
    faults.settle()
    assert [fault.name for fault in faults.active] == ["other", "diode"]


def test_a_fault_between_two_others_is_named_between_them():
    faults, _ = _faults()
    for name in ("contactor_welded", "lock_failed", "other", "emergency_stop", "reader_lost", "overcurrent"):
        faults.raise_fault(name, 0)
    assert [fault.name for fault in faults.active] == [
        name for name in names() if name in [fault.name for fault in faults.active]
    ]


def test_a_fault_that_is_raised_again_and_again_is_looked_at_once_a_step():
    faults, _ = _faults()
    for now in (0, 20, 40):
        faults.raise_fault("other", now)
    looks = []
    faults.watch("other").review = looks.append
    faults.step(60)
    assert looks == [60]
