"""Evse, one connector as the layers above see it, and Control, the task that steps all connectors every 20 ms.

`Evse` connects one machine with its drivers: `tick()` reads them, steps the machine, writes them and emits what has
changed. Nothing here waits. An OSError of a driver becomes a fault. Any other exception in a connector makes only that
one safe and faulted (`control_failed`) until it works again. When the task ends for any reason, the contactors are
open.
"""

from micropython import const

from firmware.evse.faults import Faults
from firmware.evse.hold_reason import hold_reason
from firmware.evse.light import Light
from firmware.evse.limits import STATE_F, Limits
from firmware.evse.machine import Fitted, Inputs, Machine
from firmware.evse.ports import Ports
from firmware.evse.recovery import RESTS, TRIES, WORKS, Recovery
from firmware.evse.telling import Telling
from firmware.evse.wakeup import NOTHING

PERIOD_MS = const(20)
# A meter is read about once a second. Currents older than this are ignored.
_READING_VALID_MS = const(10_000)


class Forgetful:
    """Takes the place of a memory where nothing is kept over a power loss."""

    def load(self):
        return None

    def save(self, value):
        pass


class Evse:
    """One connector. `drivers` is a ports.Drivers; `memory` keeps three integers over a power loss: load() returns the
    last value given to save(value), or None; both raise OSError.

    `wishes` are the Wishes of the layers above.

    Signals: state_changed(evse, state), pilot_changed(evse), contactor_changed(evse, closed), lock_changed(evse,
    locked), fault_changed(evse, fault, on), limit_changed(evse, mA, slot), stop_pressed(evse).
    """

    def __init__(self, number, drivers, clock, log, fixed_cable=False, phases=3, max_ma=32000, memory=None):
        self.number = number
        self._clock = clock
        self._log = log
        self._area = "evse%d" % number
        self.limits = Limits()
        self.limits.set("supply", max_ma)
        self._faults = Faults()
        self._ports = ports = Ports(drivers, log, self._area, turn=number)
        self._light = Light(drivers.indicator, log, self._area)
        self.machine = Machine(
            self.limits,
            self._faults,
            Fitted(fixed_cable, phases, drivers.thermistor.fitted, ports.has_pilot_switch, ports.has_rcd_test),
        )
        self.wishes = self.machine.wishes
        self._inputs = Inputs()
        self._reading_at = None
        self._memory = memory or Forgetful()
        self._recall()
        self._failed_drivers = ()
        self._recovery = Recovery()
        self._telling = told = Telling(log, self._area, self._faults.active, self.limits.allowed())
        self.state_changed = told.state_changed
        self.pilot_changed = told.pilot_changed
        self.contactor_changed = told.contactor_changed
        self.lock_changed = told.lock_changed
        self.fault_changed = told.fault_changed
        self.limit_changed = told.limit_changed
        self.stop_pressed = told.stop_pressed

    # Commands of the layers above -------------------------------------------------------------------------------------

    def retry_lock(self):
        """Lets a failed lock try again; called by charging for a user or the back-end."""
        self.machine.plug.retry_lock()
        self._faults.watch("lock_failed").clear()  # it returns when the lock fails again

    def set_derating(self, warm_dc, floor_dc):
        """Current falls from `warm_dc` on, to 6 A at `floor_dc`; tenths of a degree, `floor_dc` not below `warm_dc`."""
        self.machine.supervision.derating.warm_dc = warm_dc
        self.machine.supervision.derating.floor_dc = max(warm_dc, floor_dc)

    def set_meter(self, reading):
        """Takes the latest Reading of this connector's meter, None when it cannot be read."""
        self._inputs.currents_ma = reading.currents_ma if reading else None
        self._inputs.voltages_mv = reading.voltages_mv if reading else None
        self._inputs.energy_wh = reading.energy_wh if reading else None
        self._reading_at = self._clock.ms()

    def raise_fault(self, name, vendor_code=None, info=None):
        """Raises a fault detected elsewhere; code and info replace those of the fault table. Raises KeyError.

        It applies at once; the signal is emitted in the next tick, after the contactor was opened.
        """
        self._faults.raise_fault(name, self._clock.ms(), vendor_code, info)

    def clear_fault(self, name):
        """The cause of a raised fault is gone; its recovery (see the table) decides when the fault ends."""
        self._faults.clear_fault(name)

    def reset_fault(self, name):
        """Ends a fault regardless of its recovery, after a check by a person. Raises KeyError."""
        self._faults.clear_fault(name)
        self._faults.watch(name).clear()

    def press_stop(self):
        """The stop button: withdraws the permission at once; `stop_pressed` lets charging end the session."""
        self.wishes.permitted = False
        self._telling.stop(self)

    def emergency(self, on):
        """The emergency stop: opens at once, until it is released and the vehicle unplugged."""
        self._inputs.emergency = bool(on)

    def show(self, pattern):
        """Shows a pattern of the indicator; None: that of the connector's own state."""
        self._light.chosen = pattern

    # Readings -------------------------------------------------------------------------------------------------------

    @property
    def state(self):
        """Pilot state "A" to "F"; "F" only while the station itself holds the pilot at -12 V as not available."""
        return self._telling.state

    @property
    def connected(self):
        """True when a vehicle is plugged in. In E and while the pilot is cut: it was, and was not unplugged since.

        In F (out of service) False.
        """
        return self.machine.pilot.connected and self.machine.state != "F"

    @property
    def vehicle_ready(self):
        """True when the vehicle requests energy."""
        return self.machine.vehicle_ready

    @property
    def charging(self):
        """True when the contactor is closed."""
        return self._telling.closed

    @property
    def offered_ma(self):
        """mA per phase that the pilot signals, 0 while it is steady."""
        return self.machine.offered_ma

    @property
    def recovering(self):
        """True during the pause after a failed closing, in which nothing is offered."""
        return self._faults.resting or self.machine.reclosing.rests(self._clock.ms())

    @property
    def waking(self):
        """True while the pilot is interrupted to wake up the vehicle."""
        return self.machine.wakeup.action != NOTHING

    @property
    def cable_ma(self):
        """Rating of the cable in mA; 0 if invalid, None without plug or with a fixed cable."""
        return self.machine.plug.cable_ma

    @property
    def locked(self):
        """True or False by the lock's feedback, None without lock."""
        return self._inputs.lock_closed

    @property
    def plug_locked(self):
        """True when the plug cannot be taken out: lock confirmed, or fixed cable (IEC 61851-1 D.6.5)."""
        return self.machine.plug.locked

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
        """The active faults, most severe first."""
        return self._faults.active

    @property
    def limit(self):
        """(mA, slot): the current limit and the name of its slot."""
        return self.limits.allowed()

    @property
    def suspended_reason(self):
        """Reason why no energy flows, in one or two words; None while it flows."""
        return hold_reason(self.machine, self._clock.ms())

    # The 20 ms ------------------------------------------------------------------------------------------------------

    def tick(self, now_ms):
        """Reads the drivers, steps the machine, writes the drivers, emits what changed."""
        self.act(now_ms)
        self.tell()

    def act(self, now_ms):
        """The part of a tick with a deadline: drivers and machine. Signals are emitted later, as observers take time.

        Exceptions are handled here: the connector is made safe and restarted later.
        """
        try:
            self._act(now_ms)
        except Exception as exc:
            self.failed(exc)

    def tell(self):
        """Emits what has changed since the last call. Handles exceptions like act()."""
        telling = self._telling
        try:
            self._keep()  # first: contacts close in 20 ms, and then the power may be lost
            telling.step(self, self.machine, self._inputs.lock_closed)
            exc = telling.error
        except Exception as error:
            exc = error
        if exc is None:
            return
        telling.error = None
        if self._recovery.state != RESTS:  # during the pause only the first failure counts
            self.failed(exc)

    def fail_safe(self):
        """Opens the contactor and sets the pilot to state F, in any state. Does not raise."""
        self._ports.make_safe(self.phases, STATE_F)
        self.machine.abort(self._clock.ms())
        try:
            self._keep()
        except Exception as exc:
            self._log.exception(self._area, exc)

    def _recall(self):
        """Continues the pause after the last opening, if the power was lost meanwhile."""
        reclosing = self.machine.reclosing
        self._kept = reclosing.kept
        kept = self._memory.load()
        if kept is not None:
            try:
                reclosing.resume(kept, self._clock.ms())
            except (TypeError, ValueError) as exc:
                self._log.error(self._area, "pause before closing is not known: %s", exc)
        if reclosing.failures:
            self._log.warning(self._area, "power went right after closing, %d times", reclosing.failures)
        self._keep()

    def _keep(self):
        kept = self.machine.reclosing.kept
        if kept is not self._kept:
            self._kept = kept
            try:
                self._memory.save(kept)
            except OSError as exc:
                self._log.error(self._area, "pause before closing is not kept: %s", exc)

    def failed(self, exc):
        """Handles an exception: makes the connector safe at once, and pauses it. Does not raise."""
        self.fail_safe()
        try:
            now_ms = self._clock.ms()
            pause_ms = self._recovery.failed(now_ms)
            name = type(exc).__name__
            self._log.error(self._area, "control failed, next try in %d s: %s: %s", pause_ms // 1000, name, exc)
            self._faults.raise_fault("control_failed", now_ms)
        except Exception:
            pass  # no memory: _rest() raises the fault

    def _act(self, now_ms):
        recovery = self._recovery
        if recovery.state != WORKS and recovery.step(now_ms):
            if recovery.state == TRIES:
                self.machine.restart(now_ms)
                self._telling.again = self._telling.missed
            else:
                self._faults.clear_fault("control_failed")
        if recovery.state == RESTS:
            self._rest(now_ms)
            return
        if self._reading_at is not None and now_ms - self._reading_at > _READING_VALID_MS:
            self.set_meter(None)
        self._ports.read(self._inputs, now_ms)
        outputs = self.machine.step(self._inputs, now_ms)
        self._ports.write(outputs, now_ms)
        if self._ports.failed != self._failed_drivers:
            self._drivers_failed(now_ms)
        self._light.step(self.machine, now_ms)

    def _rest(self, now_ms):
        """Runs during the pause. Only checks the plug: the session must end if the vehicle is unplugged."""
        self._ports.keep_open(self.phases)
        try:
            self._faults.raise_fault("control_failed", now_ms)
            self.machine.look_for_plug(self._ports.proximity_ohm(), now_ms)
        except Exception:
            pass  # already failed

    def _drivers_failed(self, now_ms):
        self._failed_drivers = failed = self._ports.failed
        if failed:
            self._faults.raise_fault("other", now_ms, None, "driver failed: %s" % ", ".join(failed))
        else:
            self._faults.clear_fault("other")


class Unpaced:
    """Takes the place of a timer where the event loop wakes the control task precisely enough."""

    def __init__(self, clock):
        self._clock = clock

    def start(self, period_ms):
        return self._clock.ms()

    def stop(self):
        pass


class Control:
    """The task that ticks all connectors. It runs first, and nothing may block it.

    `after_turn()` is called right after each period and returns True if it took long: all connectors are then ticked
    again at once. Garbage is collected there, see kernel.memory.

    `pacer` wakes the event loop at the end of each period, where that is not exact by itself: start(period_ms) returns
    the ms from which on periods count, stop().
    """

    def __init__(self, evses, clock, period_ms=PERIOD_MS, after_turn=lambda: False, pacer=None):
        self._evses = evses
        self._clock = clock
        self._period_ms = period_ms
        self._after_turn = after_turn
        self._pacer = pacer or Unpaced(clock)

    async def run(self, beat):
        """Ticks at a fixed rate until cancelled. However it ends, the contactors are opened."""
        clock = self._clock
        period = self._period_ms
        try:
            due = self._pacer.start(period)
            while True:
                self.turn(clock.ms())
                if self._after_turn():
                    self.turn(clock.ms())
                beat()
                due += period
                late = clock.ms() - due
                if late >= 0:
                    # Missed ticks are skipped, one that is due now too: a burst would not recover their samples.
                    missed_ms = (late // period + 1) * period
                    due += missed_ms
                    late -= missed_ms
                await clock.sleep_ms(-late)
        finally:
            make_safe(self._evses)
            self._pacer.stop()

    def turn(self, now_ms):
        """One period: all connectors act, then all emit their signals. Each handles its own exceptions."""
        for evse in self._evses:
            try:
                evse.act(now_ms)
            except Exception as exc:
                evse.failed(exc)
        for evse in self._evses:
            try:
                evse.tell()
            except Exception as exc:
                evse.failed(exc)


def make_safe(evses):
    """Opens every contactor and sets every pilot to state F, even if one of them raises. Does not raise."""
    for evse in evses:
        try:
            evse.fail_safe()
        except Exception:
            pass  # continue with the next one; Evse logs its own exceptions
