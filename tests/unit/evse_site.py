"""A real Evse with ideal drivers and a vehicle, in virtual time: all parts fitted, or without some of them."""

from firmware.evse.control import PERIOD_MS, Evse
from firmware.evse.limits import STATE_F, STEADY
from firmware.evse.missing import NoIndicator, NoLock, NoProximity, NoRcd, NoThermistor
from firmware.kernel.log import Log

_CALLS = 100  # so many are kept
HIGH_MV = {"A": 12_000, "B": 9_000, "C": 6_000, "D": 3_000, "E": 0}
PARTS = "proximity lock rcd thermistor indicator"
# What a station may lack, beside its meter: names of parts, "rcd_test" and "switch" (of the pilot).
LACKS = ("", "thermistor", "rcd", "rcd_test", "switch", "indicator", "thermistor rcd switch indicator")
_MISSING = {
    "proximity": NoProximity,
    "lock": NoLock,
    "rcd": NoRcd,
    "thermistor": NoThermistor,
    "indicator": NoIndicator,
}


class Drivers:
    """All drivers of a connector in one object but for the lock. `broken` names the calls that raise `error`.

    `lacks` names what is not fitted.
    """

    fitted = True

    def __init__(self, lacks=""):
        lacks = lacks.split()
        for name in PARTS.split():
            part = _MISSING[name]() if name in lacks else Lock(self) if name == "lock" else self
            setattr(self, name, part)
        self.pilot = self.contactor = self
        self.can_disconnect = "switch" not in lacks
        self.can_test = "rcd_test" not in lacks
        self.broken = ()
        self.error = OSError(5)
        self.calls = []
        self.high = 12_000
        self.ohms = None
        self.duty = None
        self.closed = False
        self.cut = False
        self.testing = False
        self.tripped = False
        self.pattern = None
        self.steps = 0

    def check(self, name):
        if len(self.calls) < _CALLS:
            self.calls.append(name)
        if name in self.broken:
            raise self.error

    def sample(self):
        self.check("sample")
        if self.duty == STATE_F:
            return -12_000, -12_000
        high = 12_000 if self.cut else self.high
        return high, high if self.duty == STEADY else -12_000 if high else 0

    def drive(self, level, phases=None):
        if phases is None:
            self.check("pilot.drive")
            self.duty = level
        else:
            self.check("contactor.drive")
            self.closed = level

    def is_closed(self):
        self.check("is_closed")
        return self.closed

    def disconnect(self, on):
        self.check("disconnect")
        self.cut = on and self.can_disconnect

    def is_tripped(self):
        self.check("is_tripped")
        return self.testing or self.tripped

    def test(self, on):
        self.check("test")
        self.testing = on and self.can_test

    def ohm(self):
        self.check("ohm")
        return self.ohms

    def temperature_dc(self):
        self.check("temperature_dc")
        return 250

    def show(self, pattern):
        self.check("show")
        self.pattern = pattern

    def flash(self, pattern):
        pass

    def step(self, now_ms):
        self.check("indicator.step")
        self.steps += 1


class Lock:
    fitted = True

    def __init__(self, drivers):
        self._drivers = drivers
        self.locked = False

    def drive(self, locked):
        self._drivers.check("lock.drive")
        self.locked = locked

    def is_locked(self):
        self._drivers.check("is_locked")
        return self.locked

    def step(self, now_ms):
        self._drivers.check("lock.step")

    def halt(self):
        self._drivers.check("lock.halt")


class SiteEvse(Evse):
    """A real Evse that takes what a ScriptedEvse takes: the vehicle's state, a plug, a tick."""

    def __init__(self, clock, socket=True, lacks="", number=1, log=None, **options):
        self.site_clock = clock
        self.socket = socket
        self.drivers = Drivers(lacks if socket else lacks + " lock proximity")
        super().__init__(number, self.drivers, clock, log or Log(clock), fixed_cable=not socket, **options)

    def set_state(self, state):
        """The vehicle shows another state from now on."""
        self.drivers.high = HIGH_MV[state]

    def plug_in(self, ohms=220):
        """Cable and vehicle are plugged in."""
        self.drivers.ohms = ohms if self.socket else None
        self.set_state("B")

    def pull_out(self):
        """The cable is pulled out of the socket; a fixed one out of the vehicle."""
        self.drivers.ohms = None
        self.set_state("A")

    def tick(self, now_ms=None):
        super().tick(self.site_clock.ms() if now_ms is None else now_ms)

    @property
    def names(self):
        return [fault.name for fault in self.faults]


def run(clock, evses, ms):
    """Lets the connectors tick for a while."""
    for _ in range(ms // PERIOD_MS):
        clock.advance(PERIOD_MS)
        for evse in evses:
            evse.tick()
