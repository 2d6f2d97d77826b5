"""Builds the drivers of a board from its pin layout; pin numbers become machine.Pin, ADC, PWM, UART only here.

App unloads this module once the station is built, so running code must not refer to it.

A layout is a dict (or a module with one as LAYOUT) of plain data:

name, max_ma, phases, fixed_cable   of the board
chip          as MicroPython names it, such as esp32s3; make flash compares it with the board at the port
cpu_hz        processor frequency to set (240 MHz); an ESP32 starts with 160 MHz, too slow for a control step in 20 ms
connectors    one dict per connector: part name -> its pins and values; a missing part is not fitted. An input named in
              contacts.CONTACTS has pin and pressed_level (0: closes to ground; 1: opens a contact to ground)
fitted        default number of connectors in use (all)
meter_bus     UART of the Modbus meters: uart, baudrate, tx, rx, direction (pin of an RS-485 driver); or None.
              A transceiver with automatic direction is better: it needs no timing
service       the service button (portal, factory reset): pin and pressed_level; or left out
readers       card readers: kind ("pn532" or "em4100"), uart, tx, rx
reset_register   address of the chip's reset cause; without it a brown-out looks like a power-on
watchdog_ms   of the hardware watchdog; None = the board has none
"""

import asyncio

import machine
from micropython import const

from firmware.boards.contacts import CONTACTS
from firmware.drivers import meter_models, rfid
from firmware.drivers.button import Button, Buttons
from firmware.drivers.contactor import Contactor
from firmware.drivers.indicator import Indicator
from firmware.drivers.lock import Lock
from firmware.drivers.meter import Meter, line
from firmware.drivers.pilot import Pilot
from firmware.drivers.proximity import Proximity
from firmware.drivers.rcd import Rcd
from firmware.drivers.thermistor import Thermistor
from firmware.drivers.watchdog import Watchdog
from firmware.evse.ports import Drivers, NoLock, NoProximity, NoThermistor

# One frequency for all PWM outputs, so that they share a timer: that of the pilot, IEC 61851-1 A.3.1.
_PWM_HZ = const(1000)
_STEADY = const(65_535)

_CPU_HZ = const(240_000_000)

_UART_BUFFER = const(512)
_READER_BAUDRATES = {"pn532": 115_200, "em4100": 9600}


class Board:
    """The parts of a board, ready for use. The Board itself can be dropped once they are taken.

    `hw` overrides the layout: {"connectors": count, "cable": "socket" or "fixed", "max_a": A, "phases": 1 or 3};
    settings (see fitting.py) override both. Raises ValueError for hardware that the layout does not have.

    connectors    list of evse.ports.Drivers
    most_phases   phases of the hardware; `phases`: phases in use
    meters        list with one meter (or None) per connector
    readers       list of rfid.Reader
    buttons       button.Buttons
    watchdog      object with feed(), or None
    cpu_hz        actual frequency of the processor; `wanted_hz`: that of the layout
    reset_register   see the layout, or None
    parts         names of the parts of at least one connector, also "phase_switch", "pilot_switch", and "twin" for
                  several connectors
    """

    def __init__(self, layout, hw=None):
        layout = getattr(layout, "LAYOUT", layout)
        hw = hw or {}
        self.name = layout["name"]
        self.wanted_hz = layout.get("cpu_hz", _CPU_HZ)
        self.cpu_hz = _set_cpu(self.wanted_hz)  # before anything is timed
        self.max_ma = hw["max_a"] * 1000 if "max_a" in hw else layout["max_ma"]
        self.most_phases = layout["phases"]
        count = hw.get("connectors", layout.get("fitted", len(layout["connectors"])))
        if not 1 <= count <= len(layout["connectors"]):
            raise ValueError(f"board {self.name} has no {count} connectors")
        self.buttons = Buttons()
        self.parts = set()
        connectors = layout["connectors"][:count]
        # Connectors first: their outputs must not float for long.
        self._sockets = []  # (proximity, lock) of each connector
        self.connectors = [self._connector(i + 1, connectors[i]) for i in range(count)]
        self.fit_cable(hw["cable"] == "fixed" if "cable" in hw else layout["fixed_cable"])
        self.fit_phases(hw.get("phases", layout["phases"]))
        if count > 1:
            self.parts.add("twin")
        self._meter_bus = layout.get("meter_bus")
        self._meter_parts = [parts.get("meter") for parts in connectors]
        self.fit_meters()
        if "service" in layout:
            self.buttons.add(0, "service", _button(**layout["service"]))
        self.reset_register = layout.get("reset_register")
        self._readers = layout["readers"]
        self.fit_readers()
        self.watchdog = _watchdog(layout["watchdog_ms"])

    @property
    def can_have_sockets(self):
        """True when every connector has the parts for a socket."""
        return all(proximity.fitted for proximity, lock in self._sockets)

    def fit_cable(self, fixed):
        """Sets fixed cables (no proximity contact, no lock) or sockets. Raises ValueError."""
        if not fixed and not self.can_have_sockets:
            raise ValueError(f"board {self.name} has no proximity contact for a socket")
        self.fixed_cable = fixed
        for parts, socket in zip(self.connectors, self._sockets):
            parts.proximity, parts.lock = (NoProximity(), NoLock()) if fixed else socket
        for name in ("proximity", "lock"):
            if any(getattr(parts, name).fitted for parts in self.connectors):
                self.parts.add(name)
            else:
                self.parts.discard(name)

    def fit_phases(self, phases):
        """Sets 1 or 3 phases. Raises ValueError for more than the board has."""
        if phases > self.most_phases:
            raise ValueError(f"board {self.name} has only one phase")
        self.phases = phases
        if phases == 3 and any(parts.contactor.can_switch_phases for parts in self.connectors):
            self.parts.add("phase_switch")
        else:
            self.parts.discard("phase_switch")

    def fit_readers(self, kind=None):
        """Builds the readers; `kind` overrides the layout's: "pn532", "em4100" or "none"."""
        readers = () if kind == "none" else self._readers
        self.readers = [_reader(reader, kind or reader["kind"]) for reader in readers]

    def fit_meters(self, model=None, unit=0, baudrate=0, timeout_ms=300):
        """Builds the meters. Arguments override the layout: `model` is a name or a Model, `unit` the Modbus address of
        the first connector's meter (the others follow); `timeout_ms` is the response timeout. Raises ValueError for an
        unknown name."""
        meters = [None] * len(self._meter_parts)
        if self._meter_bus:
            bus_layout = dict(self._meter_bus)
            if baudrate:
                bus_layout["baudrate"] = baudrate
            bus = _modbus(bus_layout, timeout_ms)
            for i, parts in enumerate(self._meter_parts):
                if parts:
                    meters[i] = Meter(bus, unit + i if unit else parts["unit"], _model(model or parts["model"]))
        self.meters = meters

    def _connector(self, number, layout):
        parts = Drivers()
        parts.contactor = _contactor(**layout["contactor"])
        parts.pilot = pilot = _pilot(**layout["pilot"])
        lock = _lock(**layout["lock"]) if "lock" in layout else NoLock()
        self._sockets.append((_proximity(layout.get("proximity")), lock))
        if "rcd" in layout:
            parts.rcd = _rcd(**layout["rcd"])
        parts.thermistor = _thermistor(layout.get("thermistor"))
        if "indicator" in layout:
            parts.indicator = _indicator(**layout["indicator"])
            self.parts.add("adjustable_light")
        for name in CONTACTS:
            if name in layout:
                self.buttons.add(number, name, _button(**layout[name]))
        self.parts.update(name for name in layout if layout[name] is not None)
        if pilot.can_disconnect:
            self.parts.add("pilot_switch")
        return parts


def _set_cpu(hertz):
    """Returns the frequency that the processor then has."""
    try:
        machine.freq(hertz)
    except (ValueError, OSError):
        pass  # a chip or a build that cannot: what it has is looked at
    return machine.freq()


def _output(pin, value=0):
    return None if pin is None else machine.Pin(pin, machine.Pin.OUT, value=value)


def _input(pin, pull=None):
    if pin is None:
        return None
    return machine.Pin(pin, machine.Pin.IN) if pull is None else machine.Pin(pin, machine.Pin.IN, pull)


def _adc(pin):
    return machine.ADC(machine.Pin(pin), atten=machine.ADC.ATTN_11DB)


def _pwm(pin, duty_u16=0):
    return machine.PWM(machine.Pin(pin), freq=_PWM_HZ, duty_u16=duty_u16)


def _proximity(layout):
    if layout is None:
        return NoProximity()
    return _analog(Proximity, **layout)


def _thermistor(layout):
    if layout is None:
        return NoThermistor()
    return _analog(Thermistor, **layout)


def _analog(driver, adc, **values):
    return driver(_adc(adc), **values)


def _contactor(coil_l1, coil_l23=None, aux_l1=None, aux_l23=None):
    return Contactor(_output(coil_l1), _output(coil_l23), _input(aux_l1), _input(aux_l23))


def _pilot(pwm, adc, calibration, switch=None, **values):
    # +12 V steady: no offer, and unlike state F it does not wake a vehicle.
    return Pilot(_pwm(pwm, _STEADY), _adc(adc), calibration, switch=_output(switch), **values)


def _lock(forward, backward, feedback=None, **values):
    return Lock(_output(forward), _output(backward), _input(feedback), **values)


def _rcd(trip, test=None, trip_level=1, test_level=1):
    return Rcd(_input(trip), _output(test, 1 - test_level), trip_level, test_level)


def _indicator(red, green, blue, **values):
    return Indicator(_pwm(red), _pwm(green), _pwm(blue), **values)


def _button(pin, pressed_level=0):
    return Button(_input(pin, machine.Pin.PULL_UP if pressed_level == 0 else machine.Pin.PULL_DOWN), pressed_level)


def _uart(uart, baudrate, tx=None, rx=None):
    pins = {name: pin for name, pin in (("tx", tx), ("rx", rx)) if pin is not None}
    return machine.UART(uart, baudrate=baudrate, rxbuf=_UART_BUFFER, timeout=0, **pins)


def _watchdog(timeout_ms):
    if not timeout_ms:
        return None
    return Watchdog(timeout_ms)


def _modbus(layout, timeout_ms):
    port = _uart(layout["uart"], layout["baudrate"], layout.get("tx"), layout.get("rx"))
    direction = _output(layout.get("direction"))
    stream = asyncio.StreamReader(port)
    return line(stream, layout["baudrate"], timeout_ms=timeout_ms, direction=direction, port=port)


def _model(model):
    return meter_models.model(model) if isinstance(model, str) else model


def _reader(layout, kind):
    if kind not in _READER_BAUDRATES:
        raise ValueError(f"unknown reader {kind}")
    port = _uart(layout["uart"], _READER_BAUDRATES[kind], layout.get("tx"), layout.get("rx"))
    return rfid.reader(kind, port)
