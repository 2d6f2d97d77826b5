"""StatusNotification: contents, order and transitions, error codes, MinimumStatusDuration (OCPP 1.6 §4.9, §7.7)."""

from micropython import const

from firmware.kernel.clock import iso8601
from firmware.ocpp.errors import CallError

# Which word (row) may be followed by which (column, in the order of the rows), for connectors > 0: the table of §4.9;
# errata 3.20 adds Preparing -> Finishing.
_TRANSITIONS = """
Available     .xxxx.xxx
Preparing     x.xxxx..x
Charging      x..xxx.xx
SuspendedEV   x.x.xx.xx
SuspendedEVSE x.xx.x.xx
Finishing     xx.....xx
Reserved      xx.....xx
Unavailable   xxxxx...x
Faulted       xxxxxxxx.
"""

# Words that may stand between two that do not follow each other, the likeliest first.
_BETWEEN = ("Preparing", "Finishing", "Available")

# ChargePointErrorCode (§7.6) and the faults of the station that it stands for; all others are OtherError.
_ERROR_CODES = (
    ("PowerSwitchFailure", ("contactor_welded", "contactor_stuck_open")),
    ("GroundFailure", ("rcd_tripped", "rcd_test_failed", "rccb_tripped")),
    ("OverCurrentFailure", ("mcb_tripped", "overcurrent", "overcurrent_blind", "imbalance")),
    ("HighTemperature", ("overtemperature", "temperature_sensor", "derated")),
    ("OverVoltage", ("overvoltage",)),
    ("UnderVoltage", ("undervoltage", "phase_loss")),
    ("EVCommunicationError", ("cp_short", "cp_open", "diode", "ventilation", "pp_invalid")),
    ("ConnectorLockFailure", ("lock_failed",)),
    ("PowerMeterFailure", ("meter_lost", "meter_failed", "meter_reversed", "meter_frozen")),
    ("ReaderFailure", ("reader_lost",)),
    ("InternalError", ("control_failed", "brown_out", "flash_full", "watchdog_reset")),
)

# EVCommunicationError is a warning that belongs to these words only (§4.9).
_EV_ERROR_STATES = ("Preparing", "SuspendedEV", "SuspendedEVSE", "Finishing")

# Limits of StatusNotification.req (§6.47)
_MAX_INFO = const(50)
_MAX_VENDOR_CODE = const(50)

# How many notifications of changes may wait for the link to take them, per connector.
_MAX_WAITING = const(8)

# A notification that got no answer is tried again after this.
_RETRY_MS = const(10_000)


def may_follow(new, old):
    """Tells whether the word `new` may be reported right after `old`."""
    rows = _TRANSITIONS.split()
    return rows[rows.index(old) + 1][rows.index(new) // 2] == "x"


def between(old, new):
    """Returns the word to report between two that do not follow each other directly, or None."""
    if old == new or may_follow(new, old):
        return None
    for word in _BETWEEN:
        if may_follow(word, old) and may_follow(new, word):
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
    for code, faults in _ERROR_CODES:
        if fault in faults:
            return code
    return "OtherError"


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
        self._told = {}  # connector -> what the back-end has acknowledged last, see _meaning()
        self._waiting = []  # (payload, when it is due) in the order of the events
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
            if _meaning(payload) != self._told.get(n):
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
        return max(0, min([due_ms for _, due_ms in self._waiting]) - self._clock.ms())

    def next(self):
        """Returns the payload to send next, or None; sent() or failed() has to follow."""
        now_ms = self._clock.ms()
        for payload, due_ms in self._waiting:
            if due_ms <= now_ms:
                return self._step_towards(payload)
        return None

    def sent(self, payload):
        """The back-end has taken it (or refused to: a status is not worth a second try)."""
        self._told[payload["connectorId"]] = _meaning(payload)
        self._waiting = [waiting for waiting in self._waiting if waiting[0] is not payload]

    def failed(self, payload):
        """No answer; it is tried again while the link lasts, and so is what it was to come before."""
        n = payload["connectorId"]
        if n in self._told:
            self._told[n] = self._told[n][:1]  # it may have been heard: whatever comes next is news
        not_before_ms = self._clock.ms() + _RETRY_MS
        self._waiting = [
            (w, max(due_ms, not_before_ms) if w["connectorId"] == n else due_ms) for w, due_ms in self._waiting
        ]

    def _step_towards(self, payload):
        """Returns the payload, or one that has to come before it by the table of transitions."""
        n = payload["connectorId"]
        told = self._told.get(n)
        word = between(told[0], payload["status"]) if n and told else None
        if word is None:
            return payload
        return {"connectorId": n, "errorCode": "NoError", "status": word, "timestamp": payload["timestamp"]}

    def _changed(self, n, status):
        self._since[n] = self._clock.now()
        if not self._running:
            return
        duration_ms = self._settings.get("MinimumStatusDuration") * 1000
        now_ms = self._clock.ms()
        # What has not lasted long enough by now is never reported.
        self._waiting = [w for w in self._waiting if w[0]["connectorId"] != n or w[1] <= now_ms]
        self._enqueue(n, self.payload(n), duration_ms)

    def _enqueue(self, n, payload, delay_ms):
        newest = self._told.get(n)
        mine = [w for w in self._waiting if w[0]["connectorId"] == n]
        if mine:
            newest = _meaning(mine[-1][0])
            if len(mine) >= _MAX_WAITING:
                self._waiting.remove(mine[0])
        if _meaning(payload) != newest:
            self._waiting.append((payload, self._clock.ms() + delay_ms))
            self._wake()

    def _clock_changed(self, delta_s, source):
        """A change that happened before the clock was set happened then by the new time."""
        for n in self._since:
            self._since[n] += delta_s


def _meaning(payload):
    """Returns what a notification says, whenever it does; the status comes first."""
    return payload["status"], payload["errorCode"], payload.get("info"), payload.get("vendorErrorCode")


class StatusSource:
    """Sends what a StatusReporter has: a source of the Sender."""

    def __init__(self, reporter, call, log):
        self._reporter = reporter
        self._call = call
        self._log = log
        self.report_all = reporter.report_all
        self.resume = reporter.resume
        self.pause = reporter.pause
        self.wait_ms = reporter.wait_ms

    async def send(self):
        payload = self._reporter.next()
        if payload is None:
            return
        try:
            await self._call("StatusNotification", payload)
        except CallError as exc:
            self._log.warning("ocpp", "StatusNotification refused: %s", exc)
        except OSError as exc:
            self._log.info("ocpp", "StatusNotification: %s", exc)
            self._reporter.failed(payload)
            return
        self._reporter.sent(payload)
