"""Input contacts, debounced: stop button, emergency stop, contacts of protective devices."""

from micropython import const

from firmware.kernel.clock import sleep_ms
from firmware.kernel.signal import Signal

_POLL_MS = const(20)
_STABLE_POLLS = const(2)  # contacts bounce for some milliseconds, and a contactor's coil couples in for one


class Button:
    """pin is a machine.Pin input that reads `pressed_level` while the contact is active (pressed, or chain open)."""

    def __init__(self, pin, pressed_level=0):
        self._pin = pin
        self._pressed_level = pressed_level
        self._contrary = 0  # number of polls in a row that differ from `pressed`
        self.pressed = False

    def poll(self):
        """Reads the contact; returns True when `pressed` has changed (two equal readings)."""
        if (self._pin() == self._pressed_level) == self.pressed:
            self._contrary = 0
            return False
        self._contrary += 1
        if self._contrary < _STABLE_POLLS:
            return False
        self._contrary = 0
        self.pressed = not self.pressed
        return True


class Buttons:
    """All buttons of a board; `changed` is Signal(connector, name, pressed)."""

    def __init__(self, sleep_ms=sleep_ms):
        self._buttons = []
        self._sleep_ms = sleep_ms
        self.changed = Signal()

    def add(self, connector, name, button):
        """Adds a button of a connector (1..n; 0: of the station); the name is one of boards.contacts.CONTACTS."""
        self._buttons.append((connector, name, button))

    async def run(self, beat):
        """Polls the buttons for ever. A button that is pressed at the start is reported, too."""
        while True:
            beat()
            self.poll()
            await self._sleep_ms(_POLL_MS)

    def poll(self):
        """Reads every button once."""
        for connector, name, button in self._buttons:
            if button.poll():
                self.changed.emit(connector, name, button.pressed)
