"""Applies the installer's settings to drivers and EVSEs: cable, phases, meters, readers, derating, calibration."""

from micropython import const

from firmware.drivers import meter_models
from firmware.drivers.pilot_plan import shortest_us
from firmware.evse.limits import MIN_PILOT_MA, duty_for

_USUAL_TIMEOUT_MS = const(300)  # default of MeterTimeout

# Maximum time in each 20 ms for sampling the pilots of all connectors.
_MOST_SAMPLING_MS = const(10)


def facts(board):
    """Returns the properties of a board as defaults {setting: text}, which an installer may override."""
    return {
        "NumberOfConnectors": str(len(board.connectors)),
        "CableFixed": "true" if board.fixed_cable else "false",
        "MaxCurrent": str(board.max_ma),
        "Phases": str(board.phases),
    }


def fit(board, settings, log):
    """Configures a board by the settings, before the station is built on it.

    New values that the board does not support are refused from now on; stored ones are logged and not applied.
    """
    if not board.can_have_sockets:
        settings.add_validator("CableFixed", _sockets_refused_on(board.name))
    if board.most_phases == 1:
        settings.declare("Phases", low=1, high=1)
    settings.declare("MaxCurrent", high=board.max_ma)
    settings.add_validator("MeterModel MeterRegisters", meter_models.check)
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


def check_speed(board, evses, log):
    """Raises a fault on a board that cannot sample its pilots in time. Call it once."""
    if board.cpu_hz < board.wanted_hz:
        log.warning("board", "processor runs at %d MHz instead of %d", board.cpu_hz // 10**6, board.wanted_hz // 10**6)
    half_wave_us = min(shortest_us(duty_for(MIN_PILOT_MA)), shortest_us(duty_for(board.max_ma)))
    taken_ms = sum([parts.pilot.sampling_ms(half_wave_us) for parts in board.connectors])
    read_us = max([parts.pilot.read_us for parts in board.connectors])
    log.info("board", "sampling the pilots takes up to %d ms, %d us per read", taken_ms, read_us)
    if taken_ms > _MOST_SAMPLING_MS:
        text = "too slow to charge: the pilots may take only %d ms of each 20 ms. Slow ADC, or processor below %d MHz?"
        log.error("board", text, _MOST_SAMPLING_MS, board.wanted_hz // 10**6)
        for evse in evses:
            evse.raise_fault("board_too_slow")


def _sockets_refused_on(board):
    """Returns a validator that raises ValueError for sockets (CableFixed false)."""

    def check(name, fixed):
        if not fixed:
            raise ValueError(f"board {board} has no proximity contact for a socket")

    return check


def _fit_meters(board, settings):
    """Replaces the meters of the layout by those of the settings. Raises ValueError."""
    names = ("MeterModel", "MeterUnit", "MeterBaudrate", "MeterTimeout", "MeterRegisters")
    name, unit, baudrate, timeout_ms, registers = [settings.get(name) for name in names]
    if not (name or unit or baudrate or registers) and timeout_ms == _USUAL_TIMEOUT_MS:
        return
    if name == "custom":
        name = meter_models.Model(registers.split())
    board.fit_meters(name, unit, baudrate, timeout_ms)


def apply(evses, connectors, readers, settings, log):
    """Applies the settings that take effect at once; `connectors` is a list of evse.ports.Drivers."""
    get = settings.get
    for evse in evses:
        evse.set_derating(get("DeratingStart") * 10, get("DeratingEnd") * 10)
        evse.wishes.max_imbalance_ma = get("MaxImbalance")
        evse.wishes.ventilation = get("VentilationFitted")
        evse.wishes.wake_up = get("WakeUp")
    for reader in readers:
        reader.reverse, reader.shorten = get("ReverseUIDs"), get("ShortenUIDs")
    for parts in connectors:
        if parts.indicator.fitted:  # without a light these settings do not exist
            parts.indicator.brightness = get("LightIntensity")
            parts.indicator.repeat = get("BlinkRepeat")
    _calibrate(connectors, get("PilotCalibration"), log)


def _calibrate(connectors, text, log):
    """`text`: "uV:mV uV:mV" for each connector, separated by semicolons; an empty one keeps the board's."""
    for parts, points in zip(connectors, text.split(";")):
        try:
            if points.strip():
                parts.pilot.calibrate([[int(number) for number in point.split(":")] for point in points.split()])
        except ValueError as exc:
            log.error("board", "pilot calibration: %s", exc)
