"""Settings: types and ranges of OCPP 1.6 §9, layers, and what survives damage."""

from folder import fresh_folder
from harness import FakeClock, raises

from firmware.kernel.log import WARNING, Log
from firmware.store.declaration import setting
from firmware.store.registry import SETTINGS, Registry
from firmware.store.settings import InvalidValue, ReadOnlySetting, SettingError, Settings, UnknownSetting, to_text


def new(path=None, **kwargs):
    return Settings(path or fresh_folder() + "/settings", SETTINGS, **kwargs)


def test_every_declaration_is_complete_and_its_default_valid():
    settings = new()
    seen = set()
    for row in SETTINGS:
        assert row.name.lower() not in seen
        seen.add(row.name.lower())
        assert row.kind in ("int", "bool", "str", "csl", "secret") and row.access in ("rw", "r", "w")
        assert row.needs in ("", "reconnect", "reboot") and row.policy in ("reject", "clamp")
        if row.kind == "int":
            assert row.low <= row.high
        if row.kind != "secret":
            settings.set(row.name, settings.get(row.name), who="system")  # passes its own checks
    for name, text, spellings in SETTINGS.texts():
        seen.remove(name.lower())
        assert 10 <= len(text) <= 90
        for spelling in spellings:
            assert not SETTINGS.find(spelling) and settings.setting(spelling).name == name
    assert not seen


def test_a_line_says_what_is_declared():
    row = setting("Wait int 5 1..10 or=0,99 unit=s local reboot clamp part=lock also=Wayt ")
    assert (row.name, row.private, row.kind, row.default) == ("Wait", False, "int", 5)
    assert (row.low, row.high, row.choices, row.unit) == (1, 10, (0, 99), "s")
    assert (row.access, row.who, row.needs) == ("r", "user installer", "reboot")
    assert (row.policy, row.part, row.check) == ("clamp", "lock", None)
    row = setting("Url csl - ..3 private check=backend_url")
    assert row.private and row.default == () and row.high == 3 and row.check
    for line in ("Wait int 5 1..10 clam", "Wait int five 1..10", "Wait int 5 1..10 untt=s", "Wait Core int 5"):
        with raises(ValueError):
            setting(line)


def test_a_name_from_outside_never_reaches_beyond_its_word():
    settings = new()
    for name in ("", " ", "HeartbeatInterval Core", "\nHeartbeatInterval", "HeartbeatInterval\n", "also=", "#", "Core"):
        assert SETTINGS.spelled(name) is None and SETTINGS.find(name) is None
        with raises(UnknownSetting):
            settings.setting(name)


def test_typed_values():
    settings = new()
    assert settings.get("HeartbeatInterval") == 300
    assert settings.get("LocalAuthorizeOffline") is True
    assert settings.get("ChargingScheduleAllowedChargingRateUnit") == ["Current", "Power"]
    assert settings.text("ChargingScheduleAllowedChargingRateUnit") == "Current,Power"
    assert settings.text("LocalAuthorizeOffline") == "true"
    settings.set_text("StopTxnSampledData", "")
    assert settings.get("StopTxnSampledData") == []
    assert settings.set_text("CentralSystemUrl", "ws://127.0.0.1:9000", who="installer") == "reconnect"


def test_a_value_that_was_asked_for_is_the_new_one_after_each_kind_of_change():
    settings = new()
    for change in (
        lambda: settings.set("ConnectionTimeOut", 90),
        lambda: settings.set_text("connectiontimeout", "91"),
        lambda: settings.update({"ConnectionTimeOut": "92", "LocalPreAuthorize": "true"}),
    ):
        before = settings.get("ConnectionTimeOut")
        assert settings.setting("ConnectionTimeOut").name and settings.get("ConnectionTimeOut") == before
        change()
        assert settings.get("ConnectionTimeOut") not in (before, 60)
        assert settings.text("ConnectionTimeOut") == str(settings.get("ConnectionTimeOut"))
    assert settings.get("LocalPreAuthorize") is True


def test_names_ignore_case_and_known_misspellings():
    settings = new()
    settings.set_text("heartBEATinterval", "60")
    assert settings.get("HeartbeatInterval") == 60
    settings.set_text("MeterValuesSampleInterval", "30")
    assert settings.get("MeterValueSampleInterval") == 30
    assert settings.setting("meterValuesSampleInterval").name == "MeterValueSampleInterval"


def test_what_is_refused_changes_nothing():
    settings = new()
    for name, text in (
        ("MeterValueSampleInterval", "3"),
        ("MeterValueSampleInterval", "65535"),
        ("MeterValueSampleInterval", "1_0"),
        ("MeterValueSampleInterval", ""),
        ("MeterValueSampleInterval", "10.5"),
        ("WebSocketPingInterval", "-1"),
        ("HeartbeatInterval", "-5"),
        ("LocalPreAuthorize", "1"),
        ("ConnectorPhaseRotation", "0.RTX"),
        ("ConnectorPhaseRotation", "0.RST,1.RST,2.RST,3.RST"),
        ("FreevendIdTag", "x" * 21),
        ("AuthorizationKey", "too short"),
        ("LogLevel", "loud"),
    ):
        before = settings.text(name)
        with raises(InvalidValue):
            settings.set_text(name, text)
        assert settings.text(name) == before
    with raises(UnknownSetting):
        settings.get("NoSuchKey")
    with raises(ReadOnlySetting):
        settings.set("NumberOfConnectors", 2)
    with raises(ReadOnlySetting):
        settings.set_text("CentralSystemUrl", "ws://elsewhere", who="backend")
    with raises(SettingError):
        settings.set_text("MeterValuesSampledData", "Voltage,,Voltage")


def test_zero_is_allowed_besides_the_range():
    settings = new()
    for name in ("MeterValueSampleInterval", "ClockAlignedDataInterval", "WebSocketPingInterval"):
        settings.set_text(name, "0")
        assert settings.get(name) == 0


def test_clamped_value_is_reported_as_written_and_runs_with_the_limit():
    settings = new()
    settings.set_text("HeartbeatInterval", "3")
    assert settings.text("HeartbeatInterval") == "3"
    assert settings.get("HeartbeatInterval") == 10


def test_values_survive_a_restart_and_the_signal_comes_after_the_flash():
    path = fresh_folder() + "/settings"
    settings = new(path)
    heard = []
    settings.changed.connect(lambda name: heard.append((name, new(path).get(name))))
    settings.set("MaxEnergyOnInvalidId", 500)
    settings.set("MaxEnergyOnInvalidId", 500)
    assert heard == [("MaxEnergyOnInvalidId", 500)]
    assert new(path).get("MaxEnergyOnInvalidId") == 500


def test_layers():
    path = fresh_folder() + "/settings"
    provision = {"HeartbeatInterval": "5", "NumberOfConnectors": "2", "ClockAlignedDataInterval": "15", "VendorX": "y"}
    settings = new(path, factory={"MessageTimeout": "11", "HeartbeatInterval": "77"}, provision=provision)
    assert settings.get("MessageTimeout") == 11
    assert settings.text("HeartbeatInterval") == "5"
    assert settings.get("NumberOfConnectors") == 2
    assert settings.get("ClockAlignedDataInterval") == 15  # verbatim, although no write would pass
    settings = new(path, provision={"HeartbeatInterval": "900"})
    assert settings.text("HeartbeatInterval") == "5"  # provisioning is for an empty store only
    assert settings.get("MessageTimeout") == 30


def test_unknown_names_are_kept_for_the_version_that_knows_them():
    path = fresh_folder() + "/settings"
    new(path, provision={"FutureKey": "42"}).set("HeartbeatInterval", 60)
    with open(path + ".txt", "w") as file:
        file.write("# Declarations of a later version\n\nFutureKey int 1 0..100 : A key of a later version\n")
        file.write("HeartbeatInterval int 300 10..86400 clamp : A key of every version\n")
    later = Settings(path, Registry(path + ".txt"))
    assert later.text("FutureKey") == "42" and later.get("HeartbeatInterval") == 60
    assert list(later.names()) == ["FutureKey", "HeartbeatInterval"]


def test_what_a_later_version_allowed_is_kept_but_does_not_count_here():
    """After a downgrade, texts outside the choices too: reported is what runs, and the log says so once."""
    path = fresh_folder() + "/settings"
    rows = {
        "MeterValueSampleInterval": ("int 60 0..99999999", "99999999", 60),
        "LogLevel": ("str info ..9 or=info,trace", "trace", "info"),
        "FreevendIdTag": ("str - ..99", "x" * 50, ""),
        "ChargingScheduleAllowedChargingRateUnit": ("csl Current or=Current,Horses", "Horses", ["Current", "Power"]),
        "MessageTimeout": ("str 5 ..9", "soon", 11),
    }
    with open(path + ".txt", "w") as file:
        for name, (declaration, _, _) in rows.items():
            file.write("%s %s : A setting of a later version\n" % (name, declaration))
    later = Settings(path, Registry(path + ".txt"))
    later.update({name: text for name, (_, text, _) in rows.items()}, "system")
    log = Log(FakeClock())
    settings = new(path, factory={"MessageTimeout": "11"}, log=log)
    for name, (_, _, value) in rows.items():
        for _ in range(2):
            assert settings.get(name) == value and settings.text(name) == to_text(value)
    assert len(list(log.lines(WARNING))) == len(rows)
    settings.set("HeartbeatInterval", 60)
    assert Settings(path, Registry(path + ".txt")).text("LogLevel") == "trace"
    settings.set("LogLevel", "debug")
    assert new(path).get("LogLevel") == "debug"


def test_provisioned_values_lose_their_privilege_when_they_are_changed():
    path = fresh_folder() + "/settings"
    new(path, provision={"MeterValueSampleInterval": "2", "MessageTimeout": "soon"})
    settings = new(path)
    assert settings.get("MeterValueSampleInterval") == 2 and settings.get("MessageTimeout") == 30
    settings.set("MeterValueSampleInterval", 7)
    with open(path + ".a", "rb") as file:
        assert b'"verbatim":["MessageTimeout"]' in file.read()


def test_secrets_are_never_shown():
    settings = new()
    assert settings.set_text("AuthorizationKey", "00112233445566778899aabbccddeeff") == "reconnect"
    assert settings.text("AuthorizationKey") == "" and settings.is_set("AuthorizationKey")
    assert settings.get("AuthorizationKey") == "00112233445566778899aabbccddeeff"
    assert settings.setting("AuthorizationKey").access == "w"


def test_several_changes_are_all_or_none():
    settings = new()
    with raises(InvalidValue):
        settings.update({"HeartbeatInterval": "60", "MessageTimeout": "0"})
    assert settings.get("HeartbeatInterval") == 300
    assert settings.update({"HeartbeatInterval": "60", "SecurityProfile": "1"}) == "reconnect"


def test_settings_of_absent_parts_are_unknown():
    settings = new()
    settings.fit(("lock",))
    assert "LightIntensity" not in settings.names() and "LockEarly" in settings.names()
    with raises(UnknownSetting):
        settings.get("LightIntensity")
    assert settings.get("UnlockConnectorOnEVSideDisconnect") is True


def test_a_fitted_part_can_fix_a_value():
    settings = new()
    settings.declare("UnlockConnectorOnEVSideDisconnect", default=False, access="r", who="")
    assert settings.get("UnlockConnectorOnEVSideDisconnect") is False
    with raises(ReadOnlySetting):
        settings.set("UnlockConnectorOnEVSideDisconnect", True)


def test_what_the_station_can_do_decides_last():
    settings = new()

    def no_voltage(name, items):
        if "Voltage" in items:
            raise ValueError("no voltage here")

    settings.add_validator("MeterValuesAlignedData MeterValuesSampledData", no_voltage)
    with raises(InvalidValue):
        settings.set_text("MeterValuesSampledData", "Voltage")
    settings.set_text("MeterValuesSampledData", "Power.Active.Import")


def test_a_damaged_copy_falls_back_to_the_last_good_one():
    path = fresh_folder() + "/settings"
    settings = new(path)
    settings.set("HeartbeatInterval", 60)  # generation 1, slot b
    settings.set("HeartbeatInterval", 70)  # generation 2, slot a
    with open(path + ".a", "rb") as f:
        data = f.read()
    for damaged in (data[:-1], data[: len(data) // 2], b"\x00" * 40, data.replace(b"70", b"71")):
        with open(path + ".a", "wb") as f:
            f.write(damaged)
        settings = new(path)
        assert settings.recovered and settings.get("HeartbeatInterval") == 60
    with open(path + ".b", "wb") as f:
        f.write(b"{}")
    settings = new(path, provision={"ChargePointId": "cp7"})
    assert settings.recovered and settings.get("HeartbeatInterval") == 300 and settings.get("ChargePointId") == "cp7"


def test_a_number_in_another_unit_is_refused_and_the_one_that_was_meant_is_named():
    """S2: 16 for a current in mA was taken for 16 mA."""
    settings = new()
    for name, text, meant in (
        ("MaxCurrent", "16", "6000..80000 mA, did you mean 16000?"),
        ("MaxCurrent", "32A", "did you mean 32000?"),
        ("MaxCurrent", "32 A", "did you mean 32000?"),
        ("MaxCurrent", "16000 mA", "did you mean 16000?"),
        ("MaxImbalance", "16", "0 or 1000..80000 mA, did you mean 16000?"),
        ("MessageTimeout", "30000", "1..600 s, did you mean 30?"),
        ("MessageTimeout", "30 s", "did you mean 30?"),
    ):
        before = settings.text(name)
        with raises(InvalidValue) as caught:
            settings.set_text(name, text, "installer")
        assert meant in str(caught.value) and str(caught.value).startswith(name), caught.value
        assert settings.text(name) == before
    for name, text in (("MaxCurrent", "5"), ("MaxCurrent", "x"), ("MessageTimeout", "0"), ("MaxCurrent", "1" * 30)):
        with raises(InvalidValue) as caught:
            settings.set_text(name, text, "installer")
        assert "did you mean" not in str(caught.value)
    settings.set_text("MaxImbalance", "0", "installer")


def test_a_change_that_was_interrupted_can_be_repeated_and_is_told():
    settings = new()
    told = []
    settings.changed.connect(told.append)
    wrote = settings.wear.wrote

    def interrupted(*args):
        settings.wear.wrote = wrote
        raise MemoryError("swept")

    settings.wear.wrote = interrupted
    with raises(MemoryError):
        settings.set("HeartbeatInterval", 20)
    assert settings.get("HeartbeatInterval") == 300 and told == []
    settings.set("HeartbeatInterval", 20)
    assert settings.get("HeartbeatInterval") == 20 and told == ["HeartbeatInterval"]


def test_changes_whose_observers_were_not_reached_are_told_with_the_next_one():
    settings = new()
    told = []

    def observer(name):
        told.append(name)
        if len(told) == 1:
            raise MemoryError("swept")

    settings.changed.connect(observer)
    with raises(MemoryError):
        settings.update({"HeartbeatInterval": "20", "MessageTimeout": "9"})
    assert len(told) == 1
    settings.set("ResetRetries", 1)
    assert sorted(told[:2]) == ["HeartbeatInterval", "MessageTimeout"] and told[2:] == ["ResetRetries"]
