"""Sends the station's own messages one at a time, by priority: registration, heartbeat, requested messages, statuses.

Until the back-end has accepted the station, only registration requests are sent; while Pending also requested messages,
while Rejected nothing else (OCPP 1.6 §4.2).
"""

from firmware.ocpp.errors import LinkDown


class Sender:
    """Sends the messages of its sources, by priority: registrar, heartbeat, requested, statuses.

    A source has wait_ms(), the milliseconds until its next message (None: none), and `async send()`. `waker` is a Waker
    that the sources wake.
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
        """True when the back-end has accepted the station on the present link."""
        return self._registrar.booted

    @property
    def busy(self):
        """True while a requested message or a status waits or is being sent."""
        return self._requested.busy or self._statuses.wait_ms() is not None

    def boot_now(self):
        """Sends a registration request without waiting for the interval."""
        self._registrar.ask()
        self.wake()

    def heartbeat_now(self):
        """Sends an extra heartbeat."""
        self._heartbeat.post(self._requested)

    def interval_changed(self):
        """Applies a new value of HeartbeatInterval."""
        self._heartbeat.setting_changed()
        self.wake()

    def take_time(self, response):
        """Sets the clock to the time in an answer of the back-end."""
        self._heartbeat.take_time(response)

    def accepted(self, interval_s):
        """The back-end has accepted the station: starts heartbeats and reports all statuses."""
        self._heartbeat.accepted(interval_s)
        self._statuses.report_all()

    def resume(self):
        """The link is back without a boot (OCPP-J 1.6 §5.4): reports statuses that have changed meanwhile."""
        self._heartbeat.plan()
        self._statuses.resume()

    def pause(self):
        """The station is not accepted: no statuses are sent."""
        self._statuses.pause()

    def link_lost(self):
        self._registrar.booted = False
        self._requested.clear()
        self._statuses.pause()

    async def run(self, beat):
        """Sends messages. Does not return."""
        while True:
            source = self._due() if self._connection.connected else None
            if source is None:
                await self._waker.wait(self._idle_ms())
                continue
            try:
                await source.send()
            except LinkDown:
                await self._waker.wait()  # until the link changes

    def _due(self):
        for source in self._sources:
            if source.wait_ms() == 0:
                return source
        return None

    def _idle_ms(self):
        """Returns the milliseconds until the next message, None if there is none."""
        if not self._connection.connected:
            return None
        waits = [source.wait_ms() for source in self._sources]
        return min([ms for ms in waits if ms is not None], default=None)
