"""What can go wrong at a connector: one table of faults, and the life of each from its cause to its recovery."""

from micropython import const

# IEC/UL practice for residual current trips: some attempts with a long wait, then somebody has to look.
RETRY_AFTER_MS = const(900_000)
MAX_RETRIES = const(3)


class Fault:
    """One row of the table.

    `code` is the vendorErrorCode and `text` the info of a status report (both <= 50 characters). `debounce_ms` is how
    long the cause must last, `clear_ms` how long it must be gone. `recovery` says what else it takes:

    auto     nothing
    unplug   the vehicle has to be unplugged
    retry    unplugging, or 15 minutes of waiting up to three times; after that latched
    latched  a restart or `clear()`

    `blocks`: no energy while it lasts, and an orderly opening is not waited for. `vehicle`: it lies with the vehicle or
    its cable, so that the station itself is not out of order (OCPP 1.6 §7.6, EVCommunicationError).
    """

    def __init__(self, name, code, text, debounce_ms, recovery, blocks=True, clear_ms=0, vehicle=False):
        self.name = name
        self.code = code
        self.text = text
        self.debounce_ms = debounce_ms
        self.recovery = recovery
        self.blocks = blocks
        self.clear_ms = clear_ms
        self.vehicle = vehicle

    def reported_as(self, code, text):
        """Returns this fault with another code or text; None keeps the row's own."""
        return Fault(
            self.name,
            self.code if code is None else code[:50],
            self.text if text is None else text[:50],
            self.debounce_ms,
            self.recovery,
            self.blocks,
            self.clear_ms,
            self.vehicle,
        )


# The worst first. Voltages come from a meter that is read about once a second; their debounce spans several readings.
TABLE = (
    Fault("emergency_stop", "EVSE EMERGENCY_STOP", "Emergency stop pressed", 0, "unplug"),
    Fault("contactor_welded", "EVSE F1", "Contactor closed although switched off", 250, "unplug"),
    Fault("rcd_tripped", "EVSE F3", "DC residual current", 50, "retry"),
    Fault("rcd_test_failed", "EVSE F3", "RCD self-test failed", 0, "retry"),
    Fault("rccb_tripped", "RCCB TRIPPED", "Residual current breaker tripped", 0, "auto"),
    Fault("mcb_tripped", "MCB_32 TRIPPED", "Circuit breaker tripped", 0, "auto"),
    Fault("breaker_tripped", "GeneralBreaker TRIPPED", "Main breaker tripped", 0, "auto"),
    Fault("spd_tripped", "SPD TRIPPED", "Surge protection used up", 0, "auto"),
    Fault("contactor_stuck_open", "EVSE F11", "Contactor does not close", 250, "unplug"),
    Fault("other", "EVSE F2", "Internal failure", 0, "auto"),
    Fault("overtemperature", "EVSE F10", "Temperature above 80 C", 0, "auto"),
    Fault("temperature_sensor", "EVSE F10", "Temperature sensor failed", 0, "auto"),
    Fault("overcurrent", "EVSE F9", "Vehicle draws more than offered", 7_000, "unplug"),
    Fault("cp_short", "EVSE F8", "Control pilot shorted to PE", 0, "auto", vehicle=True),
    Fault("cp_open", "EVSE F8", "Control pilot or PE out of limits", 55, "auto", clear_ms=1_000, vehicle=True),
    Fault("diode", "EVSE F8", "No diode on the control pilot", 100, "unplug", vehicle=True),
    Fault("ventilation", "EVSE F7", "Vehicle asks for ventilation", 0, "auto", vehicle=True),
    Fault("pp_invalid", "EVSE F6", "Cable rating unreadable", 500, "unplug", vehicle=True),
    Fault("lock_failed", "EVSE F5", "Plug lock does not follow", 0, "unplug"),
    Fault("phase_loss", "SUPPLY PHASE_LOSS", "Supply phase missing", 3_000, "auto", clear_ms=10_000),
    Fault("overvoltage", "SUPPLY OVERVOLTAGE", "Supply voltage too high", 2_000, "auto", clear_ms=10_000),
    Fault("undervoltage", "SUPPLY UNDERVOLTAGE", "Supply voltage too low", 3_000, "auto", clear_ms=10_000),
    Fault("meter_failed", "METER TIMEOUT", "Meter does not answer: no energy", 0, "auto"),
    Fault("meter_lost", "METER TIMEOUT", "Meter does not answer", 0, "auto", blocks=False),
    Fault("brown_out", "SUPPLY BROWN_OUT", "Supply was too low for the controller", 0, "auto", blocks=False),
    Fault("flash_full", "STORE MEMORY_EXHAUSTION", "Flash full: no new transaction", 0, "auto", blocks=False),
    Fault("watchdog_reset", "EVSE WATCHDOG", "Restarted by the watchdog", 0, "auto", blocks=False),
    Fault("reader_lost", "AUTHENTICATOR TIMEOUT", "Card reader does not answer", 0, "auto", blocks=False),
    Fault("overcurrent_blind", "EVSE F16", "Current not measured: 10 A", 0, "auto", blocks=False),
    Fault("imbalance", "EVSE F15", "Phases loaded unequally: 20 A", 6_000, "unplug", blocks=False),
    Fault("derated", "EVSE F17", "Outlet is warm: less current", 0, "auto", blocks=False),
)

FAULTS = {fault.name: fault for fault in TABLE}


class Watch:
    """One fault of one connector: debounces its cause and decides when it is over."""

    def __init__(self, row, owner):
        self.row = row  # of the table
        self.fault = row  # as reported: `raise_fault` may bring code and text of its own
        self.active = False
        self.forced = False  # another part of the firmware holds it
        self.latched = False
        self._owner = owner
        self._cause = False  # newest look
        self._since = None  # cause seen since, while not active
        self._gone_since = None  # cause gone since, while active
        self._active_since = 0
        self._retries = 0

    def see(self, cause, now_ms):
        """Takes the newest look at the cause; called every step for a cause that the machine supervises."""
        self._cause = cause
        if cause or self.forced:
            self._gone_since = None
            if self.active:
                return
            if self._since is None:
                self._since = now_ms
            if self.forced or now_ms - self._since >= self.row.debounce_ms:
                self._activate(now_ms)
        elif self.active:
            if self._gone_since is None:
                self._gone_since = now_ms
            if now_ms - self._gone_since >= self.row.clear_ms and self._may_recover(now_ms):
                self.clear()
        else:
            self._since = None
            if self._retries and self._owner.unplugged:
                self._retries = 0

    def review(self, now_ms):
        """Looks again, at the cause that was seen last; what a raised fault has instead of a supervisor."""
        self.see(self._cause, now_ms)

    def clear(self):
        """Ends the fault whatever its recovery; it comes back when its cause is still there."""
        self._since = self._gone_since = None
        self.latched = False
        self.fault = self.row
        if self.active:
            self.active = False
            self._owner.changed()

    def _activate(self, now_ms):
        self.active = True
        self._active_since = now_ms
        self._since = None
        if self.row.recovery == "latched" or (self.row.recovery == "retry" and self._retries >= MAX_RETRIES):
            self.latched = True
        self._owner.changed()

    def _may_recover(self, now_ms):
        if self.latched:
            return False
        recovery = self.row.recovery
        if recovery == "auto" or self._owner.unplugged:
            return True
        if recovery == "retry" and now_ms - self._active_since >= RETRY_AFTER_MS:
            self._retries += 1
            return True
        return False


class Faults:
    """The faults of one connector: `active` is a tuple of Fault, the worst first; `blocking`: one of them blocks.

    `active` is the same object until something changes. There is no callback: a fault becomes active in the middle of
    a step, and whoever is told must not run (and write to flash) before the step has opened the contactor.
    """

    def __init__(self):
        self._watches = tuple(Watch(row, self) for row in TABLE)
        self._raised = []  # watches that other parts raised, looked at until they are over
        self.unplugged = True  # set by the machine: the pilot shows that no vehicle is there
        self.active = ()
        self.blocking = False

    def watch(self, name):
        """Returns the Watch of a fault. Raises KeyError."""
        for watch in self._watches:
            if watch.row.name == name:
                return watch
        raise KeyError(name)

    def raise_fault(self, name, now_ms, code=None, text=None):
        """A fault that another part has seen (and debounced); `code` and `text` replace the row's own."""
        watch = self.watch(name)
        changed_words = watch.active and (code is not None or text is not None)
        watch.fault = watch.row.reported_as(code, text) if code is not None or text is not None else watch.fault
        watch.forced = True
        if watch not in self._raised:
            self._raised.append(watch)
        watch.review(now_ms)
        if changed_words:
            self.changed()

    def clear_fault(self, name):
        """The other part no longer sees it; the fault's recovery decides when it ends."""
        self.watch(name).forced = False

    def step(self, now_ms):
        """Looks after the raised faults; the supervised ones are looked at by `Watch.see()`."""
        for watch in self._raised:
            watch.review(now_ms)
            if not watch.active and not watch.forced:
                self._raised.remove(watch)
                break  # the list has changed; the next step is 20 ms away

    def changed(self):
        """A watch has become active or over."""
        self.active = tuple(watch.fault for watch in self._watches if watch.active)
        self.blocking = any(fault.blocks for fault in self.active)
