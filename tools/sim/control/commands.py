# What a tester can do to the simulated charger. MIT license.
"""The commands of the control socket: arguments are checked here, effects are those of the world or the firmware."""

import asyncio

from tools.sim.control.server import CommandError
from tools.sim.world.circuit import CABLE_OHM
from tools.sim.world.outlet import FAULTS

_PROTOCOL = 1
_NUMBER = (int, float)
_MAX_TOKEN = 20  # characters, OCPP 1.6 §7.28 CiString20
_MAX_VENDOR_CODE = 50  # characters, OCPP 1.6 §6.47
_MAX_WH = 999_999_999
_CARD_DIGITS = (8, 14, 20)
_RANDOM_ID = "08"  # a four-byte id with this first byte is made up by the card, a reader ignores it
_CASCADE_TAG = "88"  # cannot begin an id of four bytes
_MOVES_VEHICLE = ("plug", "unplug", "cp", "load")
_LEVELS = ("debug", "info", "warning", "error")


def argument(request, name, kind, default=None, required=True):
    """Returns an argument of the wanted type. Raises CommandError."""
    value = request.get(name)
    if value is None:
        if default is None and required:
            raise CommandError("%s is missing" % name)
        return default
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise CommandError("%s has the wrong type" % name)
    return value


def choice(request, name, values):
    value = request.get(name)
    if isinstance(value, bool) or value not in values:
        raise CommandError("%s is one of %s" % (name, ", ".join(str(v) for v in values)))
    return value


def number(request, name, low, high, default=None):
    value = argument(request, name, _NUMBER, default)
    if not low <= value <= high:
        raise CommandError("%s is from %s to %s" % (name, low, high))
    return value


def text(request, name, longest, required=True):
    value = argument(request, name, str, required=required)
    if value is not None and not 1 <= len(value) <= longest:
        raise CommandError("%s has 1 to %d characters" % (name, longest))
    return value


class Commands:
    """`charger` is the simulator's Charger (run.py), with the world, the firmware and the process in its hands."""

    def __init__(self, charger):
        self._charger = charger
        self._world = charger.world

    def handle(self, client, request):
        name = request["cmd"]
        method = _TABLE.get(name)
        if not method:
            raise CommandError("unknown command %s" % name[:40])
        self._world.timeline.now()
        reply = method(self, client, request) or {}
        if name in _MOVES_VEHICLE:
            self._charger.keep_vehicles()
        return reply

    def _outlet(self, request):
        index = argument(request, "connector", int, 1)
        if not 1 <= index <= len(self._world.outlets):
            raise CommandError("no connector %d" % index)
        return self._world.outlets[index - 1]

    def _firmware(self):
        if self._charger.app is None:
            raise CommandError("the firmware does not run")
        return self._charger.app

    def hello(self, client, request):
        charger = self._charger
        return {
            "proto": _PROTOCOL,
            "fw": charger.version,
            "connectors": len(self._world.outlets),
            "pid": charger.pid,
        }

    def subscribe(self, client, request):
        client.subscribed = True
        return {"state": self._charger.snapshot()}

    def state(self, client, request):
        return self._charger.snapshot()

    # The vehicle.

    def plug(self, client, request):
        outlet = self._outlet(request)
        cable_a = argument(request, "cable_a", int, 32)
        if cable_a not in CABLE_OHM:
            raise CommandError("cable_a is one of 13, 20, 32, 63")
        outlet.plug(cable_a if outlet.lock else None)

    def unplug(self, client, request):
        self._outlet(request).unplug()

    def cp(self, client, request):
        outlet = self._outlet(request)
        state = request.get("state")
        if isinstance(state, dict):
            volts = number(state, "volts", -12, 12)
            outlet.force_pilot(int(volts * 1000), argument(state, "diode", bool, True))
        else:
            outlet.set_vehicle(choice(request, "state", ("A", "B", "C", "D", "E", "F")))

    def load(self, client, request):
        outlet = self._outlet(request)
        volts = number(request, "volts", 0, 500, 230)
        amps = request.get("amps")
        if isinstance(amps, list):
            if len(amps) != 3:
                raise CommandError("amps is a number or a list of 3")
            values = [number({"amps": value}, "amps", 0, 200) for value in amps]
        else:
            value = number(request, "amps", 0, 200)
            phases = argument(request, "phases", int, outlet.phases)
            if not 1 <= phases <= 3:
                raise CommandError("phases is from 1 to 3")
            values = [value if phase < phases else 0 for phase in range(3)]
        values = [value if phase < outlet.phases else 0 for phase, value in enumerate(values)]
        outlet.set_load(tuple(int(value * 1000 + 0.5) for value in values), int(volts * 1000))

    # Devices of the station.

    def meter(self, client, request):
        outlet = self._outlet(request)
        wh = argument(request, "wh", int, required=False)
        add_wh = argument(request, "add_wh", int, required=False)
        frozen = argument(request, "frozen", bool, required=False)
        fail = argument(request, "fail", bool, required=False)
        outlet.count_energy()
        register = outlet.register
        if not 0 <= (register.wh if wh is None else wh) + (add_wh or 0) <= _MAX_WH:
            raise CommandError("the register is from 0 to %d" % _MAX_WH)
        if wh is not None:
            register.wh = wh
        if add_wh is not None:
            register.add_wh(add_wh)
        if frozen is not None:
            outlet.freeze_meter(frozen)
        if fail is not None:
            outlet.set_fault("meter_fail", fail)
        return {"wh": register.wh}

    def rfid(self, client, request):
        token = text(request, "token", _MAX_TOKEN)
        connectors = argument(request, "connectors", list, required=False)
        for index in connectors or ():
            self._outlet({"connector": index})
        reader = self._charger.reader
        if reader and reader.dead:
            return
        if reader and connectors is None and _is_card(token):
            try:
                reader.show(bytes.fromhex(token))
            except ValueError as exc:
                raise CommandError(str(exc))
        else:
            asyncio.create_task(self._firmware().station.swipe(token, connectors))

    def button(self, client, request):
        outlet = self._outlet(request)
        outlet.press(choice(request, "name", ("stop", "emergency")), argument(request, "on", bool, required=False))

    def fault(self, client, request):
        outlet = self._outlet(request)
        name = choice(request, "name", FAULTS + ("reader_fail", "other"))
        on = argument(request, "on", bool, True)
        vendor_code = text(request, "vendor_code", _MAX_VENDOR_CODE, required=False)
        if name == "reader_fail":
            if not self._charger.reader:
                raise CommandError("the reader is not the built-in one")
            self._charger.reader.dead = on
        elif name == "other":
            evse = self._firmware().evses[outlet.number - 1]
            if on:
                evse.raise_fault("other", vendor_code)
            else:
                evse.clear_fault("other")
        else:
            outlet.set_fault(name, on)

    # Network and time.

    def ws(self, client, request):
        action = choice(request, "action", ("connect", "close"))
        connection = self._firmware().connection
        if action == "connect":
            connection.reconnect()
        else:
            connection.drop("closed by the tester")

    def net(self, client, request):
        self._charger.set_network(argument(request, "up", bool))

    def clock(self, client, request):
        unix = argument(request, "unix", _NUMBER, required=False)
        rate = argument(request, "rate", _NUMBER, required=False)
        drift_ppm = argument(request, "drift_ppm", int, required=False)
        lost = argument(request, "lost", bool, required=False)
        if unix is not None and not 946684800 <= unix < 4102444800:
            raise CommandError("unix is in this century")
        try:
            self._charger.clock.set_speed(rate, drift_ppm)
        except ValueError as exc:
            raise CommandError(str(exc))
        if unix is not None:
            self._charger.set_time(int(unix))
        if lost:
            self._charger.lose_time()

    # The firmware.

    def set_key(self, client, request):
        settings = self._firmware().settings
        key = argument(request, "key", str)
        try:
            return {"needs": settings.set_text(key, argument(request, "value", str), "installer")}
        except ValueError as exc:
            raise CommandError("%s: %s" % (type(exc).__name__, exc))

    def auth_cache(self, client, request):
        token = text(request, "token", _MAX_TOKEN)
        status = choice(request, "status", ("Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx"))
        parent = text(request, "parent", _MAX_TOKEN, required=False)
        self._charger.preload(token, status, argument(request, "expiry", (int, str), required=False), parent)

    def gaps(self, client, request):
        """How late the control task has been since the last reset, in ms of board time."""
        gaps = self._firmware().supervisor.gaps
        reply = {"count": gaps.count, "p50": gaps.quantile_ms(500), "p999": gaps.p999_ms, "max": gaps.max_ms}
        if argument(request, "reset", bool, False):
            gaps.reset()
        return reply

    def health(self, client, request):
        """What the station says of itself, and what its flash has really done since power-on."""
        chip = self._charger.flash
        figures = self._firmware().health.snapshot()
        figures["chip"] = {"erases": chip.erases, "programmed": chip.bytes_programmed}
        return figures

    def cut(self, client, request):
        at = request.get("at", "now")
        if at == "now":
            self._charger.kill()
        elif at == "next_flash_write":
            self._charger.flash.cut_after(0)
        elif isinstance(at, int) and not isinstance(at, bool) and at >= 0:
            self._charger.flash.cut_after(at)
        else:
            raise CommandError("at is now, next_flash_write or a number of bytes")

    def reset(self, client, request):
        self._charger.end_soon("watchdog", "control")

    def exit(self, client, request):
        self._charger.end_soon("exit", "control")

    def log(self, client, request):
        self._charger.set_log_level(choice(request, "level", _LEVELS))


def _is_card(token):
    """Returns True for a token that a reader can report letter by letter: the id of a real card, in upper case."""
    if len(token) not in _CARD_DIGITS or any(char not in "0123456789ABCDEF" for char in token):
        return False
    return len(token) > 8 or token[:2] not in (_RANDOM_ID, _CASCADE_TAG)


_NAMES = (
    "hello subscribe state plug unplug cp load meter rfid button fault "
    "ws net clock set_key auth_cache gaps health cut reset exit log"
)
_TABLE = {name: getattr(Commands, name) for name in _NAMES.split()}
