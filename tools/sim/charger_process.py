# The process of the simulated charger. MIT license.
"""Builds world, flash and control socket, runs the firmware above them and ends the process as the board would.

Runs in the MicroPython unix port only, with the shadow modules of tools/sim/device first on sys.path.
"""

import asyncio
import json
import os
import select
import socket
import sys
import time
from asyncio import core

import machine
import network
import vfs
from micropython import const

import tools.sim.config as configuration
from firmware.version import VERSION
from tools.sim.control.bridge import Bridge
from tools.sim.control.commands import Commands
from tools.sim.control.server import Server
from tools.sim.signals import open_signals
from tools.sim.world import eventloop, flash
from tools.sim.world.meter_emulator import MeterBus
from tools.sim.world.pn532_emulator import Pn532
from tools.sim.world.record import Record
from tools.sim.world.uart import TtyLine
from tools.sim.world.vehicle import Register
from tools.sim.world.world import UART_METER, UART_READER, World

EXIT_CODES = {"exit": 0, "soft": 64, "hard": 65, "watchdog": 66}
_CAUSES = {"soft": machine.SOFT_RESET, "hard": machine.HARD_RESET, "watchdog": machine.WDT_RESET}

_WATCHDOG_CHECK_MS = const(500)
_KEEP_CLOCK_MS = const(1000)
_FIRST_WORDS_MS = const(60)  # for a tester to connect and subscribe
_LISTEN_MS = const(20)
_GOODBYE_MS = const(50)  # so that the last events are on their way
_MAX_LOG_LINE = const(1000)


class Charger:
    """The simulated charger as the control socket sees it. Raises OSError when it cannot be built."""

    def __init__(self, config, directory, host, port, mount_point="/flash"):
        self.server = None  # until it can be heard
        self._config = config
        self._directory = directory
        self._make_directory()
        self.clock = time.board_clock
        eventloop.install(self.clock)
        self._restore_clock()
        self.clock.set_speed(config["sim"]["time_rate"])
        hw = config["hw"]
        self.registers = self._restore_registers(config["sim"]["meter_wh"])
        self.world = World(
            self.clock.ms, self.emit, hw["connectors"], hw["cable"] == "socket", hw["phases"], self.registers
        )
        self.world.timeline.arrange = self._arrange
        self._restore_vehicles()
        self.reader = None
        self._connect_lines(config["uart"])
        self.bridge = Bridge(self.world, self.clock, self.emit)
        self.server = Server(host, port, Commands(self).handle, self.clock.ms)
        self._tell_flash = False
        self.flash = flash.mount(directory, config["sim"]["flash_kib"], vfs, mount_point, self.kill, self._flash_used)
        machine.attach(self.world, self._reset_now, self._reset_cause(), config["sim"]["adc_noise_mv"] * 110)
        network.attach(self.world)
        self.pid = _own_pid()
        self.version = config["identity"]["firmware"] or VERSION
        self._ending = asyncio.Event()
        self._end = None
        self._console = select.poll()
        self._console.register(sys.stderr, select.POLLOUT)

    # Life and death.

    def run(self):
        """Runs until the firmware, a tester, SIGTERM or SIGINT ends it; returns the exit code."""
        return self._leave(asyncio.run(self._main()))

    async def _main(self):
        signals = open_signals()
        if signals:
            asyncio.create_task(self._watch_signals(signals))
        # The firmware first: who can connect is answered at once, and building it takes longer than that.
        self._firmware = asyncio.create_task(self._run_firmware())
        for task in self.background():
            asyncio.create_task(task)
        return await self._stop()

    def background(self):
        """Returns the coroutines that serve the board for as long as there is power."""
        return self.server.run(), self._watch_watchdog(), self._keep_clock()

    async def _stop(self):
        """Waits for the end, and leaves the firmware time for what belongs to it."""
        await self._ending.wait()
        if self._end == "exit":
            self._firmware.cancel()
            await self._firmware
        self.emit("exit", {"kind": self._end, "code": EXIT_CODES[self._end]})
        self.server.mute()
        await asyncio.sleep_ms(int(_GOODBYE_MS * self.clock.rate))
        return self._end

    async def _run_firmware(self):
        try:
            app = self._build()
            self.bridge.attach(app)
            await self._leave_time_to_subscribe()
            kind = await app.run()
        except asyncio.CancelledError:
            return  # an orderly stop
        except Exception as exc:
            # The tester can still ask what the hardware does; the board itself would hang in the REPL.
            self.console("the firmware has died:")
            sys.print_exception(exc, sys.stderr)
            return
        self._end = kind if kind in EXIT_CODES else "exit"
        self._ending.set()

    async def _leave_time_to_subscribe(self):
        """Waits until somebody listens, or for a moment: the first things that happen are worth hearing of."""
        for _ in range(_FIRST_WORDS_MS // _LISTEN_MS):
            if self.server.has_subscribers:
                break
            await asyncio.sleep_ms(int(_LISTEN_MS * self.clock.rate) or 1)

    def _build(self):
        from firmware.app import App
        from firmware.boards import simulated
        from firmware.boards.board import Board

        hw = self._config["hw"]
        board = Board(
            simulated,
            {
                "connectors": hw["connectors"],
                "cable": hw["cable"],
                "max_a": hw["max_a"],
                "phases": hw["phases"],
            },
        )
        return App(
            board,
            storage="/flash",
            factory=configuration.factory(self._config),
            provision=self._config["keys"],
            log_sink=self._log,
        )

    @property
    def app(self):
        return self.bridge.app

    def end_soon(self, kind, by):
        """Ends the process after the reply is out: a watchdog's reset, or an orderly stop."""
        if kind != "exit":
            self.emit("reset", {"kind": kind, "by": by})
            self.flash.off = True  # a watchdog lets nobody finish
        self._end = kind
        self._ending.set()

    def _reset_now(self, kind):
        """machine.reset() and its like, and a watchdog that bites."""
        self.flash.off = True
        self.emit("reset", {"kind": kind, "by": "board"})
        self.emit("exit", {"kind": kind, "code": EXIT_CODES[kind]})
        sys.exit(self._leave(kind))

    def _leave(self, kind):
        self._save_registers()
        if kind in _CAUSES:
            with open(self._directory + "/reset_cause", "w") as file:
                file.write(kind)
        return EXIT_CODES[kind]

    def kill(self):
        """The power goes: no handler, no flush, no farewell."""
        self._save_registers()
        self._clock_record.save(*self.clock.keep())
        os.system("kill -9 $PPID")

    def _reset_cause(self):
        path = self._directory + "/reset_cause"
        try:
            with open(path) as file:
                kind = file.read()
            os.remove(path)
        except OSError:
            return machine.PWRON_RESET
        return _CAUSES.get(kind, machine.PWRON_RESET)

    async def _watch_signals(self, signals):
        come = select.poll()
        come.register(signals, select.POLLIN)
        while not come.poll(0):  # a network that goes down wakes everybody who waits for a stream
            yield core._io_queue.queue_read(signals)
        self.end_soon("exit", "signal")

    async def _watch_watchdog(self):
        while True:
            await asyncio.sleep_ms(_WATCHDOG_CHECK_MS)
            if machine.WDT.active:
                machine.WDT.active.check()

    # Hardware.

    def _make_directory(self):
        try:
            os.mkdir(self._directory)
        except OSError:
            os.listdir(self._directory)  # raises if it is not a directory

    def _connect_lines(self, paths):
        lines = self.world.lines
        if paths["meter"]:
            lines[UART_METER] = _tty(paths["meter"], "meter")
        else:
            MeterBus(lines[UART_METER], self.world.timeline, self.world.outlets, self._save_registers)
        if paths["rfid"]:
            lines[UART_READER] = _tty(paths["rfid"], "rfid")
        else:
            self.reader = Pn532(lines[UART_READER], self.world.timeline)

    def _arrange(self, delay_ms):
        asyncio.create_task(self._look_again(delay_ms))

    async def _look_again(self, delay_ms):
        await asyncio.sleep_ms(delay_ms)
        self.world.timeline.look()

    def _restore_registers(self, delivered_wh):
        """Returns a Register for each connector: what a meter has shown never becomes less."""
        self._register_record = Record(self._directory + "/meters.bin", len(delivered_wh))
        kept = self._register_record.values or (0,) * len(delivered_wh)
        registers = [Register(wh) for wh in delivered_wh]
        for index, register in enumerate(registers):
            register.uj = max(register.uj, kept[index])
        return registers

    def _save_registers(self, _=None):
        self._register_record.save(*[register.uj for register in self.registers])

    def keep_vehicles(self):
        """Remembers what is plugged in, for a configuration in which it stays while the power is off."""
        if self._vehicle_file:
            with open(self._vehicle_file + ".new", "w") as file:
                json.dump([outlet.vehicle_state() for outlet in self.world.outlets], file)
            os.rename(self._vehicle_file + ".new", self._vehicle_file)

    def _restore_vehicles(self):
        self._vehicle_file = self._directory + "/vehicles.json" if self._config["sim"]["keep_vehicle"] else None
        if self._vehicle_file:
            try:
                with open(self._vehicle_file) as file:
                    states = json.load(file)
            except OSError:
                return  # nothing was ever plugged in
            for outlet, state in zip(self.world.outlets, states):  # noqa: B905
                outlet.restore_vehicle(*state)

    def _restore_clock(self):
        self._clock_record = Record(self._directory + "/rtc.bin", 3)
        if self._clock_record.values:
            self.clock.restore(*self._clock_record.values)

    async def _keep_clock(self):
        # Its battery lets the real-time clock go on; in fast time it must not fall back to the host's.
        while True:
            self._clock_record.save(*self.clock.keep())
            await asyncio.sleep_ms(_KEEP_CLOCK_MS)

    def set_time(self, unix):
        """Sets the real-time clock, and the firmware takes the time from it as at power-on."""
        self.clock.set_unix(unix)
        self.clock.lost = False
        self._clock_record.save(*self.clock.keep())
        if self.app:
            self.app.clock.source = "none"
            self.app.clock.set_unix(unix, "rtc")
        else:
            self.emit("clock", {"unix": unix, "source": "rtc"})

    def lose_time(self):
        """The battery of the real-time clock is gone, and the firmware has had no time since power-on."""
        self.clock.lose()
        self._clock_record.save(*self.clock.keep())
        if self.app:
            self.app.clock.source = "none"

    def set_network(self, up):
        self.world.network_up = up
        socket.set_network(up)
        if not up:
            core._io_queue.wake_all()

    def preload(self, token, status, expiry, parent):
        from firmware.charging.authorisation import TokenInfo
        from firmware.kernel.clock import parse_iso8601

        if isinstance(expiry, str):
            expiry = parse_iso8601(expiry)
        self.app.cache.put(token, TokenInfo(status, expiry, parent))

    # What is told.

    def emit(self, name, fields):
        if self.server and self.server.has_subscribers:
            self.server.emit(name, fields)

    def snapshot(self):
        return self.bridge.snapshot()

    def set_log_level(self, name):
        from firmware.kernel.log import level_of

        self._tell_flash = name == "debug"
        if self.app:
            self.app.log.level = level_of(name)

    def _flash_used(self, operation, count):
        if self._tell_flash:
            self.emit("flash", {"op": operation, "file": "flash.img", "bytes": count})

    def _log(self, line):
        unix, level, area, text = line
        self.console("%d %s %s" % (unix, area, text))

    def console(self, text):
        """Writes a line to stderr, unless whoever holds the other end of the pipe does not read."""
        if self._console.poll(0):
            sys.stderr.write(text[:_MAX_LOG_LINE] + "\n")


def _tty(path, name):
    """Returns the line to a tty of the host that the configuration names."""
    try:
        return TtyLine(path)
    except OSError as exc:
        raise configuration.ConfigError("hw.uart.%s: %s is no tty that can be used: %s" % (name, path, exc))


def _own_pid():
    with open("/proc/self/stat") as file:
        return int(file.read(64).split(" ")[0])
