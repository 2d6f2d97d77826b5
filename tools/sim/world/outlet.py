# One connector of the simulated station with everything behind it. MIT license.
"""An outlet: pilot, cable, contactor, lock, residual current device, temperature, supply, meter register and vehicle.

`emit(name, fields)` is told what happens physically. What is called a fault here is done to the circuit, so that the
firmware has to find it.
"""

from micropython import const

from tools.sim.world import circuit
from tools.sim.world.circuit import Pilot
from tools.sim.world.switchgear import Contactor, Lock, Rcd
from tools.sim.world.vehicle import OVERVOLTAGE_MV, UNDERVOLTAGE_MV, VOLTS_MV, Register, Vehicle

_AMBIENT_DC = const(250)  # tenths of a degree
_OVERTEMPERATURE_DC = const(950)
_PRESS_MS = const(300)  # how long a person holds a button
_LED_WINDOW_MS = const(1000)  # a light that blinks or breathes within it has one colour

FAULTS = (
    "rcd",
    "relay_weld",
    "relay_open",
    "overtemp",
    "lock_fail",
    "meter_fail",
    "cp_short",
    "diode",
    "pe_open",
    "undervoltage",
    "overvoltage",
    "overcurrent",
)


class Outlet:
    def __init__(self, number, timeline, emit, socket=True, phases=3, register=None):
        self.number = number
        self._timeline = timeline
        self._emit = emit
        self.vehicle = Vehicle()
        self.register = register or Register()
        self._counted_to = timeline.time
        self._told = None  # the last pilot event
        self.pilot = Pilot(self._pilot_changed)
        self.contactor = Contactor(timeline, self.count_energy, self._contactor_driven)
        self.lock = Lock(timeline, self._lock_moved) if socket else None
        self.rcd = Rcd(timeline)
        self.phases = phases
        self.volts_mv = VOLTS_MV
        self.temperature_dc = _AMBIENT_DC
        self.meter_silent = False
        self.meter_frozen = None  # (currents, volts, uj) that the meter is stuck at
        self.pressed = {"stop": 0, "emergency": 0}
        self.faults = set()
        self._leds = [0, 0, 0]
        self._brightest = [0, 0, 0]  # since the window began
        self._led_window = False
        self._led_told = None

    # The vehicle's side.

    def plug(self, cable_a):
        self.count_energy()
        self.vehicle.plugged = True
        self.vehicle.cable_a = cable_a
        self.set_vehicle("B")

    def unplug(self):
        self.vehicle.plugged = False
        self.vehicle.cable_a = None
        self.set_vehicle("A")

    def set_vehicle(self, state):
        """The vehicle presents pilot state "A" to "F"."""
        self.count_energy()
        self.vehicle.state = state
        self.vehicle.wants = state in ("C", "D")
        self.pilot.attach(state)

    def force_pilot(self, millivolts, diode):
        self.count_energy()
        self.vehicle.state = "custom"
        self.vehicle.wants = 1500 <= millivolts < 7500
        self.pilot.force(millivolts, diode)

    def set_load(self, load_ma, volts_mv):
        self.count_energy()
        self.vehicle.load_ma = load_ma
        self.volts_mv = volts_mv

    def vehicle_state(self):
        """Returns what is plugged in, for a later restore_vehicle(); JSON can carry it."""
        vehicle = self.vehicle
        return [vehicle.plugged, vehicle.cable_a, vehicle.state, list(vehicle.load_ma), self.volts_mv]

    def restore_vehicle(self, plugged, cable_a, state, load_ma, volts_mv):
        """Puts a vehicle back as it was. A voltage held by force is not remembered."""
        if plugged:
            self.plug(cable_a)
        self.set_vehicle("B" if state == "custom" else state)
        self.set_load(tuple(load_ma), volts_mv)

    @property
    def supply_mv(self):
        if "undervoltage" in self.faults:
            return UNDERVOLTAGE_MV
        if "overvoltage" in self.faults:
            return OVERVOLTAGE_MV
        return self.volts_mv

    def currents_ma(self):
        excess_ma = 0
        if "overcurrent" in self.faults:
            offered = circuit.offered_ma(self.pilot.duty)
            excess_ma = offered + offered // 4 + 5000
        contactor = self.contactor
        return self.vehicle.draws(self.pilot, contactor.closed(0), self.phases == 3 and contactor.closed(1), excess_ma)

    def count_energy(self):
        """Counts what flowed since the last time; to be called before anything changes that decides on power."""
        now = self._timeline.time
        if now != self._counted_to:
            self.register.count(sum(self.currents_ma()) * self.supply_mv // 1000, now - self._counted_to)
            self._counted_to = now

    # The person's side.

    def press(self, button, on=None):
        """Presses a button: for a moment, or until further notice when `on` says so."""
        self.pressed[button] += 1
        if on is None:
            self._timeline.after(_PRESS_MS, self._release, button)
        elif not on:
            self.pressed[button] = 0

    def _release(self, button):
        self.pressed[button] = max(0, self.pressed[button] - 1)

    def set_fault(self, name, on):
        self.count_energy()
        if on:
            self.faults.add(name)
        else:
            self.faults.discard(name)
        if name == "rcd":
            self.rcd.fault = on
        elif name == "relay_weld":
            self.contactor.fault("welded", on)
        elif name == "relay_open":
            self.contactor.fault("stuck_open", on)
        elif name == "overtemp":
            self.temperature_dc = _OVERTEMPERATURE_DC if on else _AMBIENT_DC
        elif name == "lock_fail" and self.lock:
            self.lock.jammed = on
        elif name == "meter_fail":
            self.meter_silent = on
        elif name in ("cp_short", "diode", "pe_open"):
            self.pilot.shorted = "cp_short" in self.faults
            self.pilot.diode_shorted = "diode" in self.faults
            self.pilot.broken = "pe_open" in self.faults
            self.pilot.update()

    def freeze_meter(self, on):
        self.count_energy()
        self.meter_frozen = (self.currents_ma(), self.supply_mv, self.register.uj) if on else None

    def meter_values(self):
        """Returns (currents in mA, voltage in mV, energy in microjoules) that the meter shows."""
        if self.meter_frozen:
            return self.meter_frozen
        self.count_energy()
        return self.currents_ma(), self.supply_mv, self.register.uj

    # The board's side.

    def disconnect_pilot(self, on):
        self.count_energy()
        self.pilot.disconnected = bool(on)
        self.pilot.update()

    def pilot_uv(self, phase_us):
        pilot = self.pilot
        return pilot.high_uv if phase_us < pilot.high_us else pilot.low_uv

    def proximity_uv(self, _):
        cable = self.vehicle.cable_a
        return circuit.proximity_uv(circuit.CABLE_OHM[cable] if cable else None)

    def temperature_uv(self, _):
        return circuit.thermistor_uv(self.temperature_dc)

    def light(self, colour, level):
        if self._leds[colour] != level:
            self._leds[colour] = level
            self._brightest[colour] = max(self._brightest[colour], level)
            if not self._led_window:
                self._led_window = True
                self._timeline.after(_LED_WINDOW_MS, self._tell_led)

    # What is told.

    def _tell_led(self, _):
        self._led_window = False
        rgb = "".join("%x" % (level >> 12) for level in self._brightest)
        self._brightest[:] = self._leds
        if rgb != self._led_told:
            self._led_told = rgb
            self._emit("led", {"connector": self.number, "rgb": rgb})

    def offered_a(self):
        """Returns the current that the pilot offers, in A with one decimal."""
        return (circuit.offered_ma(self.pilot.duty) + 50) // 100 / 10

    def pilot_report(self):
        pilot = self.pilot
        return {
            "connector": self.number,
            "duty": pilot.duty / 100,
            "amps": self.offered_a(),
            "volts": (pilot.millivolts + 50) // 100 / 10,
        }

    def _pilot_changed(self):
        report = self.pilot_report() if hasattr(self, "pilot") else None
        if report and report != self._told:
            self._told = report
            self._emit("pilot", report)

    def _contactor_driven(self, on, phases):
        self._emit("relay", {"connector": self.number, "on": on, "phases": phases})

    def _lock_moved(self):
        self._emit("lock", {"connector": self.number, "on": self.lock.locked})
