# One connector of the simulated station with everything behind it. MIT license.
"""Outlet: pilot, cable, contactor, lock, residual current device, temperature, supply, meter and vehicle.

`emit(name, fields)` is called for physical events. Faults are applied to the circuit, so the firmware must detect them.
"""

from micropython import const

from tools.sim.world import circuit
from tools.sim.world.circuit import CABLE_OHM, Pilot
from tools.sim.world.light import Light
from tools.sim.world.meter import Meter
from tools.sim.world.switchgear import Contactor, Lock, Rcd
from tools.sim.world.vehicle import OVERVOLTAGE_MV, UNDERVOLTAGE_MV, VOLTS_MV, Vehicle

_AMBIENT_DC = const(250)  # tenths of a degree
_OVERTEMPERATURE_DC = const(950)
_PRESS_MS = const(300)  # time that a button is pressed

# Protective devices with a contact that reports a trip.
CONTACTS = ("rccb", "mcb", "breaker", "spd")
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
    "overcurrent_sensor",
    "imbalance",
) + CONTACTS


class Outlet:
    """`temperature_dc` is in tenths of a degree, or "open" or "short"; `supply` the mV of the three phases."""

    def __init__(self, number, timeline, emit, socket=True, phases=3, register=None):
        self.number = number
        self._timeline = timeline
        self._emit = emit
        self.vehicle = Vehicle()
        self.meter = Meter(register)
        self._counted_to = timeline.time
        self._told = None  # the last pilot event
        self.pilot = Pilot(self._pilot_changed)
        self.contactor = Contactor(timeline, self.count_energy, self._contactor_driven)
        self.lock = Lock(timeline, self._lock_moved) if socket else None
        self.rcd = Rcd(timeline)
        self.light = Light(timeline, lambda rgb: emit("led", {"connector": number, "rgb": rgb}))
        self.phases = phases
        self.supply = None  # as set for each phase; None: voltage of the load
        self.volts_mv = VOLTS_MV
        self.temperature_dc = _AMBIENT_DC
        self.pressed = {"stop": 0, "emergency": 0}
        self._emergency_latched = False
        self.faults = set()
        self.changed = lambda: None  # called when a part has changed that keeps its position without power

    @property
    def register(self):
        return self.meter.register

    # The vehicle's side.

    def plug(self, cable_a, vehicle=True):
        """Plugs in a cable, with or without a vehicle at its other end."""
        self.count_energy()
        self.vehicle.plugged = vehicle
        self.vehicle.cable_a = cable_a
        self.vehicle.pp = "cable"
        self.set_vehicle("B" if vehicle else "A")

    def unplug(self):
        self.plug(None, False)

    def set_vehicle(self, state):
        """Sets the vehicle's pilot state, "A" to "F"."""
        self.count_energy()
        self.vehicle.state = state
        self.vehicle.wants = state in ("C", "D")
        self.pilot.attach(state)

    def force_pilot(self, millivolts, diode):
        self._force(millivolts)
        self.pilot.force(millivolts, diode)

    def hold_pilot(self, high_mv, low_mv):
        self._force(high_mv)
        self.pilot.hold(high_mv, low_mv)

    def _force(self, millivolts):
        self.count_energy()
        self.vehicle.state = "custom"
        self.vehicle.wants = 1500 <= millivolts < 7500

    def set_load(self, load_ma, volts_mv=None):
        """Sets the current that the vehicle draws, and the voltage of all phases unless the supply was set."""
        self.count_energy()
        self.vehicle.load_ma = load_ma
        self.volts_mv = volts_mv or VOLTS_MV
        if volts_mv is not None:
            self.supply = None

    def set_supply(self, voltages_mv):
        self.count_energy()
        self.supply = voltages_mv

    @property
    def proximity_ohm(self):
        """Resistance between PP and PE, or None."""
        return self.vehicle.proximity_ohm(CABLE_OHM)

    @property
    def cable_a(self):
        """Current coded by the proximity resistor, or None."""
        ohm = self.proximity_ohm
        for amps, coding in CABLE_OHM.items():
            if ohm == coding:
                return amps
        return None

    @property
    def voltages_mv(self):
        """Voltages of the three phases; 0 for phases that are not installed."""
        if "undervoltage" in self.faults:
            voltages = (UNDERVOLTAGE_MV,) * 3
        elif "overvoltage" in self.faults:
            voltages = (OVERVOLTAGE_MV,) * 3
        else:
            voltages = self.supply or (self.volts_mv,) * 3
        return voltages[: self.phases] + (0,) * (3 - self.phases)

    def currents_ma(self):
        contactor, vehicle = self.contactor, self.vehicle
        offered = circuit.offered_ma(self.pilot.duty)
        excess_ma = offered + offered // 4 + 5000 if "overcurrent" in self.faults else 0
        three = self.phases == 3 and contactor.closed(1)
        drawn = vehicle.draws(self.pilot, contactor.closed(0), three, excess_ma, self.voltages_mv)
        if "imbalance" in self.faults and any(drawn):
            return max(drawn[0], offered), 0, 0
        return drawn

    def count_energy(self):
        """Counts the energy since the last call; call it before anything changes that affects the power."""
        now = self._timeline.time
        if now != self._counted_to:
            microwatts = sum(ma * mv for ma, mv in zip(self.currents_ma(), self.voltages_mv))  # noqa: B905
            self.meter.count(microwatts // 1000, now - self._counted_to)
            self._counted_to = now

    # The person's side.

    def press(self, button, on=None):
        """Presses a button for a moment; with `on`, presses or releases it."""
        self.pressed[button] += 1
        if on is None:
            self._timeline.after(_PRESS_MS, self._release, button)
            return
        if not on:
            self.pressed[button] = 0
        if button == "emergency":
            self._emergency_latched = on

    def _release(self, button):
        self.pressed[button] = max(0, self.pressed[button] - 1)

    def set_temperature(self, temperature):
        self.faults.discard("overtemp")
        self.temperature_dc = temperature

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
        elif name == "lock_fail" and self.lock:
            self.lock.jammed = on
        elif name == "meter_fail":
            self.meter.silent = on
        elif name == "overcurrent_sensor":
            self.meter.blind = on
        elif name in ("cp_short", "diode", "pe_open"):
            self.pilot.shorted = "cp_short" in self.faults
            self.pilot.diode_shorted = "diode" in self.faults
            self.pilot.broken = "pe_open" in self.faults
            self.pilot.update()

    def freeze_meter(self, on):
        self.meter.frozen = None
        if on:
            self.meter.frozen = self.meter_shows()

    def meter_shows(self):
        """Returns the meter.Shown of the meter."""
        self.count_energy()
        return self.meter.show(self.currents_ma(), self.voltages_mv)

    # State that is kept without power.

    def condition(self):
        """Returns the condition of everything except vehicle and registers for restore(), suitable for JSON."""
        return {
            "faults": sorted(self.faults),
            "temperature": self.temperature_dc,
            "supply": self.supply,
            "emergency": self._emergency_latched,
            "aux": self.contactor.aux,
            "bolt": self.lock and self.lock.bolt,
            "locked": self.lock and self.lock.locked,
            "selftest": self.rcd.selftest,
            "meter": self.meter.condition(),
        }

    def restore(self, kept):
        if self.lock and kept["bolt"]:
            self.lock.bolt, self.lock.locked = kept["bolt"], kept["locked"]
        for name in kept["faults"]:
            self.set_fault(name, True)
        self.temperature_dc = kept["temperature"]
        self.supply = kept["supply"] and tuple(kept["supply"])
        if kept["emergency"]:
            self.press("emergency", True)
        self.contactor.aux = kept["aux"]
        self.rcd.selftest = kept["selftest"]
        self.meter.restore(kept["meter"])

    def vehicle_state(self):
        """Returns the plugged-in vehicle for restore_vehicle(), suitable for JSON."""
        vehicle = self.vehicle
        return [vehicle.plugged, vehicle.cable_a, vehicle.pp, vehicle.state, list(vehicle.load_ma), self.volts_mv]

    def restore_vehicle(self, plugged, cable_a, pp, state, load_ma, volts_mv):
        """Restores the vehicle. Forced voltages are not restored."""
        self.plug(cable_a, plugged)
        self.vehicle.pp = pp
        if state != "custom":
            self.set_vehicle(state)
        supply = self.supply
        self.set_load(tuple(load_ma), volts_mv)
        self.supply = supply

    # The board's side.

    def disconnect_pilot(self, on):
        self.count_energy()
        self.pilot.disconnected = bool(on)
        self.pilot.update()

    def pilot_uv(self, phase_us):
        pilot = self.pilot
        return pilot.high_uv if phase_us < pilot.high_us else pilot.low_uv

    def proximity_uv(self, _):
        return circuit.proximity_uv(self.proximity_ohm)

    def temperature_uv(self, _):
        return circuit.thermistor_uv(_OVERTEMPERATURE_DC if "overtemp" in self.faults else self.temperature_dc)

    # Events.

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
        self.changed()
