"""Reads the drivers into the machine's inputs and writes its outputs to the drivers; driver errors end here.

If a driver raises OSError, its reading is replaced by one that keeps the contactor open, and `failed` contains its name
until 5 s after the last error. Any other exception is a defect and is passed to the caller.
"""

from micropython import const

from firmware.evse.missing import NoIndicator, NoLock, NoProximity, NoRcd, NoThermistor

# Cable and temperature change slowly, and ADC reads take time.
_SLOW_MS = const(100)
_STAGGER_MS = const(20)  # twin connectors read them in turn
_QUIET_MS = const(5_000)  # intermittent errors count as continuous


class Drivers:
    """The drivers of one connector: pilot and contactor are required, the others are missing parts until set."""

    pilot = contactor = None

    def __init__(self):
        self.proximity = NoProximity()
        self.lock = NoLock()
        self.rcd = NoRcd()
        self.thermistor = NoThermistor()
        self.indicator = NoIndicator()


class Ports:
    """`drivers` is a Drivers, or has its attributes."""

    def __init__(self, drivers, log, area, turn=0):
        self._drivers = drivers
        self._log = log
        self._area = area
        self._slow_at = turn * _STAGGER_MS
        self._failed_at = 0
        self.failed = ()  # names of the drivers that raised
        self.has_pilot_switch = drivers.pilot.can_disconnect
        self.has_rcd_test = drivers.rcd.can_test
        self._forget()

    def _forget(self):
        """Resets the last values of the outputs; None = not set or uncertain."""
        self._duty = self._cp_connected = self._lock = self._rcd_test = None

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
        try:
            inputs.rcd_tripped = drivers.rcd.is_tripped()
        except OSError as exc:
            inputs.rcd_tripped = True
            self._note("rcd", exc, now_ms)
        try:
            drivers.lock.step(now_ms)
            inputs.lock_closed = drivers.lock.is_locked()
        except OSError as exc:
            inputs.lock_closed = False
            self._note("lock", exc, now_ms)
        if now_ms >= self._slow_at:
            # By the clock, not by ticks: a blocked loop must not delay the cable.
            self._slow_at += (now_ms - self._slow_at) // _SLOW_MS * _SLOW_MS + _SLOW_MS
            self._read_slow(inputs, now_ms)
        if self.failed and now_ms - self._failed_at >= _QUIET_MS:
            self.failed = ()

    def _read_slow(self, inputs, now_ms):
        drivers = self._drivers
        try:
            inputs.proximity_ohm = drivers.proximity.ohm()
        except OSError as exc:
            inputs.proximity_ohm = None
            self._note("proximity", exc, now_ms)
        try:
            inputs.temperature_dc = drivers.thermistor.temperature_dc()
        except OSError as exc:
            inputs.temperature_dc = None
            self._note("thermistor", exc, now_ms)

    def proximity_ohm(self):
        """Returns the present proximity resistance in ohm, or None; for a connector that is paused."""
        return self._drivers.proximity.ohm()

    def write(self, outputs, now_ms):
        """Sets the drivers to `outputs` (a machine.Outputs)."""
        drivers = self._drivers
        # The contactor first, because of its deadline. It is written every time, so that a glitch on its pin does not
        # last.
        try:
            drivers.contactor.drive(outputs.close, outputs.phases)
        except OSError as exc:
            self._note("contactor", exc, now_ms)
        self._write_pilot(outputs, now_ms)
        if outputs.rcd_test != self._rcd_test:
            try:
                drivers.rcd.test(outputs.rcd_test)
                self._rcd_test = outputs.rcd_test
            except OSError as exc:
                self._note("rcd", exc, now_ms)
        if outputs.lock is not None and outputs.lock != self._lock:
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
        """Opens the contactor, sets the pilot, stops the lock and the self-test, in any state.

        Does not raise.
        """
        drivers = self._drivers
        # Separately: each must be reached even if others fail. If all fail, the watchdog resets.
        try:
            drivers.contactor.drive(False, phases)
        except Exception as exc:
            self._report(exc)
        self._forget()
        try:
            drivers.pilot.drive(duty)
        except Exception as exc:
            self._report(exc)
        try:
            drivers.pilot.disconnect(False)
        except Exception as exc:
            self._report(exc)
        try:
            drivers.lock.halt()  # a pulse that does not end burns the motor
        except Exception as exc:
            self._report(exc)
        try:
            drivers.rcd.test(False)
        except Exception as exc:
            self._report(exc)

    def keep_open(self, phases):
        """Writes the open contactor again, so that a glitch on its pin does not last. Does not raise."""
        try:
            self._drivers.contactor.drive(False, phases)
        except Exception:
            pass  # logged by make_safe()

    def _report(self, exc):
        try:
            self._log.exception(self._area, exc)
        except Exception:
            pass  # no memory for a log line

    def _note(self, driver, exc, now_ms):
        self._failed_at = now_ms
        if driver not in self.failed:
            self.failed += (driver,)
            self._log.error(self._area, "%s driver: %s", driver, exc)
