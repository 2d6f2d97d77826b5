"""The configuration of the simulated charger: defaults, refusals, and what the firmware gets."""

from harness import raises

from tools.sim.config import ConfigError, check, factory


def test_everything_is_optional():
    config = check({})
    assert config["hw"] == {"connectors": 1, "cable": "socket", "max_a": 32, "phases": 3, "psram": True}
    assert config["sim"]["flash_kib"] == 2048 and config["sim"]["time_rate"] == 1
    assert config["keys"] == {} and config["uart"] == {"meter": None, "rfid": None}


def test_null_is_as_good_as_nothing_and_unknown_keys_are_ignored():
    config = check({"ocpp": None, "hw": {"cable": None, "colour": "red"}, "product": None, "later": [1]})
    assert config["hw"]["cable"] == "socket"


def test_wrong_values_name_the_key():
    for raw, key in (
        ([], "the configuration"),
        ({"hw": {"connectors": "1"}}, "hw.connectors"),
        ({"hw": {"connectors": True}}, "hw.connectors"),
        ({"hw": {"phases": 2}}, "hw.phases"),
        ({"hw": {"uart": {"meter": 1}}}, "hw.uart.meter"),
        ({"ocpp": {"url": "http://host"}}, "ocpp.url"),
        ({"ocpp": {"url": ""}}, "ocpp.url"),
        ({"ocpp": {"reconnect": {"max_s": -1}}}, "ocpp.reconnect.max_s"),
        ({"identity": {"vendor": "x" * 21}}, "identity.vendor"),
        ({"keys": {"A": 5}}, "keys.A"),
        ({"sim": {"meter_wh": -1}}, "sim.meter_wh"),
        ({"sim": {"time_rate": 0}}, "sim.time_rate"),
    ):
        with raises(ConfigError) as caught:
            check(raw)
        assert key in str(caught.value), (key, str(caught.value))


def test_what_the_firmware_gets():
    settings = factory(
        check(
            {
                "ocpp": {"url": "ws://h:1", "id": "cp1", "reconnect": {"min_s": 1, "max_s": 3.5}, "call_timeout_s": 9},
                "identity": {"serial": "S1"},
                "hw": {"cable": "fixed", "max_a": 48},
            }
        )
    )
    assert settings == {
        "CentralSystemUrl": "ws://h:1",
        "ChargePointId": "cp1",
        "ReconnectMin": "1",
        "ReconnectMax": "3",
        "MessageTimeout": "9",
        "ChargePointSerialNumber": "S1",
        "ChargeBoxSerialNumber": "S1",
        "NumberOfConnectors": "1",
        "CableFixed": "true",
        "MaxCurrent": "48000",
        "Phases": "3",
    }


def test_a_register_for_each_connector():
    assert check({"hw": {"connectors": 2}, "sim": {"meter_wh": 7}})["sim"]["meter_wh"] == [7, 7]
    assert check({"hw": {"connectors": 2}, "sim": {"meter_wh": [1, 2]}})["sim"]["meter_wh"] == [1, 2]
    with raises(ConfigError):
        check({"hw": {"connectors": 2}, "sim": {"meter_wh": [1]}})
