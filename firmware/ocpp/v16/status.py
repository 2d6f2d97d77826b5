"""StatusNotification: what each connector reports, when, and in which order (OCPP 1.6 §4.9, §7.7)."""

from micropython import const

from firmware.kernel.clock import iso8601

# Which word may follow which for connectors > 0 (the table of §4.9; errata 3.20 adds Preparing -> Finishing).
TRANSITIONS = {
    "Available": ("Preparing", "Charging", "SuspendedEV", "SuspendedEVSE", "Reserved", "Unavailable", "Faulted"),
    "Preparing": ("Available", "Charging", "SuspendedEV", "SuspendedEVSE", "Finishing", "Faulted"),
    "Charging": ("Available", "SuspendedEV", "SuspendedEVSE", "Finishing", "Unavailable", "Faulted"),
    "SuspendedEV": ("Available", "Charging", "SuspendedEVSE", "Finishing", "Unavailable", "Faulted"),
    "SuspendedEVSE": ("Available", "Charging", "SuspendedEV", "Finishing", "Unavailable", "Faulted"),
    "Finishing": ("Available", "Preparing", "Unavailable", "Faulted"),
    "Reserved": ("Available", "Preparing", "Unavailable", "Faulted"),
    "Unavailable": ("Available", "Preparing", "Charging", "SuspendedEV", "SuspendedEVSE", "Faulted"),
    "Faulted": (
        "Available", "Preparing", "Charging", "SuspendedEV", "SuspendedEVSE", "Finishing", "Reserved", "Unavailable",
    ),
}  # fmt: skip

# Words that may stand between two that do not follow each other, the likeliest first.
_BETWEEN = ("Preparing", "Finishing", "Available")

# ChargePointErrorCode (§7.6) and the faults of the station that it stands for; all others are OtherError. A text takes
# a third of the heap of a dictionary.
_ERROR_CODES = """
PowerSwitchFailure contactor_welded contactor_stuck_open
GroundFailure rcd_tripped rcd_test_failed rccb_tripped
OverCurrentFailure mcb_tripped overcurrent overcurrent_blind imbalance
HighTemperature overtemperature temperature_sensor derated
OverVoltage overvoltage
UnderVoltage undervoltage phase_loss
EVCommunicationError cp_short cp_open diode ventilation pp_invalid
ConnectorLockFailure lock_failed
PowerMeterFailure meter_lost meter_failed
ReaderFailure reader_lost
InternalError brown_out flash_full watchdog_reset
"""

# EVCommunicationError is a warning that belongs to these words only (§4.9).
_EV_ERROR_STATES = ("Preparing", "SuspendedEV", "SuspendedEVSE", "Finishing")

# Limits of StatusNotification.req (§6.47)
_MAX_INFO = const(50)
_MAX_VENDOR_CODE = const(50)

# How many notifications of changes may wait for the link to take them, per connector.
_MAX_WAITING = const(8)

# A notification that got no answer is tried again after this.
_RETRY_MS = const(10_000)


def between(old, new):
    """Returns the word to report between two that do not follow each other directly, or None."""
    if old == new or new in TRANSITIONS[old]:
        return None
    for word in _BETWEEN:
        if word in TRANSITIONS[old] and new in TRANSITIONS[word]:
            return word
    return None


def error_code(status):
    """Returns the ChargePointErrorCode of a Status of the station."""
    if status.fault is None:
        return "OtherError" if status.state == "Faulted" else "NoError"
    code = _code_of(status.fault.name)
    if code == "EVCommunicationError" and status.state not in _EV_ERROR_STATES:
        return "OtherError"
    return code


def _code_of(fault):
    for line in _ERROR_CODES.split("\n"):
        words = line.split()
        if fault in words:
            return words[0]
    return "OtherError"


class _Notification:
    """One status to be reported, at the earliest at `due_ms`."""

    def __init__(self, connector, payload, due_ms):
        self.connector = connector
        self.payload = payload
        self.due_ms = due_ms


class StatusReporter:
    """Turns the station's changes of status into notifications and keeps those that wait to be sent.

    While paused (no link, or not accepted) the history is forgotten: afterwards only what differs from what the
    back-end was told last is reported (§4.9). A status that lasts less than MinimumStatusDuration is left out, the
    others are delayed by it. `wake()` is called when there is something new to send.
    """

    def __init__(self, station, settings, clock, wake):
        self._station = station
        self._settings = settings
        self._clock = clock
        self._wake = wake
        self._running = False
        self._since = {}  # connector -> Unix seconds of its newest change
        self._told = {}  # connector -> payload that the back-end has acknowledged last
        self._waiting = []  # _Notification in the order of the events
        station.status_changed.connect(self._changed)
        clock.changed.connect(self._clock_changed)

    def report_all(self):
        """The back-end has accepted the station: it learns every status anew (errata 3.22)."""
        self._running = True
        self._told = {}
        self._waiting = []
        for n in range(len(self._station.connectors) + 1):
            self._enqueue(n, self.payload(n), 0)

    def resume(self):
        """The link is back: the back-end learns what has changed meanwhile, without the history."""
        self._running = True
        for n in range(len(self._station.connectors) + 1):
            payload = self.payload(n)
            if not _same(payload, self._told.get(n)):
                self._told.pop(n, None)  # where it stood does not matter: no words are inserted
                self._enqueue(n, payload, 0)

    def pause(self):
        """The link is gone."""
        self._running = False
        self._waiting = []

    def payload(self, n):
        """Returns the StatusNotification.req of the status that connector `n` has now."""
        status = self._station.status(n)
        payload = {
            "connectorId": n,
            "errorCode": error_code(status),
            "status": status.state,
            "timestamp": iso8601(self._since.setdefault(n, self._clock.now())),
        }
        fault = status.fault
        info = status.info or (fault.text if fault else "")
        if info:
            payload["info"] = info[:_MAX_INFO]
        if fault and fault.code:
            payload["vendorErrorCode"] = fault.code[:_MAX_VENDOR_CODE]
            payload["vendorId"] = self._settings.get("ChargePointVendor")
        return payload

    def error(self, n, code):
        """Reports a condition that is no fault of the station, such as LocalListConflict (§3.5.2), once."""
        if self._running:
            payload = self.payload(n)
            payload["errorCode"] = code
            payload["timestamp"] = iso8601(self._clock.now())
            self._told.pop(n, None)  # each time it happens is news
            self._enqueue(n, payload, 0)

    def wait_ms(self):
        """Returns the milliseconds until next() has something, 0 when it has, None when nothing waits."""
        if not self._waiting:
            return None
        return max(0, min(notification.due_ms for notification in self._waiting) - self._clock.ms())

    def next(self):
        """Returns the next _Notification to send, or None; sent() or failed() has to follow."""
        now_ms = self._clock.ms()
        for notification in self._waiting:
            if notification.due_ms <= now_ms:
                return self._step_towards(notification)
        return None

    def sent(self, notification):
        """The back-end has taken it (or refused to: a status is not worth a second try)."""
        self._told[notification.connector] = notification.payload
        if notification in self._waiting:
            self._waiting.remove(notification)

    def failed(self, notification):
        """No answer; it is tried again while the link lasts, and so is what it was to come before."""
        for waiting in self._waiting:
            if waiting.connector == notification.connector:
                waiting.due_ms = max(waiting.due_ms, self._clock.ms() + _RETRY_MS)

    def _step_towards(self, notification):
        """Returns the notification, or the one that has to come before it by the table of transitions."""
        told = self._told.get(notification.connector)
        if notification.connector == 0 or told is None:
            return notification
        word = between(told["status"], notification.payload["status"])
        if word is None:
            return notification
        payload = {"connectorId": notification.connector, "errorCode": "NoError", "status": word}
        payload["timestamp"] = notification.payload["timestamp"]
        return _Notification(notification.connector, payload, 0)

    def _changed(self, n, status):
        self._since[n] = self._clock.now()
        if not self._running:
            return
        duration_ms = self._settings.get("MinimumStatusDuration") * 1000
        now_ms = self._clock.ms()
        # What has not lasted long enough by now is never reported.
        self._waiting = [w for w in self._waiting if w.connector != n or w.due_ms <= now_ms]
        self._enqueue(n, self.payload(n), duration_ms)

    def _enqueue(self, n, payload, delay_ms):
        newest = self._told.get(n)
        mine = [w for w in self._waiting if w.connector == n]
        if mine:
            newest = mine[-1].payload
            if len(mine) >= _MAX_WAITING:
                self._waiting.remove(mine[0])
        if _same(payload, newest):
            return
        self._waiting.append(_Notification(n, payload, self._clock.ms() + delay_ms))
        self._wake()

    def _clock_changed(self, delta_s, source):
        """A change that happened before the clock was set happened then by the new time."""
        for n in self._since:
            self._since[n] += delta_s


def _same(payload, other):
    """Tells whether two notifications say the same, whenever they do."""
    if other is None:
        return False
    for name in ("status", "errorCode", "info", "vendorErrorCode"):
        if payload.get(name) != other.get(name):
            return False
    return True
