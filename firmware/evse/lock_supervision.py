"""Plug lock supervision: lock, verify, retry, give up (IEC 61851-1 D.6.5: no energy before the lock is confirmed)."""

from micropython import const

_TRIES = const(3)  # 4.4 s in all: a failed lock is reported within 5 s
_VERIFY_MS = const(1_000)  # a motor pulse takes 300 to 600 ms, then the feedback contact must settle
_PAUSE_MS = const(700)  # between two tries, driven the other way so that a jammed bolt comes free
_STUCK_MS = const(30_000)  # between two attempts to open a jammed bolt; long, to spare the motor
_LOST_MS = const(250)  # the feedback contact may chatter while the contactor switches


class LockSupervision:
    """Follows the commanded position with `drive`, the level for the lock's driver. Attributes:

    drive      True to lock
    confirmed  locked, by the feedback (True also if no lock is fitted)
    failed     the lock did not follow in three tries; `retry()` or a new command starts again

    A lock that does not open is tried again at long intervals for ever, because it blocks a cable or the socket.
    """

    def __init__(self):
        self.drive = False
        self.confirmed = False
        self.failed = False
        self._wanted = False
        self._again = False
        self._tries = 0
        self._since = 0  # start of the present drive level
        self._contrary_since = None

    def retry(self):
        """Lets a failed lock try again."""
        self._again = self.failed

    def step(self, wanted, closed, now_ms):
        """Takes the command and the feedback (True = locked, None = no lock fitted)."""
        if closed is None:
            self.confirmed = True
            return
        if wanted != self._wanted:
            self._wanted = wanted
            self._tries = 0
            self.failed = False
            self._drive(wanted, now_ms)
        elif self._again:
            self._tries = 0
            self.failed = False
            self._drive(not wanted, now_ms)
        self._again = False
        if closed == wanted:
            self._contrary_since = None
            if self.drive == wanted:
                self._tries = 0
                self.failed = False
                self.confirmed = wanted
            return
        if self.confirmed:
            if self._contrary_since is None:
                self._contrary_since = now_ms
            if wanted and now_ms - self._contrary_since < _LOST_MS:
                return
            self.confirmed = False
            self._since = now_ms
        if not self.failed:
            self._try(wanted, now_ms)
        elif not wanted and now_ms - self._since >= (_PAUSE_MS if self.drive else _STUCK_MS):
            self._drive(not self.drive, now_ms)

    def _try(self, wanted, now_ms):
        if self.drive != wanted:
            if now_ms - self._since >= _PAUSE_MS:
                self._drive(wanted, now_ms)
        elif now_ms - self._since >= _VERIFY_MS:
            self._tries += 1
            # A failed lock is left unlocked, so that it does not trap a cable.
            self._drive(not wanted if self._tries < _TRIES else False, now_ms)
            self.failed = self._tries >= _TRIES

    def _drive(self, level, now_ms):
        self.drive = level
        self._since = now_ms
