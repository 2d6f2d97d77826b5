"""Cases of the fault matrix: how each fault is applied to the circuit, in which states it shows, expected reaction.

The expectations come from IEC 61851-1 and OCPP 1.6 §7.6, not from the firmware's own tables.
"""

A, B1, B2, PAUSED, CHARGING = "A", "B1", "B2", "C1", "C2"
STATES = (A, B1, B2, PAUSED, CHARGING)
PLUGGED = (B1, B2, PAUSED, CHARGING)

EV = "EVCommunicationError"


class Case:
    """One row of the matrix.

    label     what breaks, for people; name: of the fault in the firmware, "" for what no station can tell from
              something harmless
    does, undoes   functions (cell): what breaks, and the repair
    shows     states in which it can be noticed
    limit_ms  from the cause to the open coil while charging; None: charging goes on
    code, vendor   OCPP errorCode and vendorErrorCode
    recovery  "auto": by itself, at most `after_ms` after the repair; "again", "supply": the same, after a pause where
              energy flowed; "unplug": not before the vehicle has gone; "retry": unplugging or 15 minutes;
              "session": there is no fault, but the session is over
    prompt    function (cell) that brings it to light where charging hides it, or None
    warns     the status stays as it is, or is `word`
    """

    def __init__(self, label, name, does, undoes, code, vendor, limit_ms=200, shows=PLUGGED, recovery="unplug",
                 after_ms=2_000, prompt=None, warns=False, word=None):  # fmt: skip
        self.label = label
        self.name = name
        self.does = does
        self.undoes = undoes
        self.code = code
        self.vendor = vendor
        self.limit_ms = limit_ms
        self.shows = shows
        self.recovery = recovery
        self.after_ms = after_ms
        self.prompt = prompt
        self.warns = warns
        self.word = word

    @property
    def by_vehicle(self):
        return self.code == EV


def _circuit(name):
    return lambda cell: cell.outlet.set_fault(name, True), lambda cell: cell.outlet.set_fault(name, False)


def _temperature(tenths):
    def does(cell):
        cell.outlet.temperature_dc = tenths

    def undoes(cell):
        cell.outlet.temperature_dc = 250

    return does, undoes


def _emergency(on):
    return lambda cell: cell.outlet.press("emergency", on)


def _vehicle_shows(letter):
    def undoes(cell):
        if cell.outlet.vehicle.plugged:
            cell.outlet.set_vehicle(cell.shown)

    def does(cell):
        if cell.outlet.vehicle.plugged:
            cell.outlet.set_vehicle(letter)

    return does, undoes


def _overdriven(cell):
    cell.outlet.force_pilot(15_000, True)


def _back(cell):
    cell.outlet.set_vehicle(cell.shown if cell.outlet.vehicle.plugged else "A")


def _cable_unreadable(cell):
    cell.outlet.vehicle.cable_a = None


def _cable_again(cell):
    cell.outlet.vehicle.cable_a = 32 if cell.outlet.vehicle.plugged else None


def _bolt_springs_back(cell):
    cell.outlet.lock.locked = False
    cell.outlet.lock.jammed = True


def _bolt_free(cell):
    cell.outlet.lock.jammed = False


def _rcd_dead(on):
    def does(cell):
        cell.outlet.rcd.selftest = "fail" if on else "ok"

    return does


def _contact(name, on):
    """The contact of a protective device, as its button tells it."""
    return lambda cell: cell.bench.board.buttons.changed.emit(cell.n, name, on)


def _tripped(name):
    return name, _contact(name, True), _contact(name, False)


def _phase(index):
    def does(cell):
        cell.meter.lost_phase = index

    return does


def _blind(on):
    def does(cell):
        cell.meter.measures_currents = not on

    return does


def _wired_backwards(on):
    def does(cell):
        cell.meter.backwards = on

    return does


def _a_minute_later(cell):
    cell.bench.run(61_000)


def _register_stands(on):
    def does(cell):
        cell.meter.stands = on

    return does


def _while_500_wh_flow(cell):
    cell.bench.run(600_000)


def _stands_still(cell):
    cell.meter.repeats = True


def _moves_again(cell):
    cell.meter.repeats = False
    _back(cell)


def _unbalanced(cell):
    cell.evse.wishes.max_imbalance_ma = 20_000
    cell.outlet.set_load((26_000, 5_000, 5_000), 230_000)


def _balanced(cell):
    cell.outlet.set_load((5_000,) * 3, 230_000)


def _driver_fails(cell):
    def sample():
        raise OSError(5)

    cell.parts.pilot.sample = sample


def _driver_works(cell):
    del cell.parts.pilot.sample


def _control_fails(cell):
    def sample():
        raise ValueError("a defect")

    cell.parts.pilot.sample = sample


def _s2_opens(cell):
    cell.outlet.set_vehicle("B")


def _test_is_due(cell):
    """A self-test follows each session, and there is one a day."""
    if cell.outlet.vehicle.plugged:
        cell.finish()
        cell.outlet.unplug()
    else:
        cell.bench.run(86_400_000, 10_000)


CASES = (
    Case("emergency stop pressed", "emergency_stop", _emergency(True), _emergency(False), "OtherError",
         "EVSE EMERGENCY_STOP", 100, STATES),
    Case("contactor welded", "contactor_welded", *_circuit("relay_weld"), "PowerSwitchFailure", "EVSE F1", None, STATES,
         prompt=_s2_opens),
    Case("contactor stuck open", "contactor_stuck_open", *_circuit("relay_open"), "PowerSwitchFailure", "EVSE F11",
         1_500, (CHARGING,), "again"),
    Case("residual current", "rcd_tripped", *_circuit("rcd"), "GroundFailure", "EVSE F3", 150, STATES),
    Case("RCD self-test without answer", "rcd_test_failed", _rcd_dead(True), _rcd_dead(False), "GroundFailure",
         "EVSE F3", None, STATES, "retry", prompt=_test_is_due),
    Case("above 80 C", "overtemperature", *_temperature(950), "HighTemperature", "EVSE F10", 1_200,
         STATES, "auto", 604_000),
    Case("temperature sensor torn off", "temperature_sensor", *_temperature("open"), "HighTemperature", "EVSE F10",
         1_300, STATES, "auto", 604_000),
    Case("warm outlet, 70 C", "derated", *_temperature(700), "HighTemperature", "EVSE F17", None, STATES, "auto",
         warns=True),
    Case("more current than offered", "overcurrent", *_circuit("overcurrent"), "OverCurrentFailure", "EVSE F9", 8_200,
         (CHARGING,)),
    Case("phases loaded unequally", "imbalance", _unbalanced, _balanced, "OverCurrentFailure", "EVSE F15", None,
         (CHARGING,), warns=True),
    Case("meter without currents", "overcurrent_blind", _blind(True), _blind(False), "OverCurrentFailure", "EVSE F16",
         None, STATES, "auto", warns=True),
    Case("CP shorted to PE", "cp_short", *_circuit("cp_short"), EV, "EVSE F8", 100, STATES, "auto"),
    Case("CP beyond its limits", "cp_open", _overdriven, _back, EV, "EVSE F8", 100, STATES, "auto", 3_000),
    Case("CP or PE open", "", *_circuit("pe_open"), "NoError", None, 100, PLUGGED, "session"),
    Case("no diode", "diode", *_circuit("diode"), EV, "EVSE F8", 200, (B2, CHARGING), "again"),
    Case("vehicle in D", "ventilation", *_vehicle_shows("D"), EV, "EVSE F7", 600, PLUGGED, "auto"),
    Case("PP unreadable", "pp_invalid", _cable_unreadable, _cable_again, EV, "EVSE F6", 750, PLUGGED,
         "again"),
    Case("lock does not hold", "lock_failed", _bolt_springs_back, _bolt_free, "ConnectorLockFailure", "EVSE F5", 300,
         PLUGGED),
    Case("phase L2 missing", "phase_loss", _phase(1), _phase(None), "UnderVoltage", "SUPPLY PHASE_LOSS", 4_200, STATES,
         "supply", 12_000),
    Case("280 V", "overvoltage", *_circuit("overvoltage"), "OverVoltage", "SUPPLY OVERVOLTAGE", 3_200, STATES, "supply",
         12_000),
    Case("180 V", "undervoltage", *_circuit("undervoltage"), "UnderVoltage", "SUPPLY UNDERVOLTAGE", 4_200, STATES,
         "supply", 12_000),
    Case("ADC of the pilot fails", "other", _driver_fails, _driver_works, "OtherError", "EVSE F2", 100, STATES, "auto",
         6_000),
    Case("exception in the control", "control_failed", _control_fails, _driver_works, "InternalError",
         "EVSE CONTROL_FAILED", 100, STATES, "auto", 20_000),
    Case("meter silent", "meter_lost", *_circuit("meter_fail"), "PowerMeterFailure", "METER TIMEOUT", None, STATES,
         "auto", warns=True),
    Case("meter repeats its last values", "meter_frozen", _stands_still, _moves_again, "PowerMeterFailure",
         "METER FROZEN", None, (CHARGING,), "auto", prompt=_s2_opens, warns=True, word="SuspendedEV"),
    Case("register stands while power flows", "meter_standing", _register_stands(True), _register_stands(False),
         "PowerMeterFailure", "METER STANDING", None, (CHARGING,), "auto", 3_000, _while_500_wh_flow, warns=True),
    Case("meter silent for a minute", "meter_failed", *_circuit("meter_fail"),
         "PowerMeterFailure", "METER TIMEOUT", 63_000, STATES, "auto"),
    Case("meter wired backwards", "meter_reversed", _wired_backwards(True), _wired_backwards(False),
         "PowerMeterFailure", "METER REVERSED", None, (CHARGING,), "auto", 3_000, _a_minute_later, warns=True),
    Case("RCCB tripped", *_tripped("rccb_tripped"), "GroundFailure", "RCCB TRIPPED", 100, STATES, "auto"),
    Case("circuit breaker tripped", *_tripped("mcb_tripped"), "OverCurrentFailure", "MCB_32 TRIPPED", 100, STATES,
         "auto"),
    Case("main breaker tripped", *_tripped("breaker_tripped"), "OtherError", "GeneralBreaker TRIPPED", 100, STATES,
         "auto"),
    Case("surge protection used up", *_tripped("spd_tripped"), "OtherError", "SPD TRIPPED", 100, STATES, "auto"),
)  # fmt: skip
