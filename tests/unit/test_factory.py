"""factory.json: one check for the board and for `make flash` (S1, S2). Each mistake is named, none stops the board."""

import json

from folder import fresh_folder

from firmware.boards import esp32_wrover, esp32s3_reference
from firmware.factory import DEFAULT_BOARD, boards, load, nearest, read

_SECRET = "correct horse battery"


def checked(**document):
    return read(json.dumps(document))


def only(factory):
    assert len(factory.mistakes) == 1, factory.mistakes
    return factory.mistakes[0]


def test_a_sound_file_has_no_mistakes():
    settings = {"WifiSsid": "garage", "MaxCurrent": "16000", "ChargePointSerialNumber": "0001"}
    factory = checked(board="esp32_wrover", hw={"connectors": 1, "max_a": 16, "phases": 1}, settings=settings)
    assert factory.mistakes == [] and factory.settings == settings
    assert factory.board == "esp32_wrover" and factory.layout is esp32_wrover.LAYOUT
    assert factory.hw == {"connectors": 1, "max_a": 16, "phases": 1}


def test_numbers_booleans_and_lists_are_taken():
    """S1: a number instead of a text was a traceback."""
    given = {"MaxCurrent": 16000, "CableFixed": True, "ChargePointId": 7, "WakeUp": False, "HeartbeatInterval": 60.0}
    given["MeterValuesSampledData"] = ["Voltage", "Current.Import"]
    factory = checked(settings=given)
    assert factory.mistakes == []
    assert factory.settings == {
        "MaxCurrent": "16000",
        "CableFixed": "true",
        "ChargePointId": "7",
        "WakeUp": "false",
        "HeartbeatInterval": "60",
        "MeterValuesSampledData": "Voltage,Current.Import",
    }


def test_each_mistake_says_what_would_be_right():
    """S1, S2: (what is in the file, what the message has to say)."""
    for document, words in (
        ({"settings": {"LogLevel": "chatty"}}, ("LogLevel", "chatty", "debug,info,warning,error")),
        ({"settings": {"LogLevel": "warnng"}}, ("LogLevel", "did you mean warning?")),
        ({"settings": {"MaxCurent": "16000"}}, ("MaxCurent", "did you mean MaxCurrent?")),
        ({"settings": {"WifiPasword": _SECRET}}, ("WifiPasword", "did you mean WifiPassword?")),
        ({"settings": {"Colour": "red"}}, ("Colour", "docs/settings.md")),
        ({"settings": {"MaxCurrent": "16"}}, ("MaxCurrent", "6000..32000 mA", "did you mean 16000?")),
        ({"settings": {"MaxCurrent": 16}}, ("MaxCurrent", "6000..32000 mA", "did you mean 16000?")),
        ({"settings": {"MaxCurrent": "16 A"}}, ("MaxCurrent", "did you mean 16000?")),
        ({"settings": {"MaxCurrent": 16000.5}}, ("MaxCurrent", "not a whole number")),
        ({"settings": {"MaxCurrent": "63000"}}, ("MaxCurrent", "6000..32000 mA")),
        ({"settings": {"MaxCurrent": True}}, ("MaxCurrent", "whole number")),
        ({"settings": {"MaxCurrent": None}}, ("MaxCurrent", "null")),
        ({"settings": {"MaxCurrent": [16000]}}, ("MaxCurrent", "a list")),
        ({"settings": {"MaxImbalance": "20"}}, ("MaxImbalance", "did you mean 20000?")),
        ({"settings": {"MessageTimeout": "30000"}}, ("MessageTimeout", "1..600 s", "did you mean 30?")),
        ({"settings": {"CableFixed": "yes"}}, ("CableFixed", "true nor false", "did you mean true?")),
        ({"settings": {"CableFixed": 0}}, ("CableFixed", "did you mean false?")),
        ({"settings": {"ReaderModel": "pn523"}}, ("ReaderModel", "did you mean pn532?")),
        ({"settings": {"MeterModel": "sdm360"}}, ("MeterModel", "did you mean sdm630?")),
        ({"settings": {"MeterModel": "custom"}}, ("MeterModel", "MeterRegisters")),
        ({"settings": {"MeterRegisters": "input float32 3"}}, ("MeterRegisters", "energy_wh")),
        ({"settings": {"CentralSystemUrl": "http://here"}}, ("CentralSystemUrl", "ws://")),
        ({"settings": {"CentralSystemUrl": "ws://"}}, ("CentralSystemUrl", "no host")),
        ({"settings": {"CentralSystemUrl": "ws://10.0.0.1:99999/a"}}, ("CentralSystemUrl", "port")),
        ({"settings": {"CentralSystemUrl": "ws://my server/a"}}, ("CentralSystemUrl", "percent-encoded")),
        ({"settings": {"WifiPassword": "short"}}, ("WifiPassword", "8 characters")),
        ({"settings": {"MeterValuesSampledData": "Voltag,Frequency"}}, ("MeterValuesSampledData", "mean Voltage?")),
        ({"settings": {"StopTxnSampledData": ["SoC"]}}, ("StopTxnSampledData", "unknown measurand", "SoC")),
        ({"settings": {"Phases": 2}}, ("Phases", "within 1 or 3")),
        ({"hw": {"max_a": None}}, ("hw.max_a", "not null")),
        ({"settings": {"AuthorizationKey": "short"}}, ("AuthorizationKey", "32 to 40")),
        ({"settings": {"ChargePointId": "x" * 49}}, ("ChargePointId", "48")),
        ({"settings": {"NumberOfConnectors": 2}}, ("NumberOfConnectors", "1..1")),
        ({"settings": []}, ("settings", "a list")),
        ({"settings": {"MaxCurrent": 16000, "maxcurrent": 8000}}, ("MaxCurrent", "twice")),
        ({"board": "esp32s3-reference"}, ("esp32s3-reference", "did you mean esp32s3_reference?")),
        ({"board": "../main"}, ("board", "known are esp32_wrover, esp32s3_reference")),
        ({"board": "contacts"}, ("contacts", "known are")),
        ({"board": 3}, ("board", "a number")),
        ({"hw": {"max_a": 63}}, ("hw.max_a", "6 to 32", "63")),
        ({"hw": {"max_a": 32000}}, ("hw.max_a", "did you mean 32?")),
        ({"hw": {"max_a": 5}}, ("hw.max_a", "6 to 32")),
        ({"hw": {"max_a": "16"}}, ("hw.max_a", "16")),
        ({"hw": {"max_a": True}}, ("hw.max_a", "whole number")),
        ({"hw": {"connectors": 2}}, ("hw.connectors", "1 to 1")),
        ({"hw": {"connectors": "two"}}, ("hw.connectors", '"two"')),
        ({"hw": {"phases": 2}}, ("hw.phases", "1 or 3")),
        ({"hw": {"phases": 4}}, ("hw.phases", "1 to 3")),
        ({"hw": {"cable": "tethered"}}, ("hw.cable", "socket or fixed")),
        ({"hw": {"cables": "fixed"}}, ("hw.cables", "did you mean cable?")),
        ({"hw": "fixed"}, ("hw", "a text")),
        ({"setting": {}}, ("setting", "did you mean settings?")),
        ({"MaxCurrent": 16000}, ("MaxCurrent", 'inside "settings"')),
        ({"max_a": 16}, ("max_a", 'inside "hw"')),
    ):
        factory = read(json.dumps(document))
        mistake = only(factory)
        assert all(word in mistake for word in words), (document, mistake)
        assert _SECRET not in mistake and '"short"' not in mistake and len(mistake) < 400
        # What was wrong is left out, so that the default counts.
        known = ({}, {"MaxCurrent": "16000"}, {"MaxCurrent": "6000"})
        assert factory.settings in known or "twice" in mistake, factory.settings
        assert factory.layout is esp32s3_reference.LAYOUT


def test_a_current_limit_that_cannot_be_read_is_6_amperes():
    """S2: the default of MaxCurrent is what the board can give, and the cable in the wall may not bear that."""
    for document in (
        {"settings": {"MaxCurrent": "16"}},
        {"settings": {"MaxCurrent": True}},
        {"settings": {"MaxCurrent": None}},
        {"settings": {"MaxCurent": "16000"}},
        {"hw": {"max_a": 5}},
        {"hw": {"max_a": "sixteen"}},
        {"max_a": 16},
        {"MaxCurrent": 16000},
    ):
        assert read(json.dumps(document)).settings["MaxCurrent"] == "6000", document
    # More than there is: the board's maximum is less than what was meant.
    for document in ({"settings": {"MaxCurrent": "63000"}}, {"hw": {"max_a": 63}}):
        assert read(json.dumps(document)).settings == {}, document
    # What is right elsewhere counts.
    assert read(json.dumps({"max_a": 16, "settings": {"MaxCurrent": 10000}})).settings["MaxCurrent"] == "10000"


def test_a_file_that_is_no_object_is_named():
    """S1: broken JSON and `[]` were a traceback and the REPL."""
    for text in ('{"board": ', "[]", "3", "null", '"text"', "", "  ", "{}x{", "[" * 5000, "x" * 20_000):
        path = fresh_folder() + "/factory.json"
        with open(path, "w") as file:
            file.write(text)
        factory = load(path)
        assert len(factory.mistakes) == 1, (text[:10], factory.mistakes)
        assert factory.board == DEFAULT_BOARD and factory.settings == {} and factory.hw == {}
    with open(path, "wb") as file:
        file.write(b"{\xff\xfe}")
    assert len(load(path).mistakes) == 1
    assert load(path + ".none").mistakes == []  # a board that nobody has provisioned
    assert read("\ufeff{}").mistakes == []


def test_all_mistakes_are_named_and_the_rest_counts():
    factory = checked(
        board="esp32-wrover", hw={"max_a": 99, "phases": "1"}, settings={"LogLevel": "chatty", "wifissid": "garage"}
    )
    assert len(factory.mistakes) == 4
    assert factory.board == "esp32_wrover"  # there is no doubt, and another board's pins are not for this one
    assert factory.hw == {"phases": 1} and factory.settings == {"WifiSsid": "garage"}


def test_no_secret_is_in_a_message():
    for name in ("WifiPassword", "AuthorizationKey"):
        for value in (_SECRET * 4, [_SECRET], {"a": _SECRET}):
            assert _SECRET not in only(checked(settings={name: value}))
    assert "12345" not in only(checked(settings={"AuthorizationKey": 12345}))


def test_every_board_there_is_has_a_layout():
    assert boards() == ["esp32_wrover", "esp32s3_reference", "simulated"]
    for name in boards():
        assert checked(board=name).mistakes == []


def test_the_nearest_word_is_found_and_no_other():
    known = ("MaxCurrent", "MeterModel", "LogLevel")
    assert nearest("maxcurent", known) == "MaxCurrent"
    assert nearest("log_level", known) == "LogLevel"
    assert nearest("Colour", known) is None and nearest("", known) is None and nearest("x", ()) is None
