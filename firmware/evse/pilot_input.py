"""Pilot input: state and diode of the vehicle, and the times in which the measurement is ignored."""

from micropython import const

from firmware.evse.limits import STATE_F, STEADY
from firmware.evse.pilot_levels import diode_present, plausible
from firmware.evse.pilot_state import LEAVE_DISTURBED_MS, LEAVE_MS, PilotState

# BMW hybrids glitch to 9 V up to 500 ms after a change of the duty cycle: B is ignored in C until then. This is the
# only exception from A.6 seq. 8.1 (100 ms); A, D and E, and so every pulled plug, keep their deadline.
BLANK_AFTER_DUTY_MS = const(550)
DISTURBED_AFTER_SWITCHING_MS = const(200)  # the coil disturbs the pilot: B must last longer
# After the pilot was cut or at -12 V, its measurement is ignored for this time.
PILOT_SETTLE_MS = const(75)
DIODE_SAMPLES = const(3)  # table A.4 note: detected before closing; three in a row, since one may be noise
# While the pilot is cut or in state F only the proximity contact detects that the plug is out. It may chatter; a
# session of an unplugged vehicle must end within 5 s.
GONE_AFTER_MS = const(1_000)


class PilotInput:
    """`state` and `connected` are those of the PilotState; `blind`: the pilot cannot be measured now."""

    def __init__(self, faults, state="A", connected=False, now_ms=0):
        self._faults = faults
        self._vehicle = PilotState(state, connected)
        self._cp_short = faults.watch("cp_short")
        self._cp_open = faults.watch("cp_open")
        self._diode = faults.watch("diode")
        self._ventilated = faults.watch("ventilation")
        self._diode_samples = 0
        self._blank_until = 0
        self._disturbed_until = 0
        self._cut_at = None  # pilot ignored until PILOT_SETTLE_MS later
        self._plug_at = now_ms  # time when the plug was last detected, or the pilot measured

    @property
    def state(self):
        return self._vehicle.state

    @property
    def connected(self):
        return self._vehicle.connected

    @property
    def blind(self):
        return self._cut_at is not None

    @property
    def diode_proven(self):
        """True when the vehicle's diode was detected during this offer."""
        return self._diode_samples >= DIODE_SAMPLES

    def duty_changed(self, now_ms):
        """Another duty cycle follows one."""
        self._blank_until = now_ms + BLANK_AFTER_DUTY_MS

    def contactor_switched(self, now_ms):
        """The contactor's coil was switched."""
        self._disturbed_until = now_ms + DISTURBED_AFTER_SWITCHING_MS

    def step(self, inputs, output, cut, plug, wishes, now_ms):
        """`inputs` has the half-waves, `output` is the PilotOutput; `cut`: the line is interrupted by its switch.

        Returns True when the vehicle has left.
        """
        if output.duty == STATE_F or cut:
            self._cut_at = now_ms
        if self._cut_at is not None:
            if now_ms - self._cut_at < PILOT_SETTLE_MS:
                left = self.look_for_plug(output.duty, plug, wishes, now_ms)
                self._cp_open.see(False, now_ms)
                return left
            self._cut_at = None
        self._plug_at = now_ms
        vehicle = self._vehicle
        before = vehicle.state
        good = plausible(inputs.pilot_high_mv)
        self._cp_open.see(not good, now_ms)
        if good:  # an implausible level is not the vehicle's state
            disturbed = LEAVE_DISTURBED_MS if now_ms < self._disturbed_until else LEAVE_MS
            vehicle.see(inputs.pilot_high_mv, now_ms, None if now_ms < self._blank_until else disturbed)
            if vehicle.state == "E" and vehicle.connected and plug.missing:
                vehicle.unplugged()  # shorted inside the station: no vehicle
        state = vehicle.state
        self._faults.unplugged = not vehicle.connected
        self._cp_short.see(good and state == "E", now_ms)
        self._ventilated.see(state == "D" and not wishes.ventilation, now_ms)
        self._see_diode(inputs.pilot_low_mv, output, now_ms)
        return state == "A" and before != "A"

    def look_for_plug(self, duty, plug, wishes, now_ms):
        """The pilot cannot be measured: the last state of the vehicle is kept, unless its plug is out.

        Out of service vehicles may be exchanged, so the state is measured and debounced again afterwards.
        Returns True when the vehicle has left.
        """
        vehicle = self._vehicle
        left = False
        if not plug.missing:
            self._plug_at = now_ms
        elif vehicle.connected and now_ms - self._plug_at >= GONE_AFTER_MS:
            vehicle.unplugged()
            self._faults.unplugged = True
            left = vehicle.state == "A"
        if duty == STATE_F and not wishes.available:
            vehicle.forget()
        return left

    def _see_diode(self, low_mv, output, now_ms):
        # The sample after a change includes part of the time before it. Without vehicle there is no PWM.
        if output.duty == STEADY or now_ms - output.since < PILOT_SETTLE_MS:
            self._diode_samples = 0
            self._diode.see(False, now_ms)
            return
        present = diode_present(low_mv)
        self._diode_samples = min(self._diode_samples + 1, DIODE_SAMPLES) if present else 0
        self._diode.see(not present, now_ms)
