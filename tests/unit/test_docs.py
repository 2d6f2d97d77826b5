# interpreters: cpython
"""The tables of docs/ are those of the code, and leave nothing out."""

from tools.docs.pages import pages


def test_every_generated_table_is_current():
    for path, before, text in pages():
        assert before == text, f"{path}: python -m tools.docs"


def test_every_trap_has_a_test():
    from tools.docs.ocpp_traps import TRAPS, tests_of_traps

    assert {number for number, _ in TRAPS} == set(tests_of_traps())


def test_every_supported_message_has_a_test():
    from tools.docs.ocpp_tables import _answered, _sent, _tests

    tests = _tests()
    assert [message for message in _answered() | _sent() if not tests[message]] == []


def test_the_table_of_keys_has_what_a_station_answers():
    # O14: keys of what is not there are not in the table
    from firmware.store.registry import SETTINGS
    from tools.docs.ocpp_tables import keys, station_settings

    names = {setting.name for setting in keys()}
    profiles = station_settings().get("SupportedFeatureProfiles")
    assert "FirmwareManagement" not in profiles and "SupportedFileTransferProtocols" not in names
    certificates = {setting.name for setting in SETTINGS if setting.part == "certificates"}
    assert len(certificates) == 3 and not certificates & names
    assert {"HeartbeatInterval", "LightIntensity", "AuthorizationKey", "ConnectorSwitch3to1PhaseSupported"} <= names


def test_every_message_of_ocpp_16_is_in_the_conformance_table():
    from tools.docs.ocpp_tables import _SENT, known_messages, received

    assert known_messages() == set(received()) | set(_SENT)


def test_every_file_is_listed_with_its_first_sentence():
    import tempfile
    from pathlib import Path

    from tools.docs.file_tables import TABLES, summary

    firmware, lib, tools = ("\n".join(table()) for table in TABLES.values())
    assert "| `evse/limits.py` | Current limits" in firmware and "| `store/settings.txt` | All settings" in firmware
    assert "| `modbus_rtu/master.py` | " in lib and "| `sim/` | " in tools and "| `backup.py` | " in tools
    with tempfile.TemporaryDirectory() as folder:
        silent = Path(folder) / "silent.py"
        silent.write_text("import os\n")
        try:
            summary(silent)
        except ValueError:
            pass
        else:
            raise AssertionError("a module without a docstring")
