"""Heartbeats, and setting the clock from the back-end's answers (OCPP 1.6 §4.6)."""

from firmware.kernel.clock import EARLIEST_PLAUSIBLE, read_time
from firmware.ocpp.errors import CallError
from firmware.store.settings import SettingError


class Heartbeat:
    """Sends heartbeats while the station is accepted. A source of the Sender.

    `version` has heartbeat(), which returns (action, payload), and time_in(response), which returns the time as text or
    None.
    """

    def __init__(self, registration, version, call, settings, clock, log):
        self._registration = registration
        self._version = version
        self._call = call
        self._settings = settings
        self._clock = clock
        self._log = log
        self._due_ms = None
        self._interval_s = None  # from the accepting registration answer; None: the setting applies

    def accepted(self, interval_s):
        """Takes the interval from an accepting registration answer as heartbeat interval (§4.2)."""
        if interval_s > 0:
            try:
                self._settings.set("HeartbeatInterval", interval_s, "system")
            except (SettingError, OSError) as exc:
                self._log.warning("ocpp", "heartbeat interval not stored: %s", exc)
            self._interval_s = interval_s  # it applies even outside the range of the key
        self.plan()

    def setting_changed(self):
        """Applies a new value of HeartbeatInterval."""
        self._interval_s = None
        if self._registration.accepted:
            self.plan()

    def plan(self):
        """Schedules the next heartbeat a whole interval from now."""
        interval_s = self._interval_s or self._settings.get("HeartbeatInterval")
        self._due_ms = self._clock.ms() + interval_s * 1000

    def wait_ms(self):
        if self._due_ms is None or not self._registration.current:
            return None
        return max(0, self._due_ms - self._clock.ms())

    async def send(self):
        self.plan()
        action, payload = self._version.heartbeat()
        try:
            self.take_time(await self._call(action, payload))
        except (CallError, OSError) as exc:
            self._log.warning("ocpp", "%s: %s", action, exc)

    def post(self, requested):
        """Queues an extra heartbeat in `requested`."""
        action, payload = self._version.heartbeat()
        requested.post(action, payload, self.take_time)

    def take_time(self, response):
        """Sets the clock to the time in an answer, if it is plausible."""
        text = self._version.time_in(response)
        if text is None:
            return  # reading the answer has logged why
        unix, ms = read_time(text)
        if unix >= EARLIEST_PLAUSIBLE:
            self._clock.set_unix(unix, "ocpp", ms)
        else:
            self._log.warning("ocpp", "clock not set: currentTime %s is not plausible", text)
