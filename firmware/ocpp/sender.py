"""Sends the station's own messages one at a time, by priority: registration, heartbeat, requested messages, statuses.

Nothing but the request for registration is sent before the back-end has accepted the station since power-on; while
Pending it only answers, and sends what it is asked for; while Rejected it is silent (OCPP 1.6 §4.2).
"""

from firmware.ocpp.errors import LinkDown


class Sender:
    """Sends what its sources have, the most urgent first: registrar, heartbeat, requested, statuses.

    A source has wait_ms(), the milliseconds until it has something to send (None: nothing for now), and `async send()`.
    `waker` is a Waker that the sources wake.
    """

    def __init__(self, connection, registrar, heartbeat, requested, statuses, waker):
        self._connection = connection
        self._registrar = registrar
        self._heartbeat = heartbeat
        self._requested = requested
        self._statuses = statuses
        self._sources = (registrar, heartbeat, requested, statuses)
        self._waker = waker
        self.clock = waker.clock
        self.call = connection.call
        self.post = requested.post
        self.wake = waker.wake

    @property
    def booted(self):
        """True when the back-end has accepted the station on this very link."""
        return self._registrar.booted

    @property
    def busy(self):
        """True while something is said, or waits to be, that the back-end ought to know."""
        return self._requested.busy or self._statuses.wait_ms() is not None

    def boot_now(self):
        """Asks for registration without waiting for the interval."""
        self._registrar.ask()
        self.wake()

    def heartbeat_now(self):
        """Sends a heartbeat beside those that are due."""
        self._heartbeat.post(self._requested)

    def interval_changed(self):
        """The setting HeartbeatInterval has another value."""
        self._heartbeat.setting_changed()
        self.wake()

    def take_time(self, response):
        """Sets the clock to the time in an answer of the back-end."""
        self._heartbeat.take_time(response)

    def accepted(self, interval_s):
        """The back-end has accepted the station: it learns everything anew."""
        self._heartbeat.accepted(interval_s)
        self._statuses.report_all()

    def resume(self):
        """Mere reconnecting is no boot (OCPP-J 1.6 §5.4): whatever has changed meanwhile is told."""
        self._heartbeat.plan()
        self._statuses.resume()

    def pause(self):
        """The back-end does not want to know for now."""
        self._statuses.pause()

    def link_lost(self):
        self._registrar.booted = False
        self._requested.clear()
        self._statuses.pause()

    async def run(self, beat):
        """Sends, for ever."""
        while True:
            source = self._due() if self._connection.connected else None
            if source is None:
                await self._waker.wait(self._idle_ms())
                continue
            try:
                await source.send()
            except LinkDown:
                await self._waker.wait()  # the link's next signal

    def _due(self):
        for source in self._sources:
            if source.wait_ms() == 0:
                return source
        return None

    def _idle_ms(self):
        """Returns how long there is nothing to do, None for ever."""
        if not self._connection.connected:
            return None
        waits = [source.wait_ms() for source in self._sources]
        return min([ms for ms in waits if ms is not None], default=None)
