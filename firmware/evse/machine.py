"""State machine of one connector (IEC 61851-1 mode 3): decides pilot PWM, contactor (6 s forced opening) and plug lock.

`step()` runs every 20 ms. It only reads its inputs and the Wishes of the layers above, accesses no hardware and
allocates nothing while nothing changes. "A.6 seq. n" in comments refers to a sequence of IEC 61851-1:2017 table A.6.
"""

from micropython import const

from firmware.evse.limits import STATE_F, duty_for
from firmware.evse.phase_switch import PhaseSwitch
from firmware.evse.pilot_input import PilotInput
from firmware.evse.pilot_output import PilotOutput
from firmware.evse.plug import FixedCable, Socket
from firmware.evse.reclosing import Reclosing
from firmware.evse.supervision import Supervision
from firmware.evse.supply_check import unloaded
from firmware.evse.wakeup import DISCONNECT, PULSE_F, WakeUp
from firmware.evse.wishes import Wishes

# Forced opening: a vehicle that ignores the withdrawn PWM (it has 3 s, A.6 seq. 10.1) is disconnected under load
# (10.2).
FORCE_OPEN_AFTER_MS = const(6_000)
UNLOCK_IN_F_AFTER_MS = const(5_000)


class Fitted:
    """Equipment of a connector: fixed cable or socket, 1 or 3 phases, and the optional parts."""

    def __init__(self, fixed_cable=False, phases=3, thermistor=True, pilot_switch=False, rcd_test=True):
        self.fixed_cable = fixed_cable
        self.phases = phases
        self.thermistor = thermistor
        self.pilot_switch = pilot_switch
        self.rcd_test = rcd_test


class Inputs:
    """Measurements of the drivers. One object, overwritten before each step."""

    def __init__(self):
        self.pilot_high_mv = None  # positive and negative half-wave at the CP terminal, mV; None = no sample
        self.pilot_low_mv = None
        self.proximity_ohm = None  # None = open
        self.contactor_closed = None  # auxiliary contact; None = not fitted
        self.lock_closed = None  # None = not fitted
        self.rcd_tripped = None  # None = not fitted
        self.temperature_dc = None  # tenths of a degree; None = sensor failed
        self.currents_ma = None  # latest meter reading, tuples, or None
        self.voltages_mv = None
        self.energy_wh = None  # its register, Wh, or None
        self.emergency = False


class Outputs:
    """Outputs for the drivers. One object, overwritten by each step."""

    def __init__(self, phases):
        self.pilot = PilotOutput()
        self.close = False
        self.phases = phases
        self.lock = None  # None: not decided since power-on, the bolt stays where it is
        self.rcd_test = False
        self.cp_connected = True

    @property
    def duty(self):
        """0.01 %; STEADY = +12 V, STATE_F = -12 V."""
        return self.pilot.duty


class Machine:
    """One connector. `forced_openings`: number of openings under load, of vehicles that ignored the withdrawn PWM."""

    def __init__(self, limits, faults, fitted):
        self.limits = limits
        self.faults = faults
        self.wishes = Wishes(fitted.phases)
        self.outputs = Outputs(fitted.phases)
        self.reclosing = Reclosing()
        self.forced_openings = 0
        self._fitted = fitted
        self._assemble(PilotInput(faults), None)
        self.phase_switch = PhaseSwitch(fitted.phases)

    def _assemble(self, pilot, before):
        """Creates the parts that only keep the last few seconds; `before`: the previous Supervision, or None."""
        fitted = self._fitted
        supervision = Supervision(self.limits, self.faults, self.wishes, fitted)
        if before:
            supervision.inherit(before)
        self.supervision = supervision
        self.pilot = pilot
        self.plug = FixedCable() if fitted.fixed_cable else Socket(self.limits, self.faults)
        self.wakeup = WakeUp(fitted.pilot_switch)
        self._currents_then = None  # the reading at which the offer was withdrawn

    def step(self, inputs, now_ms):
        """Takes the present inputs; returns the outputs, always the same object."""
        self._see(inputs, now_ms)
        self._see_failure(now_ms)
        self._offer(inputs, now_ms)
        self._switch(inputs, now_ms)
        self._secure_plug(inputs, now_ms)
        return self.outputs

    def abort(self, now_ms):
        """The outputs were made safe elsewhere (open, state F): continues from there as after a fault."""
        out = self.outputs
        out.close = False
        out.pilot.withdraw(now_ms)
        out.cp_connected = True
        out.rcd_test = False
        self.reclosing.troubled(False, now_ms)
        self.reclosing.step(False, now_ms)

    def restart(self, now_ms):
        """Restarts after an interrupted step. Keeps the wishes and the last known state of the vehicle.

        If it raises, repeat it before the next step.
        """
        self.faults.settle()
        pilot = self.pilot
        self._assemble(PilotInput(self.faults, pilot.state, pilot.connected, now_ms), self.supervision)
        self.phase_switch = PhaseSwitch(self.outputs.phases, self.wishes.phases, self.pilot.connected)
        self.outputs.pilot.forget()
        self.abort(now_ms)

    @property
    def state(self):
        """Pilot state "A" to "E", or "F" while it is not known because the station is out of service."""
        return self.pilot.state

    @property
    def offered_ma(self):
        """mA per phase that the pilot signals, 0 while it is steady."""
        return self.outputs.pilot.offered_ma

    @property
    def vehicle_ready(self):
        """True when the vehicle requests energy: C, or D with ventilation."""
        state = self.pilot.state
        return state == "C" or (state == "D" and self.wishes.ventilation)

    def waits(self, now_ms):
        """True while it is too early to close again after the last opening."""
        return self.reclosing.waits(now_ms)

    # Inputs ---------------------------------------------------------------------------------------------------

    def _see(self, inputs, now_ms):
        out = self.outputs
        plug = self.plug
        pilot = self.pilot
        if pilot.step(inputs, out.pilot, not out.cp_connected, plug, self.wishes, now_ms):
            self._vehicle_left(now_ms)
        plug.see(inputs.proximity_ohm, now_ms)
        plug.check(pilot.connected and not pilot.blind, now_ms)
        away = pilot.state == "A"
        self.supervision.step(inputs, out.close, out.pilot.offered_ma, away, self.reclosing.quiet_ms(now_ms), now_ms)
        self.phase_switch.wanted = self.wishes.phases
        self.phase_switch.step(out.close or bool(inputs.contactor_closed), away, now_ms)
        self.faults.step(now_ms)

    def look_for_plug(self, ohm, now_ms):
        """Takes only the proximity resistance (ohm, None = open), for a connector that is not stepped."""
        self.plug.see(ohm, now_ms)
        if self.pilot.look_for_plug(self.outputs.duty, self.plug, self.wishes, now_ms):
            self._vehicle_left(now_ms)

    def _vehicle_left(self, now_ms):
        self.outputs.pilot.unplugged()
        self.reclosing.unplugged(now_ms)
        self.supervision.rcd.unplugged()
        self.plug.retry_lock()  # a failed lock must not keep the cable

    def _see_failure(self, now_ms):
        """A failed closing starts a pause, in which the slot "recovery" withdraws the offer."""
        faults = self.faults
        reclosing = self.reclosing
        close = self.outputs.close
        if faults.blocking and (close or self.outputs.pilot.offered_ma):  # both end in this step
            of_supply = any(fault.recovery == "supply" for fault in faults.active)
            reclosing.failed(close, of_supply, now_ms)
        reclosing.step(close, now_ms)
        faults.resting = reclosing.rests(now_ms)
        if faults.resting:
            self.limits.set("recovery", 0)
        else:
            self.limits.clear("recovery")
        faults.proving = reclosing.unproven and self.wishes.permitted and self.pilot.connected

    # Outputs ---------------------------------------------------------------------------------------------------

    def _offer(self, inputs, now_ms):
        """Sets the pilot: duty cycle and switch."""
        out = self.outputs
        wishes = self.wishes
        milliamps = self._offerable()
        duty = duty_for(milliamps)
        self.wakeup.step(wishes.wake_up and milliamps > 0, self.vehicle_ready, out.close, now_ms)
        action = self.wakeup.action
        cut = self.phase_switch.cuts
        has_switch = self._fitted.pilot_switch
        if (cut and not has_switch) or action == PULSE_F:
            duty = STATE_F
        elif not wishes.available and not out.close and not inputs.contactor_closed:
            duty = STATE_F
        out.cp_connected = not (has_switch and (cut or action == DISCONNECT))
        self._drive(duty, milliamps, inputs, now_ms)

    def _offerable(self):
        """Returns the mA that may be offered now, 0 for none."""
        wishes = self.wishes
        if not wishes.permitted or not wishes.available or self.faults.blocking or self.phase_switch.holds:
            return 0
        if not self.plug.usable or not (self.pilot.state == "B" or self.vehicle_ready):
            return 0
        return self.limits.allowed()[0]

    def _drive(self, duty, milliamps, inputs, now_ms):
        output = self.outputs.pilot
        before = output.duty
        offered = output.pwm
        output.drive(duty, milliamps, self.pilot.state != "A", now_ms)
        if not offered or output.duty == before:
            return
        if output.pwm:
            self.pilot.duty_changed(now_ms)
        else:
            self._currents_then = inputs.currents_ma

    def _switch(self, inputs, now_ms):
        """Sets the contactor."""
        out = self.outputs
        output = out.pilot
        pilot = self.pilot
        blocked = self.faults.blocking
        safe = not pilot.blind and self.vehicle_ready and not blocked and self.plug.locked
        currents = inputs.currents_ma
        if out.close:
            if not safe:
                if blocked:
                    self._drive(STATE_F, 0, inputs, now_ms)  # signals it at once; +12 V again after 300 ms
                self._set_contactor(False, now_ms)
            elif not output.pwm and currents is not self._currents_then and unloaded(currents):
                self._set_contactor(False, now_ms)  # the vehicle has stopped drawing but not opened S2
            elif not output.pwm and now_ms - output.since >= FORCE_OPEN_AFTER_MS:
                self.forced_openings += 1
                self._set_contactor(False, now_ms)
        elif safe and output.pwm and pilot.diode_proven and self.supervision.rcd.passed:
            # A contact that is closed before the command is a weld that is not debounced yet.
            if not self.waits(now_ms) and not inputs.contactor_closed:
                self._set_contactor(True, now_ms)
        if self.faults.trouble_ms == now_ms:
            self.reclosing.troubled(pilot.state == "A", now_ms)

    def _set_contactor(self, close, now_ms):
        out = self.outputs
        if close:
            out.phases = self.phase_switch.phases
        else:
            self.reclosing.opened(self.pilot.state == "A", now_ms)
        out.close = close
        self.pilot.contactor_switched(now_ms)

    def _secure_plug(self, inputs, now_ms):
        """Sets the lock and the self-test line."""
        out = self.outputs
        wishes = self.wishes
        plug = self.plug
        connected = self.pilot.connected
        out.rcd_test = self.supervision.rcd.test
        if not out.close:
            out.phases = self.phase_switch.phases
        in_f = out.duty == STATE_F and now_ms - out.pilot.since >= UNLOCK_IN_F_AFTER_MS
        out_of_use = in_f and not wishes.available
        wanted = wishes.hold_plug or (wishes.permitted and connected)
        # An empty socket is not locked, and an unusable cable is released.
        unusable = self.pilot.state == "E" or plug.unreadable
        if out_of_use or unusable or not (plug.usable or connected):
            wanted = False
        # A live plug stays locked regardless of wishes.
        if out.close or inputs.contactor_closed or self.supervision.welded:
            wanted = True
        if out.lock is None and wishes.hold_plug is None and not wanted and inputs.lock_closed is not None:
            return
        plug.secure(bool(wanted), inputs.lock_closed, now_ms)
        out.lock = plug.drive
