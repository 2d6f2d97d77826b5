"""StatusNotification: contents, order, transitions, errorCode, MinimumStatusDuration (OCPP 1.6 §4.9, §7.7)."""

from micropython import const

from firmware.charging.status import FAULTED
from firmware.kernel.clock import iso8601
from firmware.ocpp.errors import CallError
from firmware.ocpp.v16.words import STATES

# Status transitions for connectors > 0, from row to column (same order as the rows): table of §4.9, and Preparing ->
# Finishing of errata 3.20.
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

# Statuses to insert between two that do not follow each other, the likeliest first.
_BETWEEN = ("Preparing", "Finishing", "Available")

# ChargePointErrorCode (§7.6) and the faults of the station that it covers; all other faults are OtherError.
_ERROR_CODES = (
    ("PowerSwitchFailure", ("contactor_welded", "contactor_stuck_open")),
    ("GroundFailure", ("rcd_tripped", "rcd_test_failed", "rccb_tripped")),
    ("OverCurrentFailure", ("mcb_tripped", "overcurrent", "overcurrent_blind", "imbalance")),
    ("HighTemperature", ("overtemperature", "temperature_sensor", "derated")),
    ("OverVoltage", ("overvoltage",)),
    ("UnderVoltage", ("undervoltage", "phase_loss")),
    ("EVCommunicationError", ("cp_short", "cp_open", "diode", "ventilation", "pp_invalid")),
    ("ConnectorLockFailure", ("lock_failed",)),
    ("PowerMeterFailure", ("meter_lost", "meter_failed", "meter_reversed", "meter_standing", "meter_frozen")),
    ("ReaderFailure", ("reader_lost",)),
    ("InternalError", ("control_failed", "board_too_slow", "brown_out", "flash_full", "watchdog_reset")),
)

# EVCommunicationError is a warning that is only allowed with these statuses (§4.9).
_EV_ERROR_STATES = ("Preparing", "SuspendedEV", "SuspendedEVSE", "Finishing")

# Limits of StatusNotification.req (§6.47)
_MAX_INFO = const(50)
_MAX_VENDOR_CODE = const(50)

# Maximum number of notifications that wait to be sent, per connector.
_MAX_WAITING = const(8)

# Wait before a notification without answer is sent again.
_RETRY_MS = const(10_000)


def may_follow(new, old):
    """Returns True when the status `new` may be reported right after `old`."""
    rows = _TRANSITIONS.split()
    return rows[rows.index(old) + 1][rows.index(new) // 2] == "x"


def between(old, new):
    """Returns the status to report between two that may not follow each other, or None."""
    if old == new or may_follow(new, old):
        return None
    for word in _BETWEEN:
        if may_follow(word, old) and may_follow(new, word):
            return word
    return None


def error_code(status):
    """Returns the ChargePointErrorCode for a Status of the station."""
    if status.fault is None:
        return "OtherError" if status.state == FAULTED else "NoError"
    code = _code_of(status.fault.name)
    if code == "EVCommunicationError" and STATES[status.state] not in _EV_ERROR_STATES:
        return "OtherError"
    return code


def _code_of(fault):
    for code, faults in _ERROR_CODES:
        if fault in faults:
            return code
    return "OtherError"


class StatusReporter:
    """Turns the station's status changes into notifications and queues them.

    Changes while paused (no link, or not accepted) are not kept: afterwards only connectors whose status differs from
    the last one sent are reported (§4.9). A status is sent after MinimumStatusDuration, and not at all if it has ended
    by then. `wake()` is called when a notification is queued.
    """

    def __init__(self, station, settings, clock, wake):
        self._station = station
        self._settings = settings
        self._clock = clock
        self._wake = wake
        self._running = False
        self._since = {}  # connector -> Unix seconds of its last change
        self._told = {}  # connector -> last notification that the back-end has acknowledged, see _meaning()
        self._waiting = []  # (payload, due time in ms) in the order of the events
        self._unqueued = set()  # connectors with a change that could not be queued
        station.status_changed.connect(self._changed)
        clock.changed.connect(self._clock_changed)

    def report_all(self):
        """Reports all statuses, after the back-end has accepted the station (errata 3.22)."""
        self._running = True
        self._told = {}
        self._waiting = []
        for n in range(len(self._station.connectors) + 1):
            self._enqueue(n, self.payload(n), 0)

    def resume(self):
        """Reports the statuses that have changed while the link was down."""
        self._running = True
        numbers = range(len(self._station.connectors) + 1)
        self._unqueued.update(numbers)  # until each is looked at, also after an exception
        self._wake()
        for n in numbers:
            payload = self.payload(n)
            if _meaning(payload) != self._told.get(n):
                self._told.pop(n, None)  # no status is inserted in between
                self._enqueue(n, payload, 0)
            self._unqueued.discard(n)

    def pause(self):
        """Stops reporting and empties the queue: the link is down."""
        self._running = False
        self._waiting = []
        self._unqueued.clear()

    def payload(self, n):
        """Returns the StatusNotification.req for the present status of connector `n`."""
        return self._payload(n, self._station.status(n))

    def _payload(self, n, status):
        payload = {
            "connectorId": n,
            "errorCode": error_code(status),
            "status": STATES[status.state],
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
        """Reports an error code that is not a fault of the station, such as LocalListConflict (§3.5.2), once."""
        if self._running:
            payload = self.payload(n)
            payload["errorCode"] = code
            payload["timestamp"] = iso8601(self._clock.now())
            self._told.pop(n, None)  # it is reported each time
            self._enqueue(n, payload, 0)

    def wait_ms(self):
        """Returns the milliseconds until next() returns a notification, None when the queue is empty."""
        if self._running and self._unqueued:
            return 0
        if not self._waiting:
            return None
        return max(0, min([due_ms for _, due_ms in self._waiting]) - self._clock.ms())

    def next(self):
        """Returns the payload to send next, or None. Call sent() or failed() afterwards."""
        for n in tuple(self._unqueued):
            self._changed(n, self._station.status(n))
        now_ms = self._clock.ms()
        for payload, due_ms in self._waiting:
            if due_ms <= now_ms:
                return self._step_towards(payload)
        return None

    def sent(self, payload):
        """The back-end has answered, if only with an error: a status is not sent again."""
        self._told[payload["connectorId"]] = _meaning(payload)
        self._waiting = [waiting for waiting in self._waiting if waiting[0] is not payload]

    def failed(self, payload):
        """No answer: the notification is sent again while the link is up, later ones wait for it."""
        n = payload["connectorId"]
        if n in self._told:
            self._told[n] = self._told[n][:1]  # it may have arrived: report whatever comes next
        not_before_ms = self._clock.ms() + _RETRY_MS
        self._waiting = [
            (w, max(due_ms, not_before_ms) if w["connectorId"] == n else due_ms) for w, due_ms in self._waiting
        ]

    def _step_towards(self, payload):
        """Returns the payload, or one that must be sent before it by the table of transitions."""
        n = payload["connectorId"]
        told = self._told.get(n)
        word = between(told[0], payload["status"]) if n and told else None
        if word is None:
            return payload
        return {"connectorId": n, "errorCode": "NoError", "status": word, "timestamp": payload["timestamp"]}

    def _changed(self, n, status):
        self._since[n] = self._clock.now()
        if self._running:
            self._unqueued.add(n)  # an exception from here on must not leave the back-end with an old status
            self._wake()
            self._queue_change(n, status)
            self._unqueued.discard(n)

    def _queue_change(self, n, status):
        duration_ms = self._settings.get("MinimumStatusDuration") * 1000
        now_ms = self._clock.ms()
        # Statuses that were not due yet are never reported.
        self._waiting = [w for w in self._waiting if w[0]["connectorId"] != n or w[1] <= now_ms]
        self._enqueue(n, self._payload(n, status), duration_ms)

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
        """Corrects the times of earlier status changes when the clock is set."""
        for n in self._since:
            self._since[n] += delta_s


def _meaning(payload):
    """Returns the fields of a notification without its time; the status comes first."""
    return payload["status"], payload["errorCode"], payload.get("info"), payload.get("vendorErrorCode")


class StatusSource:
    """Sends the notifications of a StatusReporter. A source of the Sender."""

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
