# Commands that do something to the hardware of the simulated charger. MIT license.
"""Commands for the hardware: sensors, switchgear, supply, meter and reader. They last until the next command."""

from tools.sim.control.arguments import argument, choice, number, text, three, whole
from tools.sim.control.server import CommandError
from tools.sim.world import em4100_emulator
from tools.sim.world.meter import STATES
from tools.sim.world.meter_emulator import load_map
from tools.sim.world.outlet import FAULTS
from tools.sim.world.switchgear import AUX, BOLT, SELFTEST_MS

_MAX_VENDOR_CODE = 50  # characters, OCPP 1.6 §6.47
_MAX_WH = 999_999_999
_MAX_MV = 15_000  # at the CP terminal
_MAX_OHM = 10_000_000
_MAX_DELAY_MS = 60_000
_LAST_EXCEPTION = 11  # Modbus Application Protocol V1.1b3 §7
_MAX_HELD_MS = 600_000
_MAX_MODEL = 40
_LOWEST_DC, _HIGHEST_DC = -500, 2000
_CARD_BYTES = (4, 7, 10)  # ISO 14443-3: single, double and triple size
_WIRES = ("open", "short")
_NOT_YET = ("smgw_update", "smgw_full", "evcc_selftest", "evcc_lost")


def temp(commands, request):
    outlet = commands.outlet(request)
    outlet.set_temperature(_sensor(request, "dc", _LOWEST_DC, _HIGHEST_DC, int))


def pp(commands, request):
    outlet = commands.outlet(request)
    if not outlet.lock:
        raise CommandError("a fixed cable has no proximity contact")
    outlet.vehicle.pp = _sensor(request, "ohm", 0, _MAX_OHM, (int, float))


def _sensor(request, name, low, high, kind):
    value = request.get(name)
    if isinstance(value, str):
        if value not in _WIRES:
            raise CommandError("%s must be a number, open or short" % name)
        return value
    value = argument(request, name, kind)
    if not low <= value <= high:
        raise CommandError("%s must be from %s to %s" % (name, low, high))
    return value


def cp(commands, request):
    outlet = commands.outlet(request)
    state = request.get("state")
    if "high_mv" in request or "low_mv" in request:
        if state is not None:
            raise CommandError("give either state, or high_mv and low_mv")
        high_mv = number(request, "high_mv", -_MAX_MV, _MAX_MV)
        low_mv = number(request, "low_mv", -_MAX_MV, _MAX_MV)
        outlet.hold_pilot(int(high_mv), int(low_mv))
    elif isinstance(state, dict):
        volts = number(state, "volts", -12, 12)
        outlet.force_pilot(int(volts * 1000), argument(state, "diode", bool, True))
    else:
        outlet.set_vehicle(choice(request, "state", ("A", "B", "C", "D", "E", "F")))


def load(commands, request):
    outlet = commands.outlet(request)
    volts = number(request, "volts", 0, 500) if request.get("volts") is not None else None
    if isinstance(request.get("amps"), list):
        milliamps = three(request, "amps", 0, 200)
    else:
        value = int(number(request, "amps", 0, 200) * 1000 + 0.5)
        phases = argument(request, "phases", int, outlet.phases)
        if not 1 <= phases <= 3:
            raise CommandError("phases must be from 1 to 3")
        milliamps = tuple(value if phase < phases else 0 for phase in range(3))
    milliamps = tuple(value if phase < outlet.phases else 0 for phase, value in enumerate(milliamps))
    outlet.set_load(milliamps, None if volts is None else int(volts * 1000))


def volts(commands, request):
    outlet = commands.outlet(request)
    if not isinstance(request.get("volts"), list):
        value = number(request, "volts", 0, 500)
        request = {"volts": [value] * 3}
    outlet.set_supply(three(request, "volts", 0, 500))


def meter(commands, request):
    outlet = commands.outlet(request)
    meter, register = outlet.meter, outlet.register
    outlet.count_energy()
    wh = argument(request, "wh", int, required=False)
    add_wh = argument(request, "add_wh", int, required=False)
    if not 0 <= (register.wh if wh is None else wh) + (add_wh or 0) <= _MAX_WH:
        raise CommandError("the register must be from 0 to %d" % _MAX_WH)
    export_wh = whole(request, "export_wh", 0, _MAX_WH)
    flags = {name: argument(request, name, bool, required=False) for name in ("frozen", "fail", "reverse")}
    numbers = {
        "delay_ms": whole(request, "delay_ms", 0, _MAX_DELAY_MS),
        "exception": whole(request, "exception", 0, _LAST_EXCEPTION),
        "garble": whole(request, "garble", 0, 1_000_000),
    }
    currents = request.get("currents")
    if currents not in (None, "follow"):
        currents = three(request, "currents", -1000, 1000)
    model = text(request, "model", _MAX_MODEL, required=False)
    if model is not None:
        try:
            load_map(model)
        except ValueError as exc:
            raise CommandError(str(exc))
    # All arguments are valid: apply them.
    if wh is not None:
        register.wh = wh
    if add_wh is not None:
        register.add_wh(add_wh)
    if export_wh is not None:
        meter.exported.wh = export_wh
    if currents is not None:
        meter.currents_ma = None if currents == "follow" else currents
    for name, value in numbers.items():
        if value is not None:
            setattr(meter, name, value)
    if model is not None:
        meter.model = model
    if flags["reverse"] is not None:
        meter.reverse = flags["reverse"]
    if flags["frozen"] is not None:
        outlet.freeze_meter(flags["frozen"])
    if flags["fail"] is not None:
        outlet.set_fault("meter_fail", flags["fail"])
    return {"wh": register.wh, "export_wh": meter.exported.wh}


def contact(commands, request):
    commands.outlet(request).contactor.set_aux(choice(request, "aux", AUX))


def bolt(commands, request):
    outlet = commands.outlet(request)
    # The argument has the name of the command.
    state = choice(request, "bolt" if "bolt" in request else "state", BOLT)
    if not outlet.lock:
        raise CommandError("a fixed cable has no lock")
    outlet.lock.set_bolt(state)


def rcd(commands, request):
    commands.outlet(request).rcd.set_selftest(choice(request, "selftest", sorted(SELFTEST_MS)))


def card(commands, request):
    uid = text(request, "uid", 2 * max(_CARD_BYTES))
    held_ms = whole(request, "held_ms", 1, _MAX_HELD_MS, 1200)
    flicker = argument(request, "flicker", bool, False)
    connectors = argument(request, "connectors", list, required=False)
    for index in connectors or ():
        commands.outlet({"connector": index})
    charger = commands.charger
    if connectors is not None and len(set(connectors)) < len(charger.world.outlets):
        raise CommandError("not yet: the reader serves every connector")
    if not charger.readers:
        raise CommandError("the reader is not the built-in one")
    tag = charger.readers[1].listened_to
    sizes = (em4100_emulator.ID_BYTES,) if tag else _CARD_BYTES
    try:
        data = bytes.fromhex(uid)
    except ValueError:
        data = b""
    if len(data) not in sizes or len(uid) != 2 * len(data):
        allowed = " or ".join([str(2 * size) for size in sizes])
        raise CommandError("uid must have %s hexadecimal digits for this reader" % allowed)
    try:
        charger.field.show(data, held_ms, 0, flicker)
    except ValueError as exc:
        raise CommandError(str(exc))


def device(commands, request):
    name = choice(request, "name", ("meter", "reader", "evcc"))
    state = choice(request, "state", STATES)
    if name == "evcc":
        raise CommandError("not yet")
    outlet = commands.outlet(request)
    if name == "meter":
        outlet.meter.state = state
    elif not commands.charger.readers:
        raise CommandError("the reader is not the built-in one")
    else:
        for reader in commands.charger.readers:
            reader.exchange(state)


def fault(commands, request):
    outlet = commands.outlet(request)
    name = choice(request, "name", FAULTS + ("reader_fail", "other") + _NOT_YET)
    on = argument(request, "on", bool, True)
    vendor_code = text(request, "vendor_code", _MAX_VENDOR_CODE, required=False)
    if name in _NOT_YET:
        raise CommandError("not yet")
    if name == "reader_fail":
        if not commands.charger.readers:
            raise CommandError("the reader is not the built-in one")
        for reader in commands.charger.readers:
            reader.dead = on
    elif name == "other":
        evse = commands.firmware().evses[outlet.number - 1]
        if on:
            evse.raise_fault("other", vendor_code)
        else:
            evse.clear_fault("other")
    elif name == "imbalance" and outlet.phases == 1:
        raise CommandError("imbalance needs three phases")
    else:
        outlet.set_fault(name, on)


def button(commands, request):
    outlet = commands.outlet(request)
    outlet.press(choice(request, "name", ("stop", "emergency")), argument(request, "on", bool, required=False))


def power(commands, request):
    """Power loss like `cut`; the next start has this reset cause."""
    cause = choice(request, "cause", ("brown_out", "power_on"))
    commands.charger.kept.set_cause(cause)
    commands.charger.kill()


TABLE = {
    "temp": temp,
    "pp": pp,
    "cp": cp,
    "load": load,
    "volts": volts,
    "meter": meter,
    "contact": contact,
    "bolt": bolt,
    "rcd": rcd,
    "card": card,
    "device": device,
    "fault": fault,
    "button": button,
    "power": power,
}
