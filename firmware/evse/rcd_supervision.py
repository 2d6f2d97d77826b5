"""RCD supervision (RDC-DD, IEC 62955): the trip input, and the self-test that proves that it still trips."""

from micropython import const

from firmware.evse.faults import MAX_RETRIES, RETRY_AFTER_MS

_TEST_EVERY_MS = const(86_400_000)  # at the latest; also at boot, on each return to A and after a trip
# Common devices answer within 740 ms and accept a test level of 30 ms to 1.2 s.
_RESPONSE_MS = const(1_000)
_LEAST_LEVEL_MS = const(40)  # minimum duration of the level, even if the answer comes at once
# They release within 2.1 s; plus a margin of a second.
_RELEASE_MS = const(3_000)
_SWITCHING_MS = const(1_000)  # no test right after switching, which disturbs the measurement

_IDLE = const(0)
_RESPOND = const(1)  # test level on, waiting for the trip
_RELEASE = const(2)  # test level off, waiting for the trip to go


class RcdSupervision:
    """Runs the self-test, never with a closed contactor. Attributes:

    tripped  the device reports a residual current (not during a test)
    test     level of the test line
    passed   the last test passed and none is due: energy may flow
    failed   the last test failed
    """

    def __init__(self, can_test=True):
        self._can_test = can_test
        self.tripped = False
        self.test = False
        self.passed = False
        self.failed = False
        self._due = True  # boot
        self._retries = 0
        self._phase = _IDLE
        self._since = 0
        self._tested_at = 0
        self._was_closed_at = None

    def unplugged(self):
        """After unplugging a test is due. After a failed test the retries start again, unless they are used up."""
        if self._phase == _IDLE and self._retries < MAX_RETRIES:
            self._retries = 0
            self._due = True

    def step(self, tripped, closed, vehicle_away, now_ms):
        """Takes the trip output; the contactor is or should be closed; the pilot is in A."""
        if closed:
            self._was_closed_at = now_ms
            if self._phase != _IDLE:  # closing waits for `passed`, but a test must never hide a trip
                self._end(False, now_ms)
        if self._phase == _IDLE:
            self.tripped = tripped
            if not self._can_test:
                self.passed = not tripped
                return
            if tripped or (vehicle_away and self.passed and now_ms - self._tested_at >= _TEST_EVERY_MS):
                self._due = True
            elif self.failed and self._retries < MAX_RETRIES and now_ms - self._tested_at >= RETRY_AFTER_MS:
                self._retries += 1
                self._due = True
            if self._due:
                self.passed = False
                if not tripped and self._quiet(now_ms):
                    self._enter(_RESPOND, now_ms)
        elif self._phase == _RESPOND:
            if tripped and now_ms - self._since >= _LEAST_LEVEL_MS:
                self._enter(_RELEASE, now_ms)
            elif now_ms - self._since >= _RESPONSE_MS:
                self._end(False, now_ms)
        elif not tripped:
            self._end(True, now_ms)
        elif now_ms - self._since >= _RELEASE_MS:
            self._end(False, now_ms)

    def _quiet(self, now_ms):
        return self._was_closed_at is None or now_ms - self._was_closed_at >= _SWITCHING_MS

    def _enter(self, phase, now_ms):
        self._phase = phase
        self._since = now_ms
        self.test = phase == _RESPOND

    def _end(self, passed, now_ms):
        self._enter(_IDLE, now_ms)
        self._due = False
        self._tested_at = now_ms
        self.passed = passed
        self.failed = not passed
        if passed:
            self._retries = 0
