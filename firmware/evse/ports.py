"""Carries the drivers' readings into the machine's inputs and its outputs to the drivers.

A driver that raises OSError never stops the 20 ms task: its reading becomes the one that keeps the contactor open, and
`failed` names it until it has been quiet for 5 s. Any other exception is a defect and is left to the control task.
"""

from micropython import const

# Cable and temperature change slowly, and their ADC reads cost time.
_SLOW_MS = const(100)
_STAGGER_MS = const(20)  # twin connectors take turns with them
_QUIET_MS = const(5_000)  # a driver that fails now and then is a driver that fails


class Drivers:
    """The drivers of one connector; None means not fitted (pilot and contactor always are)."""

    pilot = proximity = contactor = lock = rcd = thermistor = indicator = None


class Ports:
    """`drivers` is a Drivers, or has its attributes."""

    def __init__(self, drivers, log, area, turn=0):
        self._drivers = drivers
        self._log = log
        self._area = area
        self._slow_at = turn * _STAGGER_MS
        self._failed_at = 0
        self.failed = ()  # names of the drivers that raised
        disconnect = getattr(drivers.pilot, "disconnect", None)
        self.has_pilot_switch = disconnect is not None and getattr(drivers.pilot, "can_disconnect", True)
        self.has_rcd_test = drivers.rcd is not None and getattr(drivers.rcd, "can_test", True)
        # What each output was last set to; None = not yet, or not for certain.
        self._duty = None
        self._cp_connected = True
        self._lock = None
        self._rcd_test = None

    def read(self, inputs, now_ms):
        """Fills `inputs` (a machine.Inputs)."""
        drivers = self._drivers
        try:
            inputs.pilot_high_mv, inputs.pilot_low_mv = drivers.pilot.sample()
        except OSError as exc:
            inputs.pilot_high_mv = inputs.pilot_low_mv = None
            self._note("pilot", exc, now_ms)
        try:
            inputs.contactor_closed = drivers.contactor.is_closed()
        except OSError as exc:
            self._note("contactor", exc, now_ms)
        if drivers.rcd:
            try:
                inputs.rcd_tripped = drivers.rcd.is_tripped()
            except OSError as exc:
                inputs.rcd_tripped = True
                self._note("rcd", exc, now_ms)
        if drivers.lock:
            try:
                drivers.lock.step(now_ms)
                inputs.lock_closed = drivers.lock.is_locked()
            except OSError as exc:
                inputs.lock_closed = False
                self._note("lock", exc, now_ms)
        if now_ms >= self._slow_at:
            # By the clock and not by the tick: a held loop must not make a cable look late.
            self._slow_at += (now_ms - self._slow_at) // _SLOW_MS * _SLOW_MS + _SLOW_MS
            self._read_slow(inputs, now_ms)
        if self.failed and now_ms - self._failed_at >= _QUIET_MS:
            self.failed = ()

    def _read_slow(self, inputs, now_ms):
        drivers = self._drivers
        if drivers.proximity:
            try:
                inputs.proximity_ohm = drivers.proximity.ohm()
            except OSError as exc:
                inputs.proximity_ohm = None
                self._note("proximity", exc, now_ms)
        if drivers.thermistor:
            try:
                inputs.temperature_dc = drivers.thermistor.temperature_dc()
            except OSError as exc:
                inputs.temperature_dc = None
                self._note("thermistor", exc, now_ms)

    def write(self, outputs, now_ms):
        """Sets the drivers to `outputs` (a machine.Outputs)."""
        drivers = self._drivers
        # The contactor first: it has the deadline. It is written every time, so that a glitch on its pin does not last.
        try:
            drivers.contactor.drive(outputs.close, outputs.phases)
        except OSError as exc:
            self._note("contactor", exc, now_ms)
        if outputs.duty != self._duty or outputs.cp_connected != self._cp_connected:
            self._write_pilot(outputs, now_ms)
        if drivers.rcd and outputs.rcd_test != self._rcd_test:
            try:
                drivers.rcd.test(outputs.rcd_test)
                self._rcd_test = outputs.rcd_test
            except OSError as exc:
                self._note("rcd", exc, now_ms)
        if drivers.lock and outputs.lock is not None and outputs.lock != self._lock:
            try:
                drivers.lock.drive(outputs.lock)
                self._lock = outputs.lock
            except OSError as exc:
                self._note("lock", exc, now_ms)

    def _write_pilot(self, outputs, now_ms):
        pilot = self._drivers.pilot
        try:
            if outputs.cp_connected != self._cp_connected:
                pilot.disconnect(not outputs.cp_connected)
                self._cp_connected = outputs.cp_connected
            if outputs.duty != self._duty:
                pilot.drive(outputs.duty)
                self._duty = outputs.duty
        except OSError as exc:
            self._note("pilot", exc, now_ms)

    def make_safe(self, phases, duty):
        """Opens the contactor, sets the pilot and stops the lock, whatever state anything is in. Does not raise."""
        self._duty = self._lock = None
        try:
            self._drivers.contactor.drive(False, phases)
        except Exception as exc:  # the pilot must be reached; both failing is the watchdog's case
            self._log.exception(self._area, exc)
        try:
            self._drivers.pilot.drive(duty)
            if self._drivers.lock:
                self._drivers.lock.halt()  # a pulse that nobody ends burns the motor
        except Exception as exc:
            self._log.exception(self._area, exc)

    def _note(self, driver, exc, now_ms):
        self._failed_at = now_ms
        if driver not in self.failed:
            self.failed += (driver,)
            self._log.error(self._area, "%s driver: %s", driver, exc)
