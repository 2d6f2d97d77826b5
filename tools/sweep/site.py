"""Station under test: the real App above the simulator's world, in virtual time, on CPython, with permanent checks.

Simulated are the pilot's ADC bursts, the lines of meter and reader, and the link; everything else is the firmware's.
"""

import asyncio
import gc
import importlib.util
import sys
import time
import types
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_DEVICE = _ROOT / "tools" / "sim" / "device"
_TICKS_MASK = (1 << 30) - 1
_HALF = 1 << 29
_EPOCH = 1_800_000_000

# Short intervals, so that everything happens within a minute.
_PROVISION = {
    "CentralSystemUrl": "ws://central",
    "ClockAlignedDataInterval": "30",
    "MeterValueSampleInterval": "5",
    "RunningStateInterval": "5",
    "JournalBatch": "4",
    "JournalBatchSeconds": "10",
    "ReswipeGuard": "1",
    "LogLevel": "info",
}

_CONTROL_MS = 100  # the deadline of IEC 61851-1 table A.6
_ANSWER_MS = 200  # from the vehicle's S2 to the coil: the deadline, plus the tick of the change
_NOISE = 40  # log lines kept for the report


class Site:
    """Vehicles, central system and flash, which persist over power-ons; `await boot()` builds the App of the next one.

    `broken` lists violations. `hit` is where the fault was injected: None (not yet, or no connector), a
    connector's number, or "all".
    """

    def __init__(self, loop, flash, socket=True, meter=True):
        from tools.sim.world.vehicle import Register
        from tools.sim.world.world import World
        from tools.sweep.central import Central

        flash.mount()
        self.loop = loop
        self.flash = flash
        self.socket = socket
        self.meter = meter
        self.app = None
        self.ended = None  # how the App ended
        self.ended_at_start = None  # exception of the first failed start
        self.broken = []
        self.log = []
        self.hit = None
        self.injected_ms = None
        self.reader_turn = asyncio.Lock()
        self.expects = {}  # connector -> True while its vehicle charges and no stop was requested
        self._boot_ms = 0
        self._open_when_full = None  # open transactions when the flash became full
        self._acted = {}  # connector -> ms of its last complete control step
        self._ready = {}  # connector -> ms since which its vehicle has not requested energy
        self.registers = [Register(1000), Register(2000)]
        self.world = World(lambda: loop.ms, self._happened, 2, socket, 3, self.registers)
        self.outlets = self.world.outlets
        self.central = Central(self.unix)
        self.starting = False
        self.looking = False  # a call by this simulation: no faults are injected
        self.watch = lambda: None  # called when faults may be injected
        self.clock_known = True
        loop.on_time = self._time_has_passed
        self.world.timeline.arrange = None

    def unix(self):
        return _EPOCH + self.loop.ms // 1000

    def wall(self):
        return self.unix() if self.clock_known else 0

    def look(self, function, *arguments):
        """Calls a function of the firmware for the simulation, without faults."""
        self.looking = True
        try:
            return function(*arguments)
        finally:
            self.looking = False

    # The station

    def boot(self):
        """Builds the App above the flash; passes on its exceptions."""
        self._boot_ms = self.loop.ms
        self._acted = {}
        time.ticks_ms = lambda: (self.loop.ms - self._boot_ms) & _TICKS_MASK
        time.ticks_diff = lambda end, start: ((end - start + _HALF) & _TICKS_MASK) - _HALF
        self.starting = True
        self.app = None
        sys.modules["machine"].attach(self.world, lambda kind: None)
        sys.modules["network"].attach(self.world)
        from firmware import assembly
        from firmware.app import App
        from firmware.boards import board as boards
        from firmware.boards import simulated
        from firmware.drivers import rtc
        from firmware.evse.control import Unpaced

        rtc.wall, rtc.set_wall = self.wall, lambda unix: None
        assembly.Connection = lambda settings, clock, log, *_: _connection(self.central, log)
        assembly.Pacer = lambda clock, log: Unpaced(clock)  # in virtual time each task runs when it is due
        layout = dict(simulated.LAYOUT, meter_bus=None, readers=(), fitted=2)
        layout["connectors"] = [self._parts(parts) for parts in layout["connectors"]]
        layout["fixed_cable"] = not self.socket
        boards.Pilot = _pilot(boards.Pilot, self.outlets)
        built = boards.Board(layout)
        built.meters = [_Meter(outlet) if self.meter else None for outlet in self.outlets]
        built.readers = [Reader()]
        self.reader = built.readers[0]
        self.app = App(built, "/flash", {}, dict(_PROVISION), self._logged)
        self._watch_steps()
        self.starting = False

    def _parts(self, parts):
        gone = ("indicator",) if self.socket else ("indicator", "proximity", "lock")
        return {name: part for name, part in parts.items() if name not in gone}

    def _watch_steps(self):
        for evse in self.app.evses:
            evse.act = self._watched(evse.act, evse.number)

    def _watched(self, act, number):
        def watched(now_ms):
            act(now_ms)
            self._acted[number] = self.loop.ms

        return watched

    async def run(self):
        """Runs the App to its end; returns how it ended: "soft", "hard", or the exception."""
        try:
            self.ended = await self.app.run()
        except asyncio.CancelledError:
            raise
        except BaseException as exc:
            self.ended = exc
        return self.ended

    def make_safe(self):
        """Does what main.py does at the end, and the board's reset: outputs float low."""
        if self.app:
            try:
                self.app.make_safe()
            except Exception as exc:
                self.fail("make_safe raised %r" % exc)

    def restart_outputs(self):
        """Reset of the chip: the coils are off, the pilot is at its power-on level."""
        for outlet in self.outlets:
            outlet.contactor.drive(0, False)
            outlet.contactor.drive(1, False)

    def _logged(self, line):
        self.log.append("%d.%03d %s: %s" % (self.loop.ms // 1000, self.loop.ms % 1000, line[2], line[3]))
        del self.log[:-_NOISE]

    # Permanent checks.

    def fail(self, text):
        if text not in self.broken:
            self.broken.append(text)

    def _happened(self, name, fields):
        if name == "relay" and not fields["on"]:
            number = fields["connector"]
            if self.expects.get(number) and self.injected_ms is not None and self.hit not in (number, "all"):
                self.fail("connector %d stopped charging" % number)

    def _look_at_room(self):
        """Checks that no transaction begins on a full flash, and that the station reports it."""
        journal = self.app.stores.journal
        if journal.has_room:
            self._open_when_full = None
            return
        if self._open_when_full is None:
            self._open_when_full = set(journal._open)
        if journal._open - self._open_when_full:
            self.fail("a transaction began on a full flash")
        fault = self.app.station.status(0).fault
        if fault is None or fault.name != "flash_full":
            self.fail("the flash is full, and this is not reported")

    def _time_has_passed(self, ms):
        self.world.timeline.look()
        if self.injected_ms is not None and self.app:
            self._look_at_room()
        late = self.loop.grain_ms
        for outlet in self.outlets:
            number = outlet.number
            if outlet.vehicle.state in ("C", "D"):
                self._ready[number] = ms
            if not outlet.contactor.coil:
                continue
            if ms - self._acted.get(number, self._boot_ms) > _CONTROL_MS + late:
                self.fail("connector %d: contactor closed without control" % number)
            if ms - self._ready.get(number, ms) > _ANSWER_MS + 2 * late:
                self.fail("connector %d: contactor closed and no vehicle asks for it" % number)


class _Meter:
    """The energy meter of an outlet, without its line."""

    def __init__(self, outlet):
        self._outlet = outlet

    async def read(self):
        from firmware.kernel.reading import Reading

        await asyncio.sleep(0.03)
        shown = self._outlet.meter_shows()
        return Reading(
            energy_wh=shown.imported_uj // 3_600_000_000,
            power_w=sum(shown.powers_mw) // 1000,
            currents_ma=shown.currents_ma,
            voltages_mv=shown.voltages_mv,
            frequency_mhz=50_000,
        )


class Reader:
    """A card reader without its line."""

    reverse = False
    shorten = True

    def __init__(self):
        from firmware.kernel.signal import Signal

        self.card = Signal()
        self.refused = Signal()
        self.health = Signal()

    async def run(self, beat):
        while True:
            beat()
            await asyncio.sleep(2)


def _pilot(real, outlets):
    """Returns a Pilot that measures each half-wave at once and exactly."""
    if hasattr(real, "outlets"):
        real = real.__mro__[1]

    class Pilot(real):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            source = self._read_uv.__self__._source
            self._circuit = next(outlet.pilot for outlet in outlets if outlet.pilot_uv == source)

        def sample(self):
            circuit = self._circuit
            if circuit.high_us >= 1000:
                return circuit.high_mv, circuit.high_mv
            if circuit.high_us == 0:
                return circuit.low_mv, circuit.low_mv
            return circuit.high_mv, circuit.low_mv

    Pilot.outlets = outlets
    return Pilot


def _connection(central, log):
    from tools.sweep.central import Connection

    return Connection(central, log)


def install_board():
    """Makes the modules of MicroPython and of the board importable."""
    sys.modules["micropython"] = types.ModuleType("micropython")
    sys.modules["micropython"].const = lambda value: value
    gc.mem_alloc = gc.mem_free = lambda: 100_000
    gc.threshold = lambda bytes=0: None
    gc.collect = lambda: 0  # a forked child ends before its heap is full
    for name in ("machine", "network"):
        spec = importlib.util.spec_from_file_location(name, _DEVICE / (name + ".py"))
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    if str(_ROOT / "lib") not in sys.path:
        sys.path.insert(0, str(_ROOT / "lib"))
