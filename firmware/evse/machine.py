"""State machine of one connector (IEC 61851-1 mode 3): decides pilot PWM, contactor (6 s forced opening) and plug lock.

`step()` runs every 20 ms. It only reads its inputs and the commands of the layers above (`permitted`, `available`,
`hold_plug`, ...), accesses no hardware and allocates nothing while nothing changes. "A.6 seq. n" in comments refers to
a sequence of IEC 61851-1:2017 table A.6.
"""

from micropython import const

from firmware.evse.cable import Cable, FixedCable
from firmware.evse.limits import STATE_F, STEADY, duty_for
from firmware.evse.lock_supervision import LockSupervision
from firmware.evse.phase_switch import PhaseSwitch
from firmware.evse.pilot_levels import diode_present, plausible
from firmware.evse.pilot_state import LEAVE_DISTURBED_MS, LEAVE_MS, PilotState
from firmware.evse.reclosing import Reclosing
from firmware.evse.supervision import Supervision
from firmware.evse.supply_check import unloaded
from firmware.evse.wakeup import DISCONNECT, PULSE_F, WakeUp

# Forced opening: a vehicle that ignores the withdrawn PWM (it has 3 s, A.6 seq. 10.1) is disconnected under load
# (10.2).
FORCE_OPEN_AFTER_MS = const(6_000)
# A.5.3: a vehicle has 5 s to follow a duty cycle; the next one comes after that.
DUTY_INTERVAL_MS = const(5_000)
# A.6 seq. 10.1: after the PWM was withdrawn, none is offered for the 3 s that the vehicle has to respond.
WITHDRAWN_AT_LEAST_MS = const(3_000)
# Table A.5: some vehicles do not detect a shorter state F.
STATE_F_AT_LEAST_MS = const(300)
# Between state F and a PWM the pilot is at +12 V, so that a vehicle that was reset detects the station first.
STEADY_AFTER_F_MS = const(750)
# BMW hybrids glitch to 9 V up to 500 ms after a change of the duty cycle: B is ignored in C until then. This is the
# only exception from A.6 seq. 8.1 (100 ms); A, D and E, and so every pulled plug, keep their deadline.
BLANK_AFTER_DUTY_MS = const(550)
DISTURBED_AFTER_SWITCHING_MS = const(200)  # the coil disturbs the pilot: B must last longer
# After the pilot was cut or at -12 V, its measurement is ignored for this time.
PILOT_SETTLE_MS = const(75)
DIODE_SAMPLES = const(3)  # table A.4 note: detected before closing; three in a row, since one may be noise
UNLOCK_IN_F_AFTER_MS = const(5_000)
# While the pilot is cut or in state F only the proximity contact detects that the plug is out. It may chatter; a
# session of an unplugged vehicle must end within 5 s.
GONE_AFTER_MS = const(1_000)


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
        self.duty = STEADY  # 0.01 %; STEADY = +12 V, STATE_F = -12 V
        self.close = False
        self.phases = phases
        self.lock = None  # None: not decided since power-on, the bolt stays where it is
        self.rcd_test = False
        self.cp_connected = True


class Machine:
    """`thermistor`, `pilot_switch` and `rcd_test`: True if fitted. Updates `faults.unplugged`."""

    def __init__(
        self,
        limits,
        faults,
        fixed_cable=False,
        phases=3,
        ventilation=False,
        thermistor=True,
        pilot_switch=False,
        rcd_test=True,
    ):
        self.limits = limits
        self.faults = faults
        self.outputs = Outputs(phases)
        self.pilot = PilotState()
        if fixed_cable:
            self.cable = self.lock = FixedCable()
        else:
            self.cable = Cable()
            self.lock = LockSupervision()
        self.supervision = Supervision(limits, faults, phases, thermistor, rcd_test)
        self.reclosing = Reclosing()
        self.wakeup = WakeUp(pilot_switch)
        self.phase_switch = PhaseSwitch(phases)
        # Commands of the layers above
        self.permitted = False  # energy is allowed
        self.available = True
        self.hold_plug = None  # keep the plug locked; None: not decided yet
        self.wake_up = True
        # Readings
        self.state = "A"
        self.offered_ma = 0
        self.forced_openings = 0  # number of openings under load, because a vehicle ignored the withdrawn PWM
        self.ventilation = ventilation
        self._pilot_switch = pilot_switch
        self._phases = phases
        self._thermistor = thermistor
        self._rcd_test = rcd_test
        self._forget()
        self._cp_short = faults.watch("cp_short")
        self._cp_open = faults.watch("cp_open")
        self._diode = faults.watch("diode")
        self._ventilated = faults.watch("ventilation")
        self._pp_invalid = faults.watch("pp_invalid")
        self._lock_failed = faults.watch("lock_failed")

    def _forget(self):
        """Resets the state that only concerns the last few seconds."""
        self._diode_samples = 0
        self._duty_at = 0  # time of the last change of the duty cycle
        self._withdrawn_at = None  # time when this vehicle's offer was withdrawn
        self._blank_until = 0
        self._disturbed_until = 0
        self._steady_until = 0
        self._currents_ma = None  # latest, and those when the offer was last withdrawn
        self._currents_then = None
        self._cut_at = None  # pilot ignored until PILOT_SETTLE_MS later
        self._plug_at = 0  # time when the plug was last detected, or the pilot measured

    def step(self, inputs, now_ms):
        """Takes the present inputs; returns the outputs, always the same object."""
        self._see_pilot(inputs, now_ms)
        self._see_cable(inputs, now_ms)
        self._see_power(inputs, now_ms)
        self.faults.step(now_ms)
        self._see_failure(now_ms)
        self._offer(inputs, now_ms)
        self._switch(inputs, now_ms)
        self._secure_plug(inputs, now_ms)
        return self.outputs

    def abort(self, now_ms):
        """The outputs were made safe elsewhere (open, state F): continues from there as after a fault."""
        out = self.outputs
        out.close = False
        out.duty = STATE_F
        out.cp_connected = True
        out.rcd_test = False
        self.offered_ma = 0
        self._duty_at = now_ms
        self.reclosing.troubled(False, now_ms)
        self.reclosing.step(False, now_ms)

    def restart(self, now_ms):
        """Restarts after an interrupted step. Keeps the commands and the last known state of the vehicle.

        If it raises, repeat it before the next step.
        """
        self.faults.settle()
        self.pilot = pilot = PilotState(self.pilot.state, self.pilot.connected)
        if not isinstance(self.cable, FixedCable):
            self.cable = Cable()
            self.lock = LockSupervision()
        before = self.supervision
        self.supervision = Supervision(self.limits, self.faults, self._phases, self._thermistor, self._rcd_test)
        self.supervision.inherit(before)
        self.wakeup = WakeUp(self._pilot_switch)
        self.phase_switch = PhaseSwitch(self.outputs.phases, self.phase_switch.wanted, pilot.connected)
        self._forget()
        self.abort(now_ms)
        self._plug_at = now_ms

    @property
    def vehicle_ready(self):
        """True when the vehicle requests energy: C, or D with ventilation."""
        return self.state == "C" or (self.state == "D" and self.ventilation)

    @property
    def plug_locked(self):
        """True when the plug cannot be taken out (also for a fixed cable and without a lock)."""
        return self.lock.confirmed

    def waits(self, now_ms):
        """True while it is too early to close again after the last opening."""
        return self.reclosing.waits(now_ms)

    # Inputs ---------------------------------------------------------------------------------------------------

    def _see_pilot(self, inputs, now_ms):
        out = self.outputs
        high = inputs.pilot_high_mv
        steady_f = out.duty == STATE_F
        if steady_f or not out.cp_connected:
            self._cut_at = now_ms
        if self._cut_at is not None:
            if now_ms - self._cut_at < PILOT_SETTLE_MS:
                self._see_blind(now_ms)
                self._cp_open.see(False, now_ms)
                return
            self._cut_at = None
        self._plug_at = now_ms
        good = plausible(high)
        self._cp_open.see(not good, now_ms)
        if good:  # an implausible level is not the vehicle's state
            before = self.pilot.state
            disturbed = LEAVE_DISTURBED_MS if now_ms < self._disturbed_until else LEAVE_MS
            self.pilot.see(high, now_ms, None if now_ms < self._blank_until else disturbed)
            if self.pilot.state != before:
                self._vehicle_moved(now_ms)
            if self.pilot.state == "E" and self.pilot.connected and self.cable.missing:
                self.pilot.unplugged()  # shorted inside the station: no vehicle
            self.state = self.pilot.state
        self.faults.unplugged = not self.pilot.connected
        self._cp_short.see(good and self.state == "E", now_ms)
        self._ventilated.see(self.state == "D" and not self.ventilation, now_ms)
        self._see_diode(inputs.pilot_low_mv, now_ms)

    def _see_blind(self, now_ms):
        """The pilot cannot be measured: the last state of the vehicle is kept, unless its plug is out.

        Out of service vehicles may be exchanged, so the state is measured and debounced again afterwards.
        """
        if not self.cable.missing:
            self._plug_at = now_ms
        elif self.pilot.connected and now_ms - self._plug_at >= GONE_AFTER_MS:
            self.pilot.unplugged()
            self._vehicle_moved(now_ms)
            self.state = self.pilot.state
            self.faults.unplugged = True
        if self.outputs.duty == STATE_F and not self.available:
            self.pilot.forget()
            self.state = "F"

    def look_for_plug(self, ohm, now_ms):
        """Takes only the proximity resistance (ohm, None = open), for a connector that is not stepped."""
        self.cable.see(ohm, now_ms)
        self._see_blind(now_ms)

    def _vehicle_moved(self, now_ms):
        if self.pilot.state == "A":
            self._withdrawn_at = None
            self.reclosing.unplugged(now_ms)
            self.supervision.rcd.unplugged()
            self.lock.retry()  # a failed lock must not keep the cable

    def _see_diode(self, low, now_ms):
        # The sample after a change includes part of the time before it. Without vehicle there is no PWM.
        if self.outputs.duty == STEADY or now_ms - self._duty_at < PILOT_SETTLE_MS:
            self._diode_samples = 0
            self._diode.see(False, now_ms)
            return
        present = diode_present(low)
        self._diode_samples = min(self._diode_samples + 1, DIODE_SAMPLES) if present else 0
        self._diode.see(not present, now_ms)

    def _see_cable(self, inputs, now_ms):
        cable = self.cable
        if cable.see(inputs.proximity_ohm, now_ms):
            if cable.ma:
                self.limits.set("cable", cable.ma)
            else:
                self.limits.clear("cable")
        # A plug without a valid rating is refused. Not one that was just detected after a blocked loop (a TLS
        # handshake), nor one that may have been pulled while the pilot could not be measured (F).
        plugged = self.pilot.connected and self._cut_at is None
        self._pp_invalid.see(plugged and not (cable.usable or cable.settling), now_ms)

    def _see_power(self, inputs, now_ms):
        close = self.outputs.close
        away = self.state == "A"
        self._currents_ma = inputs.currents_ma
        self.supervision.step(inputs, close, self.offered_ma, away, self.reclosing.quiet_ms(now_ms), now_ms)
        self.phase_switch.step(close or bool(inputs.contactor_closed), away, now_ms)

    def _see_failure(self, now_ms):
        """A failed closing starts a pause, in which the slot "recovery" withdraws the offer."""
        faults = self.faults
        reclosing = self.reclosing
        if faults.blocking and (self.outputs.close or self.offered_ma):  # both end in this step
            of_supply = any(fault.recovery == "supply" for fault in faults.active)
            reclosing.failed(self.outputs.close, of_supply, now_ms)
        reclosing.step(self.outputs.close, now_ms)
        faults.resting = reclosing.rests(now_ms)
        if faults.resting:
            self.limits.set("recovery", 0)
        else:
            self.limits.clear("recovery")
        faults.proving = reclosing.unproven and self.permitted and self.pilot.connected

    # Outputs ---------------------------------------------------------------------------------------------------

    def _offer(self, inputs, now_ms):
        """Sets the pilot: duty cycle and switch."""
        milliamps = self._offerable()
        duty = duty_for(milliamps)
        self.wakeup.step(self.wake_up and milliamps > 0, self.vehicle_ready, self.outputs.close, now_ms)
        action = self.wakeup.action
        cut = self.phase_switch.cuts
        if (cut and not self._pilot_switch) or action == PULSE_F:
            duty = STATE_F
        elif not self.available and not self.outputs.close and not inputs.contactor_closed:
            duty = STATE_F
        self.outputs.cp_connected = not (self._pilot_switch and (cut or action == DISCONNECT))
        self._drive(duty, milliamps, now_ms)

    def _offerable(self):
        """Returns the mA that may be offered now, 0 for none."""
        state = self.state
        if not self.permitted or not self.available or self.faults.blocking or self.phase_switch.holds:
            return 0
        if not self.cable.usable:
            return 0
        if state == "B" or state == "C" or (state == "D" and self.ventilation):
            return self.limits.allowed()[0]
        return 0

    def _drive(self, duty, milliamps, now_ms):
        out = self.outputs
        if duty == out.duty:
            return
        elapsed = now_ms - self._duty_at
        was_steady = out.duty == STEADY
        was_pwm = not was_steady and out.duty != STATE_F
        pwm = duty != STEADY and duty != STATE_F
        if out.duty == STATE_F:
            if elapsed < STATE_F_AT_LEAST_MS:
                return
            duty = STEADY
            pwm = False
            self._steady_until = now_ms + STEADY_AFTER_F_MS
        elif pwm and was_pwm:
            if elapsed < DUTY_INTERVAL_MS:
                return
            self._blank_until = now_ms + BLANK_AFTER_DUTY_MS
        elif pwm:
            if now_ms < self._steady_until:
                return
            withdrawn = self._withdrawn_at
            if was_steady and withdrawn is not None and now_ms - withdrawn < WITHDRAWN_AT_LEAST_MS:
                return
        elif was_pwm and self.state != "A":
            self._withdrawn_at = now_ms
            self._currents_then = self._currents_ma
        out.duty = duty
        self.offered_ma = milliamps if pwm else 0
        self._duty_at = now_ms

    def _switch(self, inputs, now_ms):
        """Sets the contactor."""
        out = self.outputs
        pwm = out.duty != STEADY and out.duty != STATE_F
        blocked = self.faults.blocking
        safe = self._cut_at is None and self.vehicle_ready and not blocked and self.plug_locked
        if out.close:
            if not safe:
                if blocked:
                    self._drive(STATE_F, 0, now_ms)  # signals it to the vehicle at once; +12 V again after 300 ms
                self._set_contactor(False, now_ms)
            elif not pwm and self._currents_ma is not self._currents_then and unloaded(self._currents_ma):
                self._set_contactor(False, now_ms)  # the vehicle has stopped drawing but not opened S2
            elif not pwm and now_ms - self._duty_at >= FORCE_OPEN_AFTER_MS:
                self.forced_openings += 1
                self._set_contactor(False, now_ms)
        elif safe and pwm and self._diode_samples >= DIODE_SAMPLES and self.supervision.rcd.passed:
            # A contact that is closed before the command is a weld that is not debounced yet.
            if not self.waits(now_ms) and not inputs.contactor_closed:
                self._set_contactor(True, now_ms)
        if self.faults.trouble_ms == now_ms:
            self.reclosing.troubled(self.state == "A", now_ms)

    def _set_contactor(self, close, now_ms):
        out = self.outputs
        if close:
            out.phases = self.phase_switch.phases
        else:
            self.reclosing.opened(self.state == "A", now_ms)
        out.close = close
        self._disturbed_until = now_ms + DISTURBED_AFTER_SWITCHING_MS

    def _secure_plug(self, inputs, now_ms):
        """Sets the lock and the self-test line."""
        out = self.outputs
        out.rcd_test = self.supervision.rcd.test
        if not out.close:
            out.phases = self.phase_switch.phases
        out_of_use = out.duty == STATE_F and not self.available and now_ms - self._duty_at >= UNLOCK_IN_F_AFTER_MS
        wanted = self.hold_plug or (self.permitted and self.pilot.connected)
        # An empty socket is not locked, and an unusable cable is released.
        unusable = self.state == "E" or self._pp_invalid.active
        if out_of_use or unusable or not (self.cable.usable or self.pilot.connected):
            wanted = False
        # A live plug stays locked regardless of commands.
        if out.close or inputs.contactor_closed or self.supervision.welded:
            wanted = True
        if out.lock is None and self.hold_plug is None and not wanted and inputs.lock_closed is not None:
            return
        self.lock.step(bool(wanted), inputs.lock_closed, now_ms)
        out.lock = self.lock.drive
        self._lock_failed.see(self.lock.failed, now_ms)
