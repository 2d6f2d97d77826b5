"""Indicator light of a connector: the pattern chosen by the layers above, else that of the connector's own state."""

from firmware.evse.missing import NoIndicator


class Light:
    """`chosen` is a pattern of the indicator; None leaves the choice to the connector."""

    def __init__(self, indicator, log, area):
        self.chosen = None
        self._indicator = indicator
        self._log = log
        self._area = area
        self._shown = None

    def step(self, machine, now_ms):
        """Shows the pattern for this moment."""
        pattern = self.chosen or _pattern(machine)
        try:
            if pattern != self._shown:
                self._indicator.show(pattern)
                self._shown = pattern
            self._indicator.step(now_ms)
        except OSError as exc:
            self._log.warning(self._area, "indicator: %s", exc)  # a failed light has no further effect
            self._indicator = NoIndicator()


def _pattern(machine):
    if machine.faults.blocking:
        return "faulted"
    if not machine.wishes.available:
        return "out of service"
    if machine.outputs.close:
        return "charging"
    if not machine.pilot.connected:
        return "free"
    if not machine.wishes.permitted:
        return "waiting"
    return "suspended by vehicle" if machine.offered_ma else "suspended by station"
