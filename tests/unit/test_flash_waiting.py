# interpreters: cpython
"""What `make flash` makes of the log of a station that starts."""

from tools.flash.waiting import watch

_STARTED = "2026-01-01T00:00:00Z info    app: firmware 0.2.0 on board garage, connectors: 1, MicroPython 1.28.0, ..."
_CONFIRMED = "2026-01-01T00:01:00Z warning start: confirmed: slot b, confirmed, boots: 1"


class Port:
    def __init__(self, *lines):
        self.rest = list(lines)

    def lines(self, seconds):
        while self.rest:
            yield self.rest.pop(0)


def seen(*lines):
    told = []
    port = Port(*lines)
    return watch(port, 1, told.append), told, port


def test_a_good_start_is_told_with_version_board_and_address():
    start, told, port = seen("rst:0x1", "", _STARTED, "x info    wifi: address 10.0.0.7", _CONFIRMED, "more")
    assert (start.version, start.board, start.address) == ("0.2.0", "garage", "10.0.0.7")
    assert start.confirmed and not start.failure and port.rest == ["more"]
    assert [text.split(":")[0] for text in told] == [
        "version 0.2.0 runs on board garage",
        "address 10.0.0.7",
        "the station works, it says so after 0 s",
    ]


def test_a_version_that_is_known_to_be_good_says_that_it_works():
    start, _, _ = seen(_STARTED, "x info    start: works: slot a, confirmed, boots: 7")
    assert start.confirmed


def test_silence_is_no_confirmation():
    start, _, _ = seen(_STARTED, "x info    app: something")
    assert not start.confirmed and not start.failure and start.last == "x info    app: something"


def test_a_version_that_is_given_up_is_told_with_the_reason():
    lines = (
        "main: the start has failed: the heap is full",
        "main: slot b is given up: MemoryError",
        _STARTED,
        _CONFIRMED,
    )
    start, _, port = seen(*lines)
    assert start.failure == "slot b is given up: MemoryError" and not start.confirmed
    assert port.rest == [_STARTED, _CONFIRMED], "the version before is not the one that was flashed"


def test_a_first_version_that_fails_ends_in_safe_mode_with_the_reason():
    crash = "main: the start has failed: this MicroPython has no PSRAM: use ESP32_GENERIC-SPIRAM"
    start, _, _ = seen(crash, crash, crash, "SAFE MODE: contactors open, pilot at +12 V, no charging.")
    assert start.failure == "safe mode: this MicroPython has no PSRAM: use ESP32_GENERIC-SPIRAM"


def test_a_start_that_fails_once_and_then_works_is_good():
    start, _, _ = seen("main: the start has failed: flash or hardware refuses", _STARTED, _CONFIRMED)
    assert start.confirmed and not start.failure


def test_a_start_that_is_never_confirmed_is_a_failure_with_its_reason():
    start, _, _ = seen(_STARTED, "x error   start: not confirmed: task wifi was restarted")
    assert start.failure == "not confirmed: task wifi was restarted"
