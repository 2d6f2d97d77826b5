"""Fault table (code, text, debounce, recovery) and the life of each fault from its cause to its recovery."""

from micropython import const

# IEC/UL practice for residual current trips: some retries with a long wait, then a person has to check.
RETRY_AFTER_MS = const(900_000)
MAX_RETRIES = const(3)

# Recovery "again": when a fault returns often, the vehicle has to be unplugged.
REPEATS = const(3)
REPEATS_WITHIN_MS = const(600_000)


# Most severe first: name, code, debounce ms, gone for ms, recovery, kind, text for people (<= 50 characters).
# Voltages come from a meter that is read about once a second; their debounce spans several readings.
_TABLE = (
    ("emergency_stop", "EVSE EMERGENCY_STOP", 0, 0, "unplug", "", "Emergency stop pressed"),
    ("contactor_welded", "EVSE F1", 250, 0, "unplug", "", "Contactor closed although switched off"),
    ("rcd_tripped", "EVSE F3", 50, 0, "retry", "", "DC residual current"),
    ("rcd_test_failed", "EVSE F3", 0, 0, "retry", "", "RCD self-test failed"),
    ("rccb_tripped", "RCCB TRIPPED", 0, 0, "auto", "", "Residual current breaker tripped"),
    ("mcb_tripped", "MCB_32 TRIPPED", 0, 0, "auto", "", "Circuit breaker tripped"),
    ("breaker_tripped", "GeneralBreaker TRIPPED", 0, 0, "auto", "", "Main breaker tripped"),
    ("spd_tripped", "SPD TRIPPED", 0, 0, "auto", "", "Surge protection used up"),
    ("contactor_stuck_open", "EVSE F11", 250, 0, "again", "", "Contactor does not close"),
    ("control_failed", "EVSE CONTROL_FAILED", 0, 0, "auto", "", "Internal error, the connector tries again"),
    ("board_too_slow", "EVSE TOO_SLOW", 0, 0, "auto", "", "Processor too slow to read the pilot"),
    ("other", "EVSE F2", 0, 0, "auto", "", "Internal failure"),
    ("overtemperature", "EVSE F10", 0, 0, "auto", "", "Temperature above 80 C"),
    ("temperature_sensor", "EVSE F10", 0, 0, "auto", "", "Temperature sensor failed"),
    ("overcurrent", "EVSE F9", 5_000, 0, "unplug", "", "Vehicle draws more than offered"),
    ("cp_short", "EVSE F8", 0, 0, "auto", "vehicle", "Control pilot shorted to PE"),
    ("cp_open", "EVSE F8", 55, 1_000, "auto", "vehicle", "Control pilot or PE out of limits"),
    ("diode", "EVSE F8", 100, 0, "again", "vehicle", "No diode on the control pilot"),
    ("ventilation", "EVSE F7", 0, 0, "auto", "vehicle", "Vehicle asks for ventilation"),
    ("pp_invalid", "EVSE F6", 500, 0, "again", "vehicle", "Cable rating unreadable"),
    ("lock_failed", "EVSE F5", 0, 0, "unplug", "", "Plug lock does not follow"),
    ("phase_loss", "SUPPLY PHASE_LOSS", 3_000, 10_000, "supply", "", "Supply phase missing"),
    ("overvoltage", "SUPPLY OVERVOLTAGE", 2_000, 10_000, "supply", "", "Supply voltage too high"),
    ("undervoltage", "SUPPLY UNDERVOLTAGE", 3_000, 10_000, "supply", "", "Supply voltage too low"),
    ("meter_failed", "METER TIMEOUT", 0, 0, "auto", "", "Meter does not answer: no energy"),
    ("meter_lost", "METER TIMEOUT", 0, 0, "auto", "warning", "Meter does not answer"),
    ("meter_reversed", "METER REVERSED", 0, 0, "auto", "warning", "Meter wired backwards: energy is not counted"),
    ("meter_standing", "METER STANDING", 0, 0, "auto", "warning", "Meter counts no energy while power flows"),
    ("meter_frozen", "METER FROZEN", 0, 0, "auto", "warning", "Meter values stand still"),
    ("brown_out", "SUPPLY BROWN_OUT", 0, 0, "auto", "warning", "Supply was too low for the controller"),
    ("flash_full", "STORE MEMORY_EXHAUSTION", 0, 0, "auto", "warning", "Flash full: no new transaction"),
    ("watchdog_reset", "EVSE WATCHDOG", 0, 0, "auto", "warning", "Restarted by the watchdog"),
    ("reader_lost", "AUTHENTICATOR TIMEOUT", 0, 0, "auto", "warning", "Card reader does not answer"),
    ("overcurrent_blind", "EVSE F16", 0, 0, "auto", "warning", "Current not measured: 10 A"),
    ("imbalance", "EVSE F15", 6_000, 0, "unplug", "warning", "Phases loaded unequally: 20 A"),
    ("derated", "EVSE F17", 0, 0, "auto", "warning", "Outlet is warm: less current"),
)


def _rank(name):
    """Returns the row number of a fault; smaller is more severe. Raises KeyError."""
    for i in range(len(_TABLE)):
        if _TABLE[i][0] == name:
            return i
    raise KeyError(name)


class Fault:
    """A reported fault; `code` and `text` replace those of its row. Raises KeyError.

    `code` is the vendorErrorCode of a status report (<= 50 characters). `debounce_ms` is how long the cause must last,
    `clear_ms` how long it must be gone. `recovery`: additional condition for its end:

    auto     nothing
    supply   nothing; if it came during an offer, it is reported until a closing has succeeded
    again    nothing but the pause (see reclosing.py); at the third time within 10 minutes as unplug
    unplug   the vehicle has to be unplugged
    retry    unplugging, or 15 minutes of waiting up to three times; after that latched
    latched  a restart or `clear()`

    `blocks`: no energy while it is active, and the contactor opens at once; False for the kind "warning". `vehicle`: it
    is a fault of the vehicle or its cable, so the station is not out of order (OCPP 1.6 §7.6, EVCommunicationError).
    """

    def __init__(self, name, code=None, text=None):
        self.name, own_code, self.debounce_ms, self.clear_ms, self.recovery, kind, own_text = _TABLE[_rank(name)]
        self.code = own_code if code is None else code[:50]
        self.text = (own_text if text is None else text)[:50]
        self.blocks = kind != "warning"
        self.vehicle = kind == "vehicle"


def names():
    """Yields the names of all faults, most severe first."""
    for row in _TABLE:
        yield row[0]


class Watch:
    """One fault of one connector: debounces its cause and decides when it ends."""

    def __init__(self, name, owner):
        self.name = name
        self.rank = _rank(name)  # smaller is more severe
        self._owner = owner
        self.active = False
        self.fault = None  # the reported Fault while active, else None
        self.forced = False  # raised by another part of the firmware
        self.latched = False
        self.trying = False  # recovery "supply": reported, but the contactor may close as a trial
        self._cause = False  # latest state of the cause
        self._since = None  # cause seen since, while not active
        self._gone_since = None  # cause gone since, while active
        self._active_since = 0
        self._retries = 0
        self._seen = ()  # recovery "again": times at which it came, within REPEATS_WITHIN_MS

    def see(self, cause, now_ms):
        """Takes the latest state of the cause; called every step for a cause that the machine supervises."""
        self._cause = cause
        if cause or self.forced:
            if self.active and not self.trying:
                self._gone_since = None
                self._trouble(now_ms)
                return
            if self._since is None:
                self.fault = self.fault or Fault(self.name)
                self._since = now_ms
            if self.forced or now_ms - self._since >= self.fault.debounce_ms:
                self._activate(now_ms)
        elif self.active:
            self._since = None
            if self._gone_since is None:
                self._gone_since = now_ms
            if now_ms - self._gone_since >= self.fault.clear_ms:
                self._recover(now_ms)
        else:
            self._since = self.fault = None
            if self._owner.unplugged:
                self._retries = 0
                self._seen = ()

    def review(self, now_ms):
        """Checks again with the last state of the cause, for a fault that another part has raised."""
        self.see(self._cause, now_ms)

    def clear(self):
        """Ends the fault regardless of its recovery; it returns if its cause is still present."""
        self._since = self._gone_since = None
        self.latched = self.trying = False
        self.fault = None
        if self.active:
            self.active = False
            self._owner.changed()

    def settle(self):
        """See Faults.settle()."""
        if self.active and self.fault is None:
            self.fault = Fault(self.name)
        self._since = None

    def _activate(self, now_ms):
        self.active = True
        self.trying = False
        self._active_since = now_ms
        self._since = self._gone_since = None
        recovery = self.fault.recovery
        if recovery == "latched" or (recovery == "retry" and self._retries >= MAX_RETRIES):
            self.latched = True
        elif recovery == "again":
            self._seen = tuple(ms for ms in self._seen if now_ms - ms < REPEATS_WITHIN_MS) + (now_ms,)
        self._trouble(now_ms)
        self._owner.changed()

    def _trouble(self, now_ms):
        if self.fault.blocks:
            self._owner.trouble_ms = now_ms

    def _recover(self, now_ms):
        """Handles the recovery after the cause has been gone for `clear_ms`."""
        if self._may_recover(now_ms):
            self.clear()
        elif self.fault.recovery == "supply" and not self.trying and not self._owner.resting:
            self.trying = True
            self._owner.changed()

    def _may_recover(self, now_ms):
        owner = self._owner
        if self.latched:
            return False
        recovery = self.fault.recovery
        if recovery == "auto" or owner.unplugged:
            return True
        if recovery == "supply":
            return not owner.proving
        if recovery == "again":
            return len(self._seen) < REPEATS and not owner.resting
        if recovery == "retry" and now_ms - self._active_since >= RETRY_AFTER_MS:
            self._retries += 1
            return True
        return False


class Faults:
    """The faults of one connector: `active` is a tuple of Fault, most severe first; `blocking`: one of them blocks.

    `active` is the same object until something changes. There is no callback: a fault becomes active during a step, and
    observers must not run (and write to flash) before the step has opened the contactor.
    """

    def __init__(self):
        self._watches = []  # watches created by watch(), most severe first
        self._raised = []  # watches that other parts have raised, now or before
        # Set by the machine:
        self.unplugged = True  # no vehicle, by the pilot
        self.resting = False  # during the pause after a fault
        self.proving = False  # a vehicle requests energy, and no closing has succeeded since the last fault
        self.trouble_ms = -1  # time when the cause of a blocking fault was last present
        self.active = ()
        self.blocking = False

    def watch(self, name):
        """Returns the Watch of a fault. Raises KeyError."""
        for watch in self._watches:
            if watch.name == name:
                return watch
        watch = Watch(name, self)
        place = 0
        while place < len(self._watches) and self._watches[place].rank < watch.rank:
            place += 1
        self._watches.insert(place, watch)
        return watch

    def raise_fault(self, name, now_ms, code=None, text=None):
        """Raises a fault that another part has detected (and debounced); `code` and `text` replace the row's."""
        watch = self.watch(name)
        words = code is not None or text is not None
        if words:
            watch.fault = Fault(name, code, text)
        changed = words and watch.active
        if watch not in self._raised:
            self._raised.append(watch)
        watch.forced = True
        watch.review(now_ms)
        if changed:
            self.changed()

    def clear_fault(self, name):
        """The cause is gone; the fault's recovery decides when it ends."""
        self.watch(name).forced = False

    def step(self, now_ms):
        """Reviews the raised faults; supervised ones are handled by `Watch.see()`."""
        for watch in self._raised:
            watch.review(now_ms)

    def settle(self):
        """Restores consistency after an exception in a step."""
        for watch in self._watches:
            watch.settle()
        self.changed()

    def changed(self):
        """Updates `active` after a watch has become active or ended."""
        self.active = tuple(watch.fault for watch in self._watches if watch.active)
        self.blocking = any(watch.active and watch.fault.blocks and not watch.trying for watch in self._watches)
