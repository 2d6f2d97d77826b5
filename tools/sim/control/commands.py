# What a tester can do to the simulated charger. MIT license.
"""Commands of the control socket: checks arguments, acts on the world or the firmware."""

import asyncio

from tools.sim.control import hardware
from tools.sim.control.arguments import NUMBER, argument, choice, text, whole
from tools.sim.control.server import CommandError
from tools.sim.world.circuit import CABLE_OHM
from tools.sim.world.em4100_emulator import ID_BYTES

_PROTOCOL = 1
_MINOR = 1
_MAX_TOKEN = 20  # characters, OCPP 1.6 §7.28 CiString20
_CARD_DIGITS = (8, 14, 20)
_RANDOM_ID = "08"  # first byte of a random UID of four bytes, which a reader ignores
_CASCADE_TAG = "88"  # not possible as first byte of a UID of four bytes
_LEVELS = ("debug", "info", "warning", "error")
# Commands for parts of the firmware that do not exist yet.
_NOT_YET = ("wifi", "ethernet", "label")
_HELD_MS = {"portal": 3_000, "factory": 11_000}
_MOST_HELD_MS = 600_000
# Commands that may change the condition of the hardware, which is saved.
_CHANGES_WORLD = ("plug", "unplug", "rfid") + tuple(hardware.TABLE)


class Commands:
    """`charger` is the simulator's Charger (charger_process.py): world, firmware and process."""

    def __init__(self, charger):
        self.charger = charger
        self._world = charger.world

    def handle(self, client, request):
        name = request["cmd"]
        self._world.timeline.now()
        if name in hardware.TABLE:
            reply = hardware.TABLE[name](self, request)
        elif name in _TABLE:
            reply = _TABLE[name](self, client, request)
        elif name in _NOT_YET:
            raise CommandError("not yet")
        else:
            raise CommandError("unknown command %s" % name[:40])
        if name in _CHANGES_WORLD:
            try:
                self.charger.kept.save()
            except OSError as exc:
                raise CommandError("done, but not saved: %s" % exc)
        return reply or {}

    def outlet(self, request):
        index = argument(request, "connector", int, 1)
        if not 1 <= index <= len(self._world.outlets):
            raise CommandError("unknown connector %d" % index)
        return self._world.outlets[index - 1]

    def firmware(self):
        if self.charger.app is None:
            raise CommandError("the firmware is not running")
        return self.charger.app

    def hello(self, client, request):
        charger = self.charger
        return {
            "proto": _PROTOCOL,
            "minor": _MINOR,
            "fw": charger.version,
            "connectors": len(self._world.outlets),
            "pid": charger.pid,
            "portal": None,
            "portal_dns": None,
        }

    def subscribe(self, client, request):
        client.messages = argument(request, "messages", bool, False)
        client.subscribed = True
        return {"state": self.charger.snapshot()}

    def state(self, client, request):
        return self.charger.snapshot()

    # The vehicle.

    def plug(self, client, request):
        outlet = self.outlet(request)
        cable_a = argument(request, "cable_a", int, 32)
        vehicle = argument(request, "vehicle", bool, True)
        if cable_a not in CABLE_OHM:
            raise CommandError("cable_a must be one of 13, 20, 32, 63")
        if not outlet.lock and not vehicle:
            raise CommandError("a fixed cable cannot be plugged in alone")
        outlet.plug(cable_a if outlet.lock else None, vehicle)

    def unplug(self, client, request):
        self.outlet(request).unplug()

    def rfid(self, client, request):
        token = text(request, "token", _MAX_TOKEN)
        connectors = argument(request, "connectors", list, required=False)
        for index in connectors or ():
            self.outlet({"connector": index})
        if connectors is None and self.charger.readers and self._through_reader(token):
            return
        asyncio.create_task(self.firmware().station.swipe(token, connectors))

    def _through_reader(self, token):
        """Presents a card to the built-in reader; returns False for a token that is not a possible UID."""
        pn532, em4100 = self.charger.readers
        if pn532.dead:
            return True
        possible = len(token) == 2 * ID_BYTES and _is_hexadecimal(token) if em4100.listened_to else _is_card(token)
        if possible:
            try:
                self.charger.field.show(bytes.fromhex(token))
            except ValueError as exc:
                raise CommandError(str(exc))
        return possible

    # Network and time.

    def ws(self, client, request):
        action = choice(request, "action", ("connect", "close"))
        connection = self.firmware().link.connection
        if action == "connect":
            connection.reconnect()
        else:
            connection.drop("closed by a command")

    def net(self, client, request):
        self.charger.set_network(argument(request, "up", bool))

    def clock(self, client, request):
        unix = argument(request, "unix", NUMBER, required=False)
        rate = argument(request, "rate", NUMBER, required=False)
        drift_ppm = argument(request, "drift_ppm", int, required=False)
        lost = argument(request, "lost", bool, required=False)
        if unix is not None and not 946684800 <= unix < 4102444800:
            raise CommandError("unix must be in this century")
        try:
            self.charger.clock.set_speed(rate, drift_ppm)
        except ValueError as exc:
            raise CommandError(str(exc))
        if unix is not None:
            self.charger.set_time(int(unix))
        if lost:
            self.charger.lose_time()

    # The firmware.

    def set_key(self, client, request):
        settings = self.firmware().settings
        key = argument(request, "key", str)
        try:
            return {"needs": settings.set_text(key, argument(request, "value", str), "installer")}
        except ValueError as exc:
            raise CommandError("%s: %s" % (type(exc).__name__, exc))

    def auth_cache(self, client, request):
        token = text(request, "token", _MAX_TOKEN)
        status = choice(request, "status", ("Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx"))
        parent = text(request, "parent", _MAX_TOKEN, required=False)
        self.charger.preload(token, status, argument(request, "expiry", (int, str), required=False), parent)

    def gaps(self, client, request):
        """Lateness of the control task since the last reset, in ms of board time."""
        gaps = self.firmware().supervisor.gaps
        reply = {"count": gaps.count, "p50": gaps.quantile_ms(500), "p999": gaps.p999_ms, "max": gaps.max_ms}
        if argument(request, "reset", bool, False):
            gaps.reset()
        return reply

    def health(self, client, request):
        """Health figures of the station, and the actual erases and writes of its flash since power-on."""
        chip = self.charger.flash
        figures = self.firmware().health.snapshot()
        figures["chip"] = {"erases": chip.erases, "programmed": chip.bytes_programmed}
        return figures

    def press(self, client, request):
        """The service button: the portal opens from 2 s, the factory reset is from 10 s on."""
        held_ms = _HELD_MS[choice(request, "name", tuple(_HELD_MS))]
        self._world.press(whole(request, "ms", 1, _MOST_HELD_MS, held_ms))

    def update(self, client, request):
        slots = self.firmware().slots
        reply = {"slot": slots.running, "version": self.charger.version}
        reply["confirmed"], reply["boots"] = slots.confirmed, slots.boots
        return reply

    def cut(self, client, request):
        at = request.get("at", "now")
        if at == "now":
            self.charger.kill()
        elif at == "next_flash_write":
            self.charger.flash.cut_after(0)
        elif isinstance(at, int) and not isinstance(at, bool) and at >= 0:
            self.charger.flash.cut_after(at)
        else:
            raise CommandError("at must be now, next_flash_write or a number of bytes")

    def reset(self, client, request):
        self.charger.end_soon("watchdog", "control")

    def exit(self, client, request):
        self.charger.end_soon("exit", "control")

    def log(self, client, request):
        self.charger.set_log_level(choice(request, "level", _LEVELS))


def _is_hexadecimal(token):
    return all(char in "0123456789ABCDEF" for char in token)


def _is_card(token):
    """Returns True for a token that is a possible UID of a card, in upper case."""
    if len(token) not in _CARD_DIGITS or not _is_hexadecimal(token):
        return False
    return len(token) > 8 or token[:2] not in (_RANDOM_ID, _CASCADE_TAG)


_NAMES = (
    "hello subscribe state plug unplug rfid ws net clock set_key auth_cache gaps health press update cut reset exit log"
)
_TABLE = {name: getattr(Commands, name) for name in _NAMES.split()}
