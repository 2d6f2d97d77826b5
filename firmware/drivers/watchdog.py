"""Hardware watchdog: resets the board when it is not fed in time."""

import machine


class Watchdog:
    """machine.WDT, which cannot be stopped. It starts with the first feed, so that a Board can be built by hand."""

    def __init__(self, timeout_ms):
        self._timeout_ms = timeout_ms
        self._wdt = None

    def feed(self):
        """Call it more often than every `timeout_ms`."""
        if self._wdt is None:
            self._wdt = machine.WDT(timeout=self._timeout_ms)
        self._wdt.feed()
