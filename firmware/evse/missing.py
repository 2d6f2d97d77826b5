"""Parts that are not fitted (no lock, no RCD, no proximity, ...): objects that answer like the part.

`fitted` is False here and True in the drivers; it is read once, when a connector is built.
"""


class NoProximity:
    """A fixed cable has no proximity contact."""

    fitted = False

    def ohm(self):
        return None


class NoLock:
    """No lock; is_locked() returns None, so nothing waits for it."""

    fitted = False

    def drive(self, locked):
        pass

    def step(self, now_ms):
        pass

    def halt(self):
        pass

    def is_locked(self):
        return None


class NoRcd:
    """The residual current device is in the installation, without a signal to the station."""

    fitted = False
    can_test = False

    def is_tripped(self):
        return None

    def test(self, on):
        pass


class NoThermistor:
    fitted = False

    def temperature_dc(self):
        return None


class NoIndicator:
    fitted = False
    brightness = 100
    repeat = 0

    def show(self, name):
        pass

    def flash(self, name):
        pass

    def step(self, now_ms):
        pass
