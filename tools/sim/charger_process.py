# The process of the simulated charger. MIT license.
"""Process of the simulated charger: builds world, flash and control socket, runs the firmware, ends as a board does.

Runs in the MicroPython unix port only, with the shadow modules of tools/sim/device first on sys.path.
"""

import _thread
import asyncio
import os
import select
import socket
import sys
import time
from asyncio import core

import esp32
import machine
import network
import vfs
from micropython import const

import tools.sim.config as configuration
import tools.sim.flash_boot as flash_boot
from firmware.version import VERSION
from tools.sim.claim import claim
from tools.sim.control import messages
from tools.sim.control.bridge import Bridge
from tools.sim.control.commands import Commands
from tools.sim.control.server import Server
from tools.sim.kept import CAUSES, Kept
from tools.sim.signals import end_process, open_signals
from tools.sim.world import eventloop, flash
from tools.sim.world.em4100_emulator import Em4100
from tools.sim.world.field import Field
from tools.sim.world.meter_emulator import MeterBus
from tools.sim.world.pn532_emulator import Pn532
from tools.sim.world.terminal import Always, Terminal
from tools.sim.world.uart import TtyLine
from tools.sim.world.world import DIRECTION_PIN, UART_METER, UART_READER, World

EXIT_CODES = {"exit": 0, "soft": 64, "hard": 65, "watchdog": 66}

_WATCHDOG_CHECK_MS = const(500)
_WATCHDOG_LOOK_MS = const(200)
_KEEP_CLOCK_MS = const(1000)
_FIRST_WORDS_MS = const(60)  # for a client to connect and subscribe
_LISTEN_MS = const(20)
_GOODBYE_MS = const(50)  # for the last events to be sent
_MAX_LOG_LINE = const(1000)
_EADDRINUSE = const(98)
_EACCES = const(13)


class Charger:
    """The simulated charger, for the control socket. Raises OSError or claim.Claimed when it cannot be built.

    collector   the collector.Collections that counts garbage collections
    tied        stdin is a pipe from the parent process; its end is a power loss
    """

    def __init__(self, config, directory, host, port, mount_point="/flash", collector=None, tied=False):
        self.server = None  # until it is opened
        self._config = config
        self._tied = tied
        self.kept = Kept(directory, config["sim"]["keep_vehicle"])
        self._claim = claim(directory)
        self.clock = time.board_clock
        sim = config["sim"]
        eventloop.install(self.clock, sim["wake_ms"])
        self.kept.clock(self.clock)
        self.clock.set_speed(sim["time_rate"])
        hw = config["hw"]
        registers = self.kept.registers(config["sim"]["meter_wh"])
        self.world = World(
            self.clock.ms,
            self.emit,
            hw["connectors"],
            hw["cable"] == "socket",
            hw["phases"],
            registers,
            self.clock.us if sim["direction_pin"] else None,
        )
        self.world.timeline.arrange = self._arrange
        self.field = Field(self.world.timeline)
        self.readers = ()  # the built-in ones: a Pn532 and an Em4100
        self._connect_lines(config["uart"])
        self.kept.attach(self.world.outlets, self.readers)
        self.version = config["identity"]["firmware"] or VERSION
        self.bridge = Bridge(self.world, self.clock, self.emit, self.version, collector)
        self.server = _listen(host, port, Commands(self).handle, self.clock.ms)
        self._tell_flash = self._tell_log = self._time_told = False
        self.flash = flash.mount(directory, config["sim"]["flash_kib"], vfs, mount_point, self.kill, self._flash_used)
        self.flash.cut_after(self.kept.take_cut())
        machine.attach(
            self.world,
            self._reset_now,
            self.kept.take_cause(),
            noise_uv=sim["adc_noise_mv"] * 110,
            adc_us=sim["adc_us"],
            pwm_phase_us=sim["pwm_phase_us"],
        )
        if not hw["psram"]:
            esp32.remove_psram()
        network.attach(self.world)
        self.pid = _own_pid()
        self._ending = asyncio.Event()
        self._end = None
        self._console = select.poll()
        self._console.register(sys.stderr, select.POLLOUT)

    # Start and end.

    def run(self):
        """Runs until the firmware, a command, SIGTERM or SIGINT ends it; returns the exit code."""
        return self._leave(asyncio.run(self._main()))

    async def _main(self):
        signals = open_signals()
        if signals:
            asyncio.create_task(self._watch_signals(signals))
        if self._tied:
            asyncio.create_task(self._watch_parent())
        # The firmware first: clients that can connect are answered at once, and building takes longer than that.
        self._firmware = asyncio.create_task(self._run_firmware())
        for task in self.background():
            asyncio.create_task(task)
        return await self._stop()

    def background(self):
        """Returns the coroutines that simulate the board while the power is on."""
        return self.server.run(), self._watch_watchdog(), self._keep_clock()

    async def _stop(self):
        """Waits for the end, with time for an orderly stop of the firmware."""
        await self._ending.wait()
        if self._end == "exit":
            self._firmware.cancel()
            await self._firmware
        self.emit("exit", {"kind": self._end, "code": EXIT_CODES[self._end]})
        self.server.mute()
        await asyncio.sleep_ms(int(_GOODBYE_MS * self.clock.rate))
        return self._end

    # Start from the flash instead: what lies on it runs, as on a board.

    def run_flash(self):
        """Boots from the flash and runs until what lies on it, a command or a signal ends it; returns the exit code.

        Where a board would show its REPL, the hardware alone goes on.
        """
        asyncio.create_task(self._end_board())
        if self._tied:
            asyncio.create_task(self._watch_parent())
        flash_boot.become_board(self)
        _thread.start_new_thread(self._bite, ())  # which inherits what signals do by now
        try:
            if not isinstance(flash_boot.boot(self), KeyboardInterrupt):
                asyncio.run(self._ending.wait())
        except KeyboardInterrupt:
            pass  # a signal or the command exit, where no firmware runs
        return self._leave("exit")

    def _bite(self):
        """A thread: ends the process when the watchdog was not fed, in an endless loop as well."""
        while True:
            time.utime.sleep_ms(_WATCHDOG_LOOK_MS)
            if machine.WDT.active and machine.WDT.active.overdue():
                self.kept.set_cause("watchdog")
                end_process()
                self.kill()  # not on x86-64

    async def _end_board(self):
        """Does what a command wants: a watchdog reset at once, an orderly stop as Ctrl-C on a board."""
        await self._ending.wait()
        if self._end == "exit":
            raise KeyboardInterrupt
        self._reset_now(self._end)

    def show(self, app):
        """Takes the App that the firmware on the flash has built."""
        self._ignore_backend_time(app.clock)
        self.bridge.attach(app)
        for line in app.log.lines():
            self.bridge.logged(line, False)
        sink = app.log.sink

        def tell(line):
            self.bridge.logged(line, self._tell_log)
            sink(line)

        app.log.sink = tell

    async def _run_firmware(self):
        try:
            app = self._build()
            messages.watch(lambda: self.server.wants_messages, self._message)
            self._ignore_backend_time(app.clock)
            self.bridge.attach(app)
            await self._leave_time_to_subscribe()
            kind = await app.run()
        except asyncio.CancelledError:
            return  # an orderly stop
        except Exception as exc:
            # Commands still work for the hardware; a real board would be in the REPL.
            self.console("the firmware has failed:")
            sys.print_exception(exc, sys.stderr)
            return
        self._end = kind if kind in EXIT_CODES else "exit"
        self._ending.set()

    async def _leave_time_to_subscribe(self):
        """Waits a moment for a subscriber, so that it gets the first events."""
        for _ in range(_FIRST_WORDS_MS // _LISTEN_MS):
            if self.server.has_subscribers:
                break
            await asyncio.sleep_ms(int(_LISTEN_MS * self.clock.rate) or 1)

    def _build(self):
        from firmware.app import App
        from firmware.boards import simulated
        from firmware.boards.board import Board

        hw = self._config["hw"]
        layout = dict(simulated.LAYOUT)
        if self._config["sim"]["direction_pin"]:
            layout["meter_bus"] = dict(layout["meter_bus"], direction=DIRECTION_PIN)
        board = Board(
            layout,
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
            log_sink=self._log_sink(),
        )

    @property
    def app(self):
        return self.bridge.app

    def end_soon(self, kind, by):
        """Ends the process after the reply was sent: a watchdog's reset, or an orderly stop."""
        if kind != "exit":
            self.emit("reset", {"kind": kind, "by": by})
            self.flash.off = True  # a watchdog reset finishes nothing
        self._end = kind
        self._ending.set()

    def _reset_now(self, kind):
        """machine.reset() and the like, and a watchdog reset."""
        self.flash.off = True
        self.emit("reset", {"kind": kind, "by": "board"})
        self.emit("exit", {"kind": kind, "code": EXIT_CODES[kind]})
        sys.exit(self._leave(kind))

    def _leave(self, kind):
        try:
            self.kept.save()
            if kind in CAUSES:
                self.kept.set_cause(kind)
        except OSError as exc:
            self.console("the state of the hardware is not saved: %s" % exc)
        return EXIT_CODES[kind]

    def kill(self):
        """Power loss: no handler, no flush."""
        try:
            self.kept.save()
            self.kept.save_clock()
        except OSError:
            pass  # for example a full disk: the power is lost anyway
        os.system("kill -9 $PPID")

    async def _watch_parent(self):
        """Ends the charger when its parent process has ended in any way."""
        yield core._io_queue.queue_read(sys.stdin)
        self.kill()

    async def _watch_signals(self, signals):
        yield core._io_queue.queue_read(signals)
        self.end_soon("exit", "signal")

    async def _watch_watchdog(self):
        while True:
            await asyncio.sleep_ms(_WATCHDOG_CHECK_MS)
            if machine.WDT.active:
                machine.WDT.active.check()
            self.bridge.look_at_collections()

    # Hardware.

    def _connect_lines(self, paths):
        lines, timeline = self.world.lines, self.world.timeline
        if paths["meter"]:
            lines[UART_METER] = _tty(paths["meter"], "meter")
        else:
            # With a direction pin the meter answers at once: a driver that releases the line late cuts the answer.
            turnaround = {"turnaround_ms": 0} if self._config["sim"]["direction_pin"] else {}
            MeterBus(lines[UART_METER], timeline, self.world.outlets, self.kept.save_registers, **turnaround)
        if paths["rfid"]:
            lines[UART_READER] = _tty(paths["rfid"], "rfid")
        else:
            line = lines[UART_READER]
            self.readers = Pn532(line, timeline, self.field), Em4100(line, timeline, self.field)
            _share(line, *self.readers)

    def _arrange(self, delay_ms):
        asyncio.create_task(self._look_again(delay_ms))

    async def _look_again(self, delay_ms):
        await asyncio.sleep_ms(delay_ms)
        self.world.timeline.look()

    async def _keep_clock(self):
        # The battery keeps the real-time clock running; in fast time it must not fall back to the host's time.
        while True:
            try:
                self.kept.save_clock()
            except OSError as exc:
                self.console("the time is not saved: %s" % exc)
            await asyncio.sleep_ms(_KEEP_CLOCK_MS)

    def _ignore_backend_time(self, clock):
        """Ignores the time of a central system in real time, at a rate other than 1."""
        set_unix = clock.set_unix

        def take(unix, source, ms=0):
            own = self.clock.rate != 1 or self._config["sim"]["keep_clock"]
            if source == "ocpp" and own and clock.synchronised:
                if not self._time_told:
                    self._time_told = True
                    why = "runs at rate %s" % self.clock.rate if self.clock.rate != 1 else "has sim.keep_clock"
                    self.app.log.warning("sim", "the board %s: the back-end's time is ignored", why)
                return
            self._time_told = False
            set_unix(unix, source, ms)

        clock.set_unix = take

    def set_time(self, unix):
        """Sets the real-time clock; the firmware takes the time from it as at power-on."""
        self.clock.set_unix(unix)
        self.clock.lost = False
        self.kept.save_clock()
        if self.app:
            self.app.clock.source = "none"
            self.app.clock.set_unix(unix, "rtc")
        else:
            self.emit("clock", {"unix": unix, "source": "rtc"})

    def lose_time(self):
        """The battery of the real-time clock is empty: the firmware has no time since power-on."""
        self.clock.lose()
        self.kept.save_clock()
        if self.app:
            self.app.clock.source = "none"

    def set_network(self, up):
        self.world.network_up = up
        socket.set_network(up)

    def preload(self, token, status, expiry, parent):
        from firmware.kernel.clock import parse_iso8601
        from firmware.ocpp.v16.words import verdict_of
        from firmware.store.tokens import TokenInfo, group_of

        if isinstance(expiry, str):
            expiry = parse_iso8601(expiry)
        self.app.stores.cache.put(token, TokenInfo(verdict_of(status), expiry, parent and group_of(parent)))

    # Events.

    def emit(self, name, fields):
        if self.server and self.server.has_subscribers:
            self.server.emit(name, fields)

    def _message(self, direction, text):
        self.emit("message", {"direction": direction, "text": text})

    def snapshot(self):
        return self.bridge.snapshot()

    def set_log_level(self, name):
        """From now on log lines of this level and above are events, too."""
        from firmware.kernel.log import level_of

        self._tell_flash = name == "debug"
        self._tell_log = True
        if self.app:
            self.app.log.level = level_of(name)

    def _flash_used(self, operation, count):
        if self._tell_flash:
            self.emit("flash", {"op": operation, "file": "flash.img", "bytes": count})

    def _log_sink(self):
        kind = self._config["sim"]["console"]
        if kind == "fast":
            return self._log
        from firmware.kernel.console import Console

        tell = self._tell

        class SlowConsole(Console):
            def __call__(self, line):
                tell(line)
                super().__call__(line)

        return SlowConsole(Terminal(kind, self.clock, self.console), time.ticks_ms, time.ticks_diff, poll=Always)

    def _log(self, line):
        unix, level, area, text = line
        self._tell(line)
        self.console("%d %s %s" % (unix, area, text))

    def _tell(self, line):
        self.bridge.logged(line, self._tell_log)

    def console(self, text):
        """Writes a line to stderr, unless the reader of the pipe does not read."""
        if self._console.poll(0):
            try:
                sys.stderr.write(text[:_MAX_LOG_LINE] + "\n")
            except OSError:
                pass  # a full disk or a closed pipe must not affect the firmware


def _listen(host, port, handle, ms):
    """Returns the Server. Raises OSError with a text for a person."""
    try:
        return Server(host, port, handle, ms)
    except (OSError, IndexError) as exc:
        reasons = {_EADDRINUSE: "the port is in use", _EACCES: "that port is not allowed"}
        why = reasons.get(getattr(exc, "errno", None), "this computer does not have this address")
        raise OSError("%s:%d: %s; choose another address with --control" % (host, port, why))


def _share(line, pn532, em4100):
    """Two readers on one line: the board receives from the one with its baud rate."""
    heard = line.on_write

    def written(data):
        if not em4100.listened_to:
            heard(data)

    line.on_write = written


def _tty(path, name):
    """Returns the line to the host's tty in the configuration."""
    try:
        return TtyLine(path)
    except OSError as exc:
        raise configuration.ConfigError("hw.uart.%s: %s cannot be used as a tty: %s" % (name, path, exc))


def _own_pid():
    with open("/proc/self/stat") as file:
        return int(file.read(64).split(" ")[0])
