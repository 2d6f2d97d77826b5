"""Service button of the station: a short hold opens the portal, a long one is a factory reset."""

from micropython import const

from firmware.kernel.signal import Signal

_PORTAL_MS = const(2_000)
_RESET_MS = const(10_000)
_JAMMED_MS = const(60_000)  # a contact that is closed for longer is jammed


class ServiceButton:
    """To be told of each change. `portal()` is emitted after 2 s and more, `factory_reset()` after 10 s and more, when
    the button is let go."""

    def __init__(self, clock):
        self._clock = clock
        self._since = None  # ms
        self.portal = Signal()
        self.factory_reset = Signal()

    def changed(self, connector, name, pressed):
        """A button of the board has changed; those of the connectors are not meant."""
        if name != "service":
            return
        if pressed:
            self._since = self._clock.ms()
            return
        if self._since is None:
            return
        held_ms = self._clock.ms() - self._since
        self._since = None
        if held_ms > _JAMMED_MS:
            return
        if held_ms >= _RESET_MS:
            self.factory_reset.emit()
        elif held_ms >= _PORTAL_MS:
            self.portal.emit()
