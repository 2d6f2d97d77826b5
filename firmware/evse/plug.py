"""Plug at the station: socket with cable rating and lock, or fixed cable."""

from firmware.evse.cable import Cable
from firmware.evse.lock_supervision import LockSupervision


class Socket:
    """`locked`: the plug cannot be taken out (also without a lock). Sets the slot "cable" of the limits.

    A plug without a valid rating is refused.
    """

    def __init__(self, limits, faults):
        self._limits = limits
        self._cable = Cable()
        self._lock = LockSupervision()
        self._pp_invalid = faults.watch("pp_invalid")
        self._lock_failed = faults.watch("lock_failed")

    @property
    def cable_ma(self):
        """Rating of the cable in mA; 0 if invalid, None without plug."""
        return self._cable.ma

    @property
    def usable(self):
        """True when the rating is valid: current may be offered."""
        return self._cable.usable

    @property
    def missing(self):
        """True when the proximity contact is open: no plug."""
        return self._cable.missing

    @property
    def unreadable(self):
        """True while the fault pp_invalid is active (debounced)."""
        return self._pp_invalid.active

    @property
    def locked(self):
        return self._lock.confirmed

    @property
    def drive(self):
        """The level for the lock's driver, True to lock."""
        return self._lock.drive

    def see(self, ohm, now_ms):
        """Takes the latest proximity resistance, None = open."""
        cable = self._cable
        if cable.see(ohm, now_ms):
            if cable.ma:
                self._limits.set("cable", cable.ma)
            else:
                self._limits.clear("cable")

    def check(self, plugged, now_ms):
        """Refuses a plug without a valid rating; `plugged`: the pilot is measured and shows a vehicle.

        Not one that was just detected after a blocked loop (a TLS handshake).
        """
        self._pp_invalid.see(plugged and not (self._cable.usable or self._cable.settling), now_ms)

    def secure(self, wanted, closed, now_ms):
        """Locks or unlocks; `closed`: the feedback of the lock, None = not fitted."""
        self._lock.step(wanted, closed, now_ms)
        self._lock_failed.see(self._lock.failed, now_ms)

    def retry_lock(self):
        """Lets a failed lock try again."""
        self._lock.retry()


class FixedCable:
    """Takes the place of a Socket: the cable cannot be taken out, so the plug counts as locked.

    It has no proximity contact; its rating is part of the station's limit.
    """

    cable_ma = None
    usable = True
    missing = False
    unreadable = False
    locked = True
    drive = None

    def see(self, ohm, now_ms):
        pass

    def check(self, plugged, now_ms):
        pass

    def secure(self, wanted, closed, now_ms):
        pass

    def retry_lock(self):
        pass
