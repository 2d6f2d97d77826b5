# interpreters: micropython
"""boards.board: a layout becomes drivers, with outputs that are safe from the first moment."""

import io
import sys

from harness import raises

MADE = []  # (class name, positional arguments, keyword arguments), in the order of creation


class Machine:
    """The calls of ESP32's machine module that a board makes."""

    hertz = 160_000_000
    slow = False  # a chip that stays as it is

    @staticmethod
    def freq(hertz=None):
        if hertz is None:
            return Machine.hertz
        if Machine.slow:
            raise ValueError("frequency must be 20MHz, 40MHz, 80Mhz, 160MHz or 240MHz")
        Machine.hertz = hertz

    class Pin:
        IN, OUT, PULL_UP, PULL_DOWN = 1, 3, 2, 1

        def __init__(self, number, mode=-1, pull=-1, value=None):
            self.number = number
            self.level = value
            MADE.append(("Pin", (number, mode, pull), {"value": value}))

        def __call__(self, level=None):
            if level is None:
                return self.level or 0
            self.level = level

    class PWM:
        def __init__(self, pin, freq=None, duty_u16=None):
            MADE.append(("PWM", (pin.number,), {"freq": freq, "duty_u16": duty_u16}))

        def duty_u16(self, duty):
            pass

    class ADC:
        ATTN_11DB = 3

        def __init__(self, pin, atten=None):
            MADE.append(("ADC", (pin.number,), {"atten": atten}))

        def read_uv(self):
            return 1_650_000

    class UART(io.IOBase):
        def __init__(self, number, **values):
            MADE.append(("UART", (number,), values))

        def flush(self):
            pass

    class WDT:
        feeds = 0

        def __init__(self, timeout):
            MADE.append(("WDT", (), {"timeout": timeout}))

        def feed(self):
            Machine.WDT.feeds += 1


sys.modules["machine"] = Machine

from firmware.boards import esp32_wrover, esp32s3_reference, simulated  # noqa: E402
from firmware.boards.board import Board  # noqa: E402


def made(kind):
    return [(args, values) for name, args, values in MADE if name == kind]


def build(layout, hw=None):
    MADE.clear()
    return Board(layout, hw)


def test_every_board_is_built_from_its_layout():
    for layout, parts in ((esp32s3_reference, 1), (esp32_wrover, 1), (simulated, 1)):
        board = build(layout)
        assert board.name == layout.LAYOUT["name"]
        assert len(board.connectors) == len(board.meters) == len(board.readers) == parts
        connector = board.connectors[0]
        assert connector.pilot.sample()[0] == connector.pilot.sample()[1]
        assert connector.contactor.is_closed() is False
        assert connector.rcd.is_tripped() is False
        assert board.meters[0]


def test_the_processor_runs_as_fast_as_the_layout_says():
    for layout in (esp32s3_reference, esp32_wrover):
        Machine.hertz = 160_000_000
        board = build(layout)
        assert Machine.hertz == board.cpu_hz == board.wanted_hz == 240_000_000
    Machine.hertz, Machine.slow = 160_000_000, True
    board = build(esp32_wrover)
    Machine.slow = False
    assert board.cpu_hz == 160_000_000 and board.wanted_hz == 240_000_000


def test_contactor_coils_and_lock_are_off_from_the_start():
    layout = esp32s3_reference.LAYOUT["connectors"][0]
    build(esp32s3_reference)
    first = [args[0] for args, _ in made("Pin")][:2]
    assert first == [layout["contactor"]["coil_l1"], layout["contactor"]["coil_l23"]]
    outputs = [values["value"] for args, values in made("Pin") if args[1] == Machine.Pin.OUT]
    assert outputs and set(outputs) == {0}


def test_the_pilot_starts_at_one_kilohertz_without_an_offer():
    build(simulated)
    assert ((1,), {"freq": 1000, "duty_u16": 65_535}) in made("PWM")


def test_uarts_are_opened_without_a_blocking_time_out():
    build(esp32s3_reference)
    meter, reader = made("UART")
    assert meter == ((1,), {"baudrate": 9600, "tx": 18, "rx": 21, "timeout": 0, "rxbuf": 512})
    assert reader[1]["baudrate"] == 115_200 and reader[1]["timeout"] == 0


def test_the_second_connector_of_the_simulated_board_is_twenty_pins_higher():
    board = build(simulated, {"connectors": 2})
    assert len(board.connectors) == 2
    pins = [args[0] for args, _ in made("Pin")]
    contacts = [41, 42, 43, 44, 51, 52, 53, 54]
    assert sorted(set(pins)) == [n for n in range(1, 40) if n != 20] + contacts + [61]


def test_a_fixed_cable_has_neither_lock_nor_proximity_contact():
    board = build(simulated, {"cable": "fixed", "max_a": 20, "phases": 1})
    assert board.fixed_cable and board.max_ma == 20_000 and board.phases == 1
    assert not board.connectors[0].lock.fitted and not board.connectors[0].proximity.fitted
    assert "lock" not in board.parts and "indicator" in board.parts


def test_an_installer_may_have_a_fixed_cable_or_one_phase():
    board = build(simulated)
    board.fit_cable(True)
    board.fit_phases(1)
    assert not board.connectors[0].lock.fitted and not {"lock", "proximity", "phase_switch"} & board.parts
    board.fit_cable(False)
    board.fit_phases(3)
    assert board.connectors[0].lock and {"lock", "proximity", "phase_switch"} <= board.parts


def test_contacts_of_protective_devices_are_inputs_like_the_buttons():
    layout = dict(simulated.LAYOUT)
    layout["connectors"] = (dict(layout["connectors"][0], rccb_tripped={"pin": 46, "pressed_level": 1}),)
    board = build(layout)
    told = []
    board.buttons.changed.connect(lambda *what: told.append(what))
    for _ in range(2):  # no pull-up has an effect on this machine: every input reads 0
        board.buttons.poll()
    assert (1, "emergency", True) in told and (1, "rccb_tripped", True) not in told
    assert "rccb_tripped" in board.parts


def test_what_a_board_has_no_pins_for_is_refused():
    board = build(esp32_wrover)
    with raises(ValueError):
        board.fit_cable(False)
    assert board.fixed_cable
    layout = dict(simulated.LAYOUT)
    layout["phases"] = 1
    with raises(ValueError):
        build(layout, {"phases": 3})


def test_readers_of_another_kind_or_none():
    board = build(simulated)
    board.fit_readers("em4100")
    assert made("UART")[-1][1]["baudrate"] == 9600 and len(board.readers) == 1
    board.fit_readers("none")
    assert board.readers == []


def test_parts_name_what_is_fitted():
    parts = build(simulated).parts
    for name in ("pilot", "lock", "rcd", "indicator", "meter", "stop", "phase_switch", "pilot_switch"):
        assert name in parts
    assert "pilot_switch" not in build(esp32_wrover).parts


def test_more_connectors_than_the_board_has_are_refused():
    for count in (0, 3):
        with raises(ValueError):
            Board(simulated, {"connectors": count})


def test_the_watchdog_begins_with_the_first_feed():
    board = build(esp32s3_reference)
    assert made("WDT") == []
    board.watchdog.feed()
    board.watchdog.feed()
    assert made("WDT") == [((), {"timeout": 20_000})] and Machine.WDT.feeds == 2
    assert build(simulated).watchdog is None


def test_a_layout_may_be_a_plain_dict_with_another_reader():
    layout = dict(esp32_wrover.LAYOUT)
    layout["readers"] = ({"kind": "em4100", "uart": 2, "tx": 4, "rx": 13},)
    build(layout)
    assert made("UART")[-1][1]["baudrate"] == 9600
    layout["readers"] = ({"kind": "abacus", "uart": 2},)
    with raises(ValueError):
        Board(layout)
