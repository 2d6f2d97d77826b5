"""The connector as the layers above see it, and the 20 ms task that runs all connectors.

`Evse` joins one machine with its drivers: `tick()` reads them, steps, writes them and tells what changed. Nothing here
waits; a driver that raises OSError becomes a fault. When the task ends for whatever reason, the contactors are open.
"""

from micropython import const

from firmware.evse.faults import Faults
from firmware.evse.limits import STATE_F, Limits
from firmware.evse.machine import Inputs, Machine
from firmware.evse.ports import Ports
from firmware.evse.wakeup import NOTHING
from firmware.kernel.borrow import borrowed
from firmware.kernel.signal import Signal

PERIOD_MS = const(20)
# A meter is read about once a second. Currents older than this say nothing about now.
_READING_VALID_MS = const(10_000)


class Evse:
    """One connector. `drivers` is a ports.Drivers.

    Signals: state_changed(evse, state), pilot_changed(evse), contactor_changed(evse, closed), lock_changed(evse,
    locked), fault_changed(evse, fault, on), limit_changed(evse, mA, slot), stop_pressed(evse).
    """

    def __init__(self, number, drivers, clock, log, fixed_cable=False, phases=3, max_ma=32000, ventilation=False):
        self.number = number
        self.state_changed = Signal()
        self.pilot_changed = Signal()
        self.contactor_changed = Signal()
        self.lock_changed = Signal()
        self.fault_changed = Signal()
        self.limit_changed = Signal()
        self.stop_pressed = Signal()
        self._clock = clock
        self._log = log
        self._area = "evse%d" % number
        self.limits = Limits()
        self.limits.set("supply", max_ma)
        self._faults = Faults()
        self._ports = Ports(drivers, log, self._area, turn=number)
        self._indicator = drivers.indicator
        self.machine = Machine(
            self.limits,
            self._faults,
            fixed_cable=fixed_cable,
            phases=phases,
            ventilation=ventilation,
            thermistor=drivers.thermistor is not None,
            pilot_switch=self._ports.has_pilot_switch,
            rcd_test=self._ports.has_rcd_test,
        )
        self._inputs = Inputs()
        self._reading_at = None
        # What was told last
        self._told_faults = self._faults.active
        self._limit = self.limits.allowed()
        self._failed = ()
        self._state = "A"
        self._duty = None
        self._closed = False
        self._locked = None
        self._pattern = None
        self._chosen_pattern = None  # by the layers above

    # Wishes of the layers above -------------------------------------------------------------------------------------

    def permit(self, on):
        """Energy is (no longer) allowed: an authorised session that is not suspended."""
        self.machine.permitted = bool(on)

    def set_available(self, on):
        """False: state F as soon as the contactor is open (a vehicle that draws is first asked to stop, 6 s)."""
        self.machine.available = bool(on)

    def hold_plug(self, on):
        """Keeps the plug locked, or gives it back as soon as the contactor is open."""
        self.machine.hold_plug = bool(on)

    def retry_lock(self):
        """Lets a lock that did not follow try again; charging asks for it when a person or the back-end wants it."""
        if self.machine.lock:
            self.machine.lock.retry()
            self._faults.watch("lock_failed").clear()  # it comes back when the lock does not follow this time either

    def set_phases(self, phases):
        """Asks for 1 or 3 phases; the change takes a minute when the vehicle has had voltage. Raises ValueError."""
        if phases not in (1, 3):
            raise ValueError("one or three phases")
        self.machine.phase_switch.wanted = phases

    def set_wake_up(self, on):
        """Whether a vehicle that is offered current and does not take it is woken up."""
        self.machine.wake_up = bool(on)

    def set_derating(self, warm_dc, floor_dc):
        """From `warm_dc` on less current, at `floor_dc` 6 A; tenths of a degree, the second not below the first."""
        self.machine.supervision.derating.warm_dc = warm_dc
        self.machine.supervision.derating.floor_dc = max(warm_dc, floor_dc)

    def set_ventilation(self, on):
        """Whether the room is ventilated, so that a vehicle in state D may charge."""
        self.machine.ventilation = bool(on)

    def set_max_imbalance(self, milliamps):
        """By how much the phases' currents may differ; 0: by anything."""
        self.machine.supervision.max_imbalance_ma = milliamps

    def set_meter(self, reading):
        """The newest kernel Reading of this connector's meter, None when it cannot be read."""
        self._inputs.currents_ma = reading.currents_ma if reading else None
        self._inputs.voltages_mv = reading.voltages_mv if reading else None
        self._reading_at = self._clock.ms()

    def raise_fault(self, name, vendor_code=None, info=None):
        """A fault seen elsewhere; code and info replace those of the fault table. Raises KeyError.

        It counts at once; the signal comes with the next tick, when the contactor is open.
        """
        self._faults.raise_fault(name, self._clock.ms(), vendor_code, info)

    def clear_fault(self, name):
        """The part that raised the fault no longer sees it; its recovery (see the table) decides when it ends."""
        self._faults.clear_fault(name)

    def reset_fault(self, name):
        """A person has looked: ends the fault whatever its recovery. Raises KeyError."""
        self._faults.clear_fault(name)
        self._faults.watch(name).clear()

    def press_stop(self):
        """The stop button: the permission is withdrawn at once; whoever listens to `stop_pressed` ends the session."""
        self.permit(False)
        self.stop_pressed.emit(self)

    def emergency(self, on):
        """The emergency stop: opens at once, and stays open until it is released and the vehicle unplugged."""
        self._inputs.emergency = bool(on)

    def show(self, pattern):
        """Shows a pattern of the indicator; None leaves the choice to the connector's own state."""
        self._chosen_pattern = pattern

    # Readings -------------------------------------------------------------------------------------------------------

    @property
    def state(self):
        """Pilot state "A" to "F"; "F" only while the station itself holds the pilot at -12 V as not available."""
        return self._state

    @property
    def connected(self):
        """A vehicle is plugged in; in E what was last seen, in F (out of service) nobody knows of one."""
        return self.machine.pilot.connected and self.machine.state != "F"

    @property
    def vehicle_ready(self):
        """The vehicle asks for energy."""
        return self.machine.vehicle_ready

    @property
    def charging(self):
        """The contactor is closed."""
        return self._closed

    @property
    def offered_ma(self):
        """mA per phase that the pilot signals, 0 while it is steady."""
        return self.machine.offered_ma

    @property
    def waking(self):
        """The pilot is interrupted to wake up a vehicle, to which the current is still on offer."""
        return self.machine.wakeup.action != NOTHING

    @property
    def cable_ma(self):
        """Rating of the cable in mA; 0 unreadable, None without plug or with a fixed cable."""
        return self.machine.cable.ma if self.machine.cable else None

    @property
    def locked(self):
        """True or False by the lock's feedback, None without lock."""
        return self._inputs.lock_closed

    @property
    def plug_locked(self):
        """The plug cannot be taken out: its lock is confirmed, or the cable is fixed (IEC 61851-1 D.6.5)."""
        return self.machine.plug_locked

    @property
    def duty(self):
        """Duty cycle of the pilot in 0.01 %; 10000 steady +12 V, 0 state F."""
        return self.machine.outputs.duty

    @property
    def phases(self):
        """Phases that the contactors connect, 1 or 3."""
        return self.machine.outputs.phases

    @property
    def temperature_dc(self):
        """Temperature of the outlet in tenths of a degree, or None."""
        return self._inputs.temperature_dc

    @property
    def faults(self):
        """The active faults, the worst first."""
        return self._faults.active

    @property
    def limit(self):
        """(mA, slot): what is allowed, and which slot says so."""
        return self.limits.allowed()

    @property
    def suspended_reason(self):
        """Why no energy flows, in one or two words; None while it does."""
        return borrowed("firmware.evse.hold_reason", "hold_reason")(self.machine, self._clock.ms())

    # The 20 ms ------------------------------------------------------------------------------------------------------

    def tick(self, now_ms):
        """Reads the drivers, steps the machine, writes the drivers, emits what changed."""
        self.act(now_ms)
        self.tell()

    def act(self, now_ms):
        """The part of a tick with the deadline: drivers and machine. Nobody is told yet, for observers take time."""
        if self._reading_at is not None and now_ms - self._reading_at > _READING_VALID_MS:
            self.set_meter(None)
            self._reading_at = None
        self._ports.read(self._inputs, now_ms)
        outputs = self.machine.step(self._inputs, now_ms)
        self._ports.write(outputs, now_ms)
        if self._ports.failed != self._failed:
            self._drivers_failed(now_ms)
        if self._indicator:
            self._indicate(now_ms)

    def fail_safe(self):
        """Opens the contactor and takes the pilot to state F, whatever state anything is in. Does not raise."""
        self._ports.make_safe(self.phases, STATE_F)
        self.machine.abort(self._clock.ms())

    def tell(self):
        """Emits what has changed since the last time."""
        outputs = self.machine.outputs
        if self._faults.active is not self._told_faults:
            self._tell_faults()
        if outputs.close != self._closed:
            self._closed = outputs.close
            self._log.info(self._area, "contactor %s", "closed" if outputs.close else "open")
            self.contactor_changed.emit(self, outputs.close)
        if outputs.duty != self._duty:
            self._duty = outputs.duty
            self.pilot_changed.emit(self)
        if self.machine.state != self._state:
            self._log.info(self._area, "pilot %s -> %s", self._state, self.machine.state)
            self._state = self.machine.state
            self.state_changed.emit(self, self._state)
        locked = self._inputs.lock_closed
        if locked != self._locked:
            self._locked = locked
            self.lock_changed.emit(self, locked)
        limit = self.limits.allowed()
        if limit is not self._limit:
            self._limit = limit
            self.limit_changed.emit(self, limit[0], limit[1])

    def _tell_faults(self):
        told = self._told_faults
        active = self._told_faults = self._faults.active
        for fault in told:
            if not any(fault.name == other.name for other in active):
                self._tell_fault(fault, False)
        for fault in active:
            if fault not in told:
                self._tell_fault(fault, True)

    def _tell_fault(self, fault, on):
        self._log.warning(self._area, "fault %s %s (%s)", fault.name, "on" if on else "off", fault.code)
        self.fault_changed.emit(self, fault, on)

    def _drivers_failed(self, now_ms):
        self._failed = self._ports.failed
        if self._failed:
            self._faults.raise_fault("other", now_ms, None, "driver failed: %s" % ", ".join(self._failed))
        else:
            self._faults.clear_fault("other")

    def _indicate(self, now_ms):
        pattern = self._chosen_pattern or self._own_pattern()
        try:
            if pattern != self._pattern:
                self._pattern = pattern
                self._indicator.show(pattern)
            self._indicator.step(now_ms)
        except OSError as exc:
            self._log.warning(self._area, "indicator: %s", exc)  # a dark lamp hurts nobody
            self._indicator = None

    def _own_pattern(self):
        machine = self.machine
        if self._faults.blocking:
            return "Faulted"
        if not machine.available:
            return "Unavailable"
        if self._closed:
            return "Charging"
        if not machine.pilot.connected:
            return "Available"
        if not machine.permitted:
            return "Preparing"
        return "SuspendedEV" if machine.offered_ma else "SuspendedEVSE"


class Control:
    """The task that ticks all connectors: the first to run, and the one that nothing else may hold up."""

    def __init__(self, evses, clock, period_ms=PERIOD_MS):
        self._evses = evses
        self._clock = clock
        self._period_ms = period_ms

    async def run(self, beat):
        """Ticks at a fixed rate until cancelled. However it ends, the contactors are open afterwards."""
        clock = self._clock
        period = self._period_ms
        due = clock.ms()
        try:
            while True:
                now = clock.ms()
                for evse in self._evses:
                    evse.act(now)
                for evse in self._evses:
                    evse.tell()
                beat()
                due += period
                late = clock.ms() - due
                if late > 0:
                    # Ticks that were missed are left out: a burst would not bring their samples back.
                    missed_ms = (late + period - 1) // period * period
                    due += missed_ms
                    late -= missed_ms
                await clock.sleep_ms(-late)
        finally:
            for evse in self._evses:
                evse.fail_safe()
