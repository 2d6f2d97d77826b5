"""Residual current device (RCD) or DC sensor (IEC 62955): trip input and, if the device has one, test output."""


class Rcd:
    """trip is a machine.Pin input, `trip_level` = tripped; test is an output, `test_level` = test, or None."""

    fitted = True

    def __init__(self, trip, test=None, trip_level=1, test_level=1):
        self._trip = trip
        self._test = test
        self._trip_level = trip_level
        self._test_level = test_level
        self.test(False)

    @property
    def can_test(self):
        return self._test is not None

    def is_tripped(self):
        return self._trip() == self._trip_level

    def test(self, on):
        """Applies (True) or removes the test current, if the device has a test input."""
        if self._test:
            self._test(self._test_level if on else 1 - self._test_level)
