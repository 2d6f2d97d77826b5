"""What an installer has set about the parts of the board: brings the settings to the drivers and the EVSEs."""

from firmware.drivers.meter_models import MODELS
from firmware.drivers.rfid import uid_text

# Settings that count at once when they change.
LIVE = (
    "DeratingStart",
    "DeratingEnd",
    "LightIntensity",
    "BlinkRepeat",
    "MaxImbalance",
    "PilotCalibration",
    "ReverseUIDs",
    "ShortenUIDs",
    "VentilationFitted",
    "WakeUp",
)


def facts(board):
    """Returns what a board says of itself as {setting: text}: it counts until an installer says otherwise."""
    return {
        "NumberOfConnectors": str(len(board.connectors)),
        "CableFixed": "true" if board.fixed_cable else "false",
        "MaxCurrent": str(board.max_ma),
        "Phases": str(board.phases),
    }


def fit(board, settings, log):
    """Sets up a board as it is set, before anything is built upon it.

    A new value that the board cannot follow is refused; one that is stored is logged, and the board is as it was.
    """
    settings.validators["CableFixed"] = board.check_cable
    settings.validators["Phases"] = board.check_phases
    settings.declare("MaxCurrent", high=board.max_ma)
    settings.validators["MeterModel"] = _check_meter
    settings.validators["MeterRegisters"] = _check_registers
    reader = settings.get("ReaderModel")
    for name, change in (
        ("CableFixed", lambda: board.fit_cable(settings.get("CableFixed"))),
        ("Phases", lambda: board.fit_phases(settings.get("Phases"))),
        ("ReaderModel", lambda: reader == "board" or board.fit_readers(reader)),
        ("MeterModel", lambda: _fit_meters(board, settings)),
    ):
        try:
            change()
        except ValueError as exc:
            log.error("board", "%s: %s", name, exc)
    settings.fit(board.parts)


def _check_meter(name):
    if name not in MODELS and name not in ("", "custom"):
        raise ValueError("no meter of this name is known")


def _check_registers(text):
    if text:
        from firmware.drivers.meter_custom import parse

        parse(text)


def _fit_meters(board, settings):
    """Replaces the meters of the layout by those that are set. Raises ValueError."""
    values = [settings.get(name) for name in ("MeterModel", "MeterUnit", "MeterBaudrate", "MeterRegisters")]
    if not any(values):
        return
    model, unit, baudrate, registers = values
    if model == "custom":
        from firmware.drivers.meter_custom import parse

        model = parse(registers)
    board.fit_meters(model, unit, baudrate)


class Fitting:
    """Applies the settings named in LIVE; `apply()` all of them, `changed(name)` those that belong to one."""

    def __init__(self, board, evses, settings, log):
        self._board = board
        self._evses = evses
        self._settings = settings
        self._log = log

    def changed(self, name):
        if name in LIVE:
            self.apply()

    def apply(self):
        get = self._settings.get
        for evse in self._evses:
            evse.set_derating(get("DeratingStart") * 10, get("DeratingEnd") * 10)
            evse.set_max_imbalance(get("MaxImbalance"))
            evse.set_ventilation(get("VentilationFitted"))
            evse.set_wake_up(get("WakeUp"))
        reverse, shorten = get("ReverseUIDs"), get("ShortenUIDs")
        for reader in self._board.readers:
            reader.text = lambda uid: uid_text(uid, reverse, shorten)
        for parts in self._board.connectors:
            if parts.indicator:
                parts.indicator.brightness = get("LightIntensity")
                parts.indicator.repeat = get("BlinkRepeat")
        self._calibrate(get("PilotCalibration"))

    def _calibrate(self, text):
        """One "uV:mV uV:mV" for each connector, divided by semicolons; an empty one leaves the board's own."""
        for parts, points in zip(self._board.connectors, text.split(";")):
            try:
                if points.strip():
                    parts.pilot.calibrate([[int(number) for number in point.split(":")] for point in points.split()])
            except ValueError as exc:
                self._log.error("board", "pilot calibration: %s", exc)
