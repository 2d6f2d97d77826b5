"""The life of a lock's tries, to the millisecond, without a connector round it."""

from firmware.evse.lock_supervision import LockSupervision


class _Lock:
    """A LockSupervision whose wish and feedback a test sets."""

    def __init__(self, closed=False):
        self.lock = LockSupervision()
        self.now = 0
        self.wanted = closed
        self.closed = closed

    def step(self, ms):
        self.now += ms
        self.lock.step(self.wanted, self.closed, self.now)
        lock = self.lock
        return lock.drive, lock.confirmed, lock.failed

    def gives_up(self):
        """Steps through all tries; returns [ms each drive level lasted]."""
        lasted = []
        level, since = self.step(0)[0], self.now
        while not self.lock.failed:
            if self.step(10)[0] != level or self.lock.failed:
                lasted.append(self.now - since)
                level, since = self.lock.drive, self.now
            assert self.now < 60_000
        return lasted


def test_a_lock_begins_open_and_unconfirmed():
    lock = LockSupervision()
    assert (lock.drive, lock.confirmed, lock.failed) == (False, False, False)
    for now in range(0, 10_000, 100):
        lock.step(False, False, now)
        assert (lock.drive, lock.confirmed, lock.failed) == (False, False, False)


def test_no_lock_is_a_confirmed_one():
    lock = _Lock()
    lock.wanted, lock.closed = True, None
    assert lock.step(0) == (False, True, False)
    assert lock.step(10_000) == (False, True, False)
    lock.closed = False  # one whose contact is read for the first time
    assert lock.step(10) == (True, True, False)
    assert lock.step(250) == (True, False, False)


def test_a_bolt_that_is_out_at_power_on_has_three_pulls():
    lock = _Lock(True)
    lock.wanted = False
    assert lock.gives_up() == [1_000, 700, 1_000, 700, 1_000]


def test_another_wish_has_all_its_tries_whatever_the_contact_shows():
    lock = _Lock()
    for wanted in (True, False, True):
        lock.wanted, lock.closed = wanted, not wanted
        assert lock.gives_up() == [1_000, 700, 1_000, 700, 1_000]


def test_three_tries_of_1000_ms_with_700_ms_between_them():
    for wanted in (True, False):
        lock = _Lock(not wanted)
        lock.step(0)
        lock.wanted = wanted
        for _ in range(2):  # another wish starts again, and so does retry()
            assert lock.gives_up() == [1_000, 700, 1_000, 700, 1_000]
            assert (lock.lock.drive, lock.lock.confirmed, lock.lock.failed) == (False, False, True)
            lock.wanted = not wanted
            assert lock.step(10) == (not wanted, not wanted, False)
            lock.wanted = wanted


def test_a_try_that_succeeds_is_forgotten():
    lock = _Lock()
    lock.step(0)
    lock.wanted = True
    lock.step(0)
    lock.step(1_000)
    lock.step(700)
    lock.closed = True
    assert lock.step(10) == (True, True, False)
    lock.closed = False
    assert lock.step(0) == (True, True, False)  # may be chatter
    assert lock.step(249) == (True, True, False)
    assert lock.step(1) == (True, False, False)  # lost: all three tries are left, the first begins now
    assert lock.gives_up() == [1_000, 700, 1_000, 700, 1_000]


def test_feedback_while_driven_the_other_way_confirms_nothing():
    """Between two tries the bolt is pulled back: where it is then says nothing about the next try."""
    lock = _Lock()
    lock.wanted = True
    lock.step(0)
    assert lock.step(1_000) == (False, False, False)
    lock.closed = True
    assert lock.step(100) == (False, False, False)


def test_chatter_is_counted_from_its_last_beginning():
    lock = _Lock()
    lock.wanted = True
    lock.step(0)
    lock.closed = True
    lock.step(10)
    for _ in range(5):
        lock.closed = False
        lock.step(10)
        assert lock.step(200)[1]
        lock.closed = True
        assert lock.step(10)[1]


def test_a_bolt_that_does_not_come_out_is_pulled_at_every_30_s():
    lock = _Lock(True)
    lock.step(0)
    lock.wanted = False
    lock.gives_up()
    for _ in range(3):
        assert lock.step(29_999)[0] is False and lock.step(1)[0] is True
        assert lock.step(699)[0] is True and lock.step(1)[0] is False
        assert lock.lock.failed
    lock.closed = False
    assert lock.step(10) == (False, False, False)


def test_retry_is_for_a_lock_that_has_failed():
    for wanted in (True, False):
        lock = _Lock(not wanted)
        lock.step(0)
        lock.wanted = wanted
        lock.step(0)
        lock.lock.retry()
        assert lock.step(10)[0] is wanted  # goes on with what it does
        lock.gives_up()
        lock.step(5_000)
        lock.lock.retry()
        assert lock.step(10) == (not wanted, False, False)
        assert lock.gives_up() == [700, 1_000, 700, 1_000, 700, 1_000]
