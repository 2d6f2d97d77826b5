# The simulated station's surroundings. MIT license.
"""World: timeline, outlets, wiring of the board's pins, UARTs and network.

Wiring of the simulated board; the second connector's pins are 20 higher:

1 CP PWM, 2 CP ADC, 3 PP ADC, 4/5 contactor coils L1/L2+L3, 6/7 their auxiliary contacts, 8/9 lock motor to lock and
to unlock, 10 lock feedback, 11 RCD trip, 12 RCD test, 13 thermistor ADC, 14 CP disconnect, 15 stop button and
16 emergency stop (0 = pressed), 17/18/19 LED red/green/blue. From 41 (the second connector: 51) the contacts of RCCB,
MCB, general breaker and surge protection (0 = tripped). 61, if it is connected: direction of the meter bus (1 = send).
MCB, general breaker and surge protection (0 = tripped). 61 is the station's service button (0 = pressed).
"""

from micropython import const

from tools.sim.world.outlet import CONTACTS, Outlet
from tools.sim.world.timeline import Timeline
from tools.sim.world.uart import HalfDuplexLine, Line

_PINS_PER_CONNECTOR = const(20)
_FIRST_CONTACT = const(41)
_CONTACT_PINS = const(10)  # per connector
DIRECTION_PIN = const(61)
_SERVICE_PIN = const(61)
UART_METER = const(1)
UART_READER = const(2)


class World:
    """`ms()` returns the board's milliseconds; `emit(name, fields)` is called for events.

    `direction_us`: the meter bus needs its direction pin, and this is the board's clock in microseconds.
    """

    def __init__(self, ms, emit, connectors=1, socket=True, phases=3, registers=None, direction_us=None):
        self.timeline = Timeline(ms)
        self.emit = emit
        self.network_up = True
        self.lines = {UART_METER: Line(), UART_READER: Line()}
        self.outlets = []
        for index in range(connectors):
            register = registers[index] if registers else None
            self.outlets.append(Outlet(index + 1, self.timeline, emit, socket, phases, register))
        self._outputs = {}
        self._inputs = {}
        self._analog = {}
        if direction_us:
            self.lines[UART_METER] = bus = HalfDuplexLine(direction_us, lambda: self.timeline.time)
            self._outputs[DIRECTION_PIN] = bus.drive
        self._pressed = 0  # how many hands are on the service button
        self._inputs[_SERVICE_PIN] = lambda: not self._pressed
        for index, outlet in enumerate(self.outlets):
            self._wire(outlet, index * _PINS_PER_CONNECTOR)

    def _wire(self, outlet, base):
        contactor, lock, rcd, pressed = outlet.contactor, outlet.lock, outlet.rcd, outlet.pressed
        self._outputs[base + 1] = lambda on: outlet.pilot.drive(65535 if on else 0)
        self._outputs[base + 4] = lambda on: contactor.drive(0, on)
        self._outputs[base + 5] = lambda on: contactor.drive(1, on)
        self._outputs[base + 12] = rcd.test
        self._outputs[base + 14] = outlet.disconnect_pilot
        self._inputs[base + 6] = lambda: contactor.auxiliary(0)
        self._inputs[base + 7] = lambda: contactor.auxiliary(1)
        self._inputs[base + 11] = lambda: rcd.tripped
        self._inputs[base + 15] = lambda: not pressed["stop"]
        self._inputs[base + 16] = lambda: not pressed["emergency"]
        if lock:
            self._outputs[base + 8] = lock.drive_lock
            self._outputs[base + 9] = lock.drive_unlock
            self._inputs[base + 10] = lambda: lock.feedback
        for index, name in enumerate(CONTACTS):
            pin = _FIRST_CONTACT + (outlet.number - 1) * _CONTACT_PINS + index
            self._inputs[pin] = lambda name=name: name not in outlet.faults
        self._analog[base + 2] = outlet.pilot_uv
        self._analog[base + 3] = outlet.proximity_uv
        self._analog[base + 13] = outlet.temperature_uv

    def press(self, ms):
        """Holds the service button for `ms`."""
        self._pressed += 1
        self.timeline.after(ms, self._release)

    def _release(self, _):
        self._pressed -= 1

    # Called by `machine` for the board's pins.

    def write_pin(self, number, on):
        self.timeline.now()
        output = self._outputs.get(number)
        if output:
            output(on)

    def read_pin(self, number, default=0):
        self.timeline.now()
        source = self._inputs.get(number)
        return int(source()) if source else default

    def pwm_output(self, number):
        """Returns a function that takes the duty cycle, 0 to 65535, of a PWM pin."""
        outlet = self._outlet_of(number)
        role = number % _PINS_PER_CONNECTOR
        if outlet and role == 1:
            return outlet.pilot.drive
        if outlet and 17 <= role <= 19:
            return lambda u16: outlet.light.drive(role - 17, u16)
        return lambda u16: self.write_pin(number, u16 > 32767)

    def analog_input(self, number):
        """Returns a function (phase in the PWM period in us) -> microvolts at an ADC pin."""
        return self._analog.get(number) or (lambda phase_us: 0)

    def _outlet_of(self, number):
        index = number // _PINS_PER_CONNECTOR
        return self.outlets[index] if index < len(self.outlets) else None
