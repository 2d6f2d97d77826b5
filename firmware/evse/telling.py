"""Signals of a connector: emits what has changed (state, fault, limit, lock, contactor) to the layers above."""

from firmware.kernel.signal import Signal


class Telling:
    """The signals of an Evse (see there) and the values emitted last: `state`, `connected`, `duty`, `closed`, `locked`.

    error    exception of an observer, for the Evse to handle; the other observers were called
    missed   an observer may have missed a signal
    again    the next step emits everything, changed or not
    """

    def __init__(self, log, area, faults, limit):
        self.state_changed = Signal(self._failed)
        self.pilot_changed = Signal(self._failed)
        self.contactor_changed = Signal(self._failed)
        self.lock_changed = Signal(self._failed)
        self.fault_changed = Signal(self._failed)
        self.limit_changed = Signal(self._failed)
        self.stop_pressed = Signal(self._failed)
        self.error = None
        self.missed = False
        self.again = False
        self._log = log
        self._area = area
        self.state = "A"
        self.connected = False
        self.duty = None
        self.closed = False
        self.locked = None
        self._faults = faults
        self._limit = limit
        self._stop = False  # the stop button was pressed, and not all observers have been called

    def _failed(self, exc):
        self.error = exc

    def stop(self, evse):
        """Emits stop_pressed."""
        self._stop = True
        self.stop_pressed.emit(evse)
        if self.error is None:
            self._stop = False

    def step(self, evse, machine, locked):
        """Emits what has changed. Each value is set before its signal, so that observers read the new one."""
        everything = self.again
        missed = self.missed and not everything
        self.missed = True  # until the end is reached
        faults = machine.faults.active
        if everything or faults is not self._faults:
            self._tell_faults(evse, faults, everything)
        if everything and self._stop:
            self.stop(evse)
        closed = machine.outputs.close
        if everything or closed != self.closed:
            if closed != self.closed:
                self._log.info(self._area, "contactor %s", "closed" if closed else "open")
            self.closed = closed
            self.contactor_changed.emit(evse, closed)
        duty = machine.outputs.duty
        if everything or duty != self.duty:
            self.duty = duty
            self.pilot_changed.emit(evse)
        state = machine.state
        connected = evse.connected
        if everything or state != self.state or connected != self.connected:
            if state != self.state:
                self._log.info(self._area, "pilot %s -> %s", self.state, state)
            self.state = state
            self.connected = connected
            self.state_changed.emit(evse, state)
        if everything or locked != self.locked:
            self.locked = locked
            self.lock_changed.emit(evse, locked)
        limit = machine.limits.allowed()
        if everything or limit is not self._limit:
            self._limit = limit
            self.limit_changed.emit(evse, limit[0], limit[1])
        self.missed = missed or self.error is not None
        self.again = False

    def _tell_faults(self, evse, active, everything):
        told = self._faults
        for fault in told:
            if not any(fault.name == other.name for other in active):
                self._tell_fault(evse, fault, False)
        for fault in active:
            if fault not in told:
                self._tell_fault(evse, fault, True)
            elif everything:
                self.fault_changed.emit(evse, fault, True)
        self._faults = active

    def _tell_fault(self, evse, fault, on):
        self._log.warning(self._area, "fault %s %s (%s)", fault.name, "on" if on else "off", fault.code)
        self.fault_changed.emit(evse, fault, on)
