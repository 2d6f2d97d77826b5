"""A connector on the bench: the state machine with ideal hardware and a vehicle, in virtual time."""

from firmware.evse.faults import Faults
from firmware.evse.hold_reason import hold_reason
from firmware.evse.limits import STATE_F, STEADY, Limits
from firmware.evse.machine import Fitted, Inputs, Machine

STEP_MS = 20
HIGH_MV = {"A": 12_000, "B": 9_000, "C": 6_000, "D": 3_000, "E": 0}
AUX_MS = 40  # contactor and its auxiliary contact
BOLT_MS = 300
RCD_MS = 60


class Bench:
    """`vehicle` is what the vehicle shows ("A" to "E"); attributes of that kind break the hardware at will."""

    def __init__(self, supply_ma=32_000, start=True, **options):
        self.now = 0
        self.limits = Limits()
        self.limits.set("supply", supply_ma)
        self.faults = Faults()
        ventilation = options.pop("ventilation", False)
        self.machine = Machine(self.limits, self.faults, Fitted(**options))
        self.machine.wishes.ventilation = ventilation
        self.out = self.machine.outputs
        self.inputs = Inputs()
        self.inputs.temperature_dc = 250
        self.inputs.proximity_ohm = None
        self.vehicle = "A"
        self.diode = True
        self.noise_mv = 0
        self.sampled = True
        self.welded = False
        self.stuck_open = False
        self.aux = True  # an auxiliary contact is fitted
        self.lock_jammed = None  # None = works, else the position it is stuck in
        self.rcd_fault = False
        self.rcd_dead = False
        self.closed = False
        self.locked = False
        self._moves = {}  # name: (target, since)
        self._rcd_answer = False
        self.fixed = options.get("fixed_cable", False)
        if start:
            self.run(2_000)  # boot: the self-test of the residual current device

    # The world

    def plug(self, vehicle="B", ohm=220):
        self.inputs.proximity_ohm = ohm
        self.vehicle = vehicle

    def unplug(self):
        self.vehicle = "A"
        self.inputs.proximity_ohm = None

    def charge(self):
        """Takes a permitted vehicle to C2."""
        self.machine.wishes.permitted = True
        self.plug()
        self.run(1_500)
        self.vehicle = "C"
        assert self.closes(3_000) is not None, hold_reason(self.machine, self.now)
        self.run(2_000)

    def _after(self, name, target, delay_ms, value):
        """Returns where a part is that follows `target` after `delay_ms`."""
        if value == target:
            self._moves.pop(name, None)
            return value
        if name not in self._moves or self._moves[name][0] != target:
            self._moves[name] = (target, self.now)
        return target if self.now - self._moves[name][1] >= delay_ms else value

    def _measure(self):
        inputs = self.inputs
        out = self.out
        self.closed = self.welded or (self._after("aux", out.close, AUX_MS, self.closed) and not self.stuck_open)
        inputs.contactor_closed = self.closed if self.aux else None
        if self.fixed:
            inputs.lock_closed = None
        else:
            self.locked = self._after("bolt", bool(out.lock), BOLT_MS, self.locked)
            if self.lock_jammed is not None:
                self.locked = self.lock_jammed
            inputs.lock_closed = self.locked
        self._rcd_answer = self._after("rcd", out.rcd_test and not self.rcd_dead, RCD_MS, self._rcd_answer)
        inputs.rcd_tripped = self.rcd_fault or self._rcd_answer
        high = HIGH_MV[self.vehicle] if out.cp_connected else 12_000
        if out.duty == STATE_F:
            high = low = -12_000
        elif out.duty == STEADY:
            low = high
        else:
            low = 0 if self.vehicle == "E" else -12_000 if self.diode else -high
        inputs.pilot_high_mv = high + self.noise_mv if self.sampled else None
        inputs.pilot_low_mv = low + self.noise_mv if self.sampled else None

    # Time

    def step(self, ms=STEP_MS):
        self.now += ms
        self._measure()
        return self.machine.step(self.inputs, self.now)

    def run(self, ms):
        end = self.now + ms
        while self.now < end:
            self.step()

    def until(self, condition, limit_ms):
        """Steps until condition() is true; returns the ms it took, None if longer than the limit."""
        start = self.now
        while self.now - start < limit_ms:
            self.step()
            if condition():
                return self.now - start
        return None

    def opens(self, limit_ms):
        """Returns the ms until the contactor is switched off; None if longer than the limit."""
        return self.until(lambda: not self.out.close, limit_ms)

    def closes(self, limit_ms):
        """Returns the ms until the contactor is switched on; None if longer than the limit."""
        return self.until(lambda: self.out.close, limit_ms)

    # Looks

    @property
    def names(self):
        return [fault.name for fault in self.faults.active]

    @property
    def pwm(self):
        return self.out.duty not in (STEADY, STATE_F)
