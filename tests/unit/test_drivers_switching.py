"""drivers/contactor, lock, rcd, button and indicator above pins in memory."""

from harness import raises, run

from firmware.drivers.button import Button, Buttons
from firmware.drivers.contactor import Contactor
from firmware.drivers.indicator import PATTERNS, Indicator
from firmware.drivers.lock import Lock
from firmware.drivers.rcd import Rcd


class Pin:
    def __init__(self, level=0, log=None, name=""):
        self.level = level
        self.log = log
        self.name = name

    def __call__(self, level=None):
        if level is None:
            return self.level
        if self.log is not None and level != self.level:
            self.log.append((self.name, level))
        self.level = level


def contactor():
    pins = [Pin() for _ in range(4)]
    return Contactor(*pins), pins


def test_contactor_closes_one_or_three_phases():
    switch, (l1, l23, _, _) = contactor()
    for closed, phases, levels in ((True, 3, (1, 1)), (True, 1, (1, 0)), (False, 3, (0, 0)), (False, 1, (0, 0))):
        switch.drive(closed, phases)
        assert (l1(), l23()) == levels


def test_the_neutral_closes_first_and_opens_last():
    log = []
    switch = Contactor(Pin(log=log, name="l1"), Pin(log=log, name="l23"))
    switch.drive(True, 3)
    switch.drive(False, 3)
    assert log == [("l1", 1), ("l23", 1), ("l23", 0), ("l1", 0)]


def test_closed_means_every_ordered_phase():
    switch, (_, _, aux_l1, aux_l23) = contactor()
    switch.drive(True, 3)
    aux_l1(1)
    assert switch.is_closed() is False
    aux_l23(1)
    assert switch.is_closed() is True
    switch.drive(True, 1)
    aux_l23(0)
    assert switch.is_closed() is True


def test_open_means_every_phase():
    switch, (_, _, aux_l1, aux_l23) = contactor()
    switch.drive(False, 3)
    assert switch.is_closed() is False
    aux_l23(1)  # L2/L3 welded
    assert switch.is_closed() is True
    assert switch.contacts() == (False, True)


def test_auxiliary_contacts_that_are_not_fitted():
    assert Contactor(Pin(), Pin()).is_closed() is None
    one = Contactor(Pin(), aux_l1=Pin(1))
    assert one.is_closed() is True and not one.can_switch_phases


def lock(feedback=None, **values):
    forward, backward = Pin(), Pin()
    return Lock(forward, backward, feedback, pulse_ms=400, **values), forward, backward


def test_a_lock_is_driven_by_one_pulse_and_then_rests():
    bolt, forward, backward = lock(Pin())
    bolt.drive(True)
    on = []
    for now in range(0, 2000, 20):
        bolt.drive(True)
        bolt.step(now)
        assert backward() == 0
        if forward():
            on.append(now)
    assert on == list(range(0, 400, 20))


def test_the_motor_is_never_driven_both_ways_and_rests_before_it_reverses():
    bolt, forward, backward = lock(Pin())
    bolt.drive(True)
    bolt.step(0)
    bolt.drive(False)
    ended = reversed_at = None
    for now in range(20, 2000, 20):
        bolt.step(now)
        assert not (forward() and backward())
        if not forward() and ended is None:
            ended = now
        if backward() and reversed_at is None:
            reversed_at = now
    assert ended == 400
    assert reversed_at >= ended + 100
    assert forward() == backward() == 0


def test_a_lock_does_not_move_before_somebody_decides():
    bolt, forward, backward = lock(Pin())
    for now in range(0, 1000, 20):
        bolt.step(now)
        assert forward() == backward() == 0


def test_the_feedback_contact_tells_the_position_in_its_polarity():
    assert lock(Pin(1))[0].is_locked() is True
    assert lock(Pin(0))[0].is_locked() is False
    assert lock(Pin(0), feedback_locked=0)[0].is_locked() is True


def test_a_halted_pulse_ends_at_once_and_the_next_order_counts_again():
    device, forward, backward = lock()
    device.drive(True)
    device.step(0)
    assert forward()
    device.halt()
    assert not forward() and not backward()
    device.step(100)
    assert not forward() and not backward()
    device.drive(True)
    device.step(200)
    assert forward()


def test_without_feedback_the_position_is_believed_after_the_pulse():
    bolt, _, _ = lock()
    bolt.drive(True)
    bolt.step(0)
    assert bolt.is_locked() is False
    bolt.step(400)
    assert bolt.is_locked() is True
    bolt.drive(False)
    bolt.step(600)
    assert bolt.is_locked() is False


def test_rcd_trip_and_test_in_their_polarity():
    trip, test = Pin(), Pin()
    rcd = Rcd(trip, test)
    assert not rcd.is_tripped() and rcd.can_test
    trip(1)
    assert rcd.is_tripped()
    rcd.test(True)
    assert test() == 1
    rcd.test(False)
    assert test() == 0
    test = Pin(0)
    low_active = Rcd(Pin(0), test, trip_level=0, test_level=0)
    assert low_active.is_tripped() and test() == 1  # no test current after power-on
    without = Rcd(Pin())
    without.test(True)
    assert not without.can_test


def test_a_bounce_is_no_press():
    pin = Pin(1)
    button = Button(pin)
    for level, changed, pressed in ((0, False, False), (1, False, False), (0, False, False), (0, True, True)):
        pin(level)
        assert button.poll() is changed and button.pressed is pressed


def test_buttons_tell_connector_and_name_of_what_changes():
    stop, emergency = Pin(1), Pin(0)  # the emergency chain is broken from the beginning
    told = []
    polls = []

    async def sleep(ms):
        polls.append(ms)
        if len(polls) == 4:
            stop(0)
        if len(polls) == 8:
            raise OSError  # ends the task

    buttons = Buttons(sleep)
    buttons.add(1, "stop", Button(stop))
    buttons.add(2, "emergency", Button(emergency))
    buttons.changed.connect(lambda *what: told.append(what))
    with raises(OSError):
        run(buttons.run(lambda: None))
    assert told == [(2, "emergency", True), (1, "stop", True)]
    assert polls[0] == 20


class Lamp:
    def __init__(self):
        self.duties = []

    def duty_u16(self, duty):
        self.duties.append(duty)


def light(**values):
    lamps = [Lamp() for _ in range(3)]
    return Indicator(*lamps, **values), lamps


def colour(lamps):
    return tuple(lamp.duties[-1] for lamp in lamps)


def test_a_steady_light_is_written_once():
    indicator, lamps = light()
    indicator.show("free")
    for now in range(0, 1000, 20):
        indicator.step(now)
    assert [lamp.duties for lamp in lamps] == [[0], [65_535], [0]]


def test_brightness_dims():
    indicator, lamps = light(brightness=50)
    indicator.show("free")
    indicator.step(0)
    assert 32_000 < colour(lamps)[1] < 33_000


def test_blinking_and_breathing_go_from_dark_to_full():
    for name, lamp in (("faulted", 0), ("charging", 2)):
        indicator, lamps = light()
        indicator.show(name)
        for now in range(0, 4000, 20):
            indicator.step(now)
        assert min(lamps[lamp].duties) == 0 and max(lamps[lamp].duties) > 64_000


def test_a_flash_ends_by_itself():
    indicator, lamps = light()
    indicator.show("out of service")
    indicator.flash("accepted")
    seen = set()
    for now in range(0, 3000, 20):
        indicator.step(now)
        seen.add(colour(lamps))
    assert (0, 65_535, 0) in seen
    assert colour(lamps) == (65_535, 0, 0)


def test_an_unknown_pattern_is_a_visible_fault_and_not_an_exception():
    indicator, lamps = light()
    indicator.show("no such state")
    indicator.step(0)
    assert colour(lamps) == (65_535, 0, 0)


def test_every_pattern_stays_within_what_a_pwm_takes():
    for name in PATTERNS:
        indicator, lamps = light()
        indicator.show(name)
        for now in range(0, 4000, 130):
            indicator.step(now)
        for lamp in lamps:
            assert min(lamp.duties) >= 0 and max(lamp.duties) <= 65_535
