"""Payload checks: which error code (OCPP-J 1.6 table 7), what is tolerated on receive, what is never sent."""

from harness import raises

import firmware.ocpp.schema as schema_module
from firmware.kernel.resources import lines, open_data
from firmware.ocpp.errors import CallError
from firmware.ocpp.v16.rules import Rules

FORMATION = "FormationViolation"
OCCURRENCE = "OccurrenceConstraintViolation"
PROPERTY = "PropertyConstraintViolation"
TYPE = "TypeConstraintViolation"


def profile(**changes):
    period = {"startPeriod": 0, "limit": 16.5}
    schedule = {"chargingRateUnit": "A", "chargingSchedulePeriod": [period]}
    result = {
        "chargingProfileId": 1,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": schedule,
    }
    for target in (result, schedule, period):
        for name in changes:
            if name in target:
                target[name] = changes[name]
    return {"connectorId": 1, "csChargingProfiles": result}


def code_of(check, *args):
    with raises(CallError) as caught:
        check(*args)
    return caught.value.code


def test_each_violation_has_its_code():
    # trap 3
    schema = Rules().schema
    for code, action, payload in (
        ("NotImplemented", "Nonsense", {}),
        ("NotImplemented", "reset", {"type": "Soft"}),
        ("NotImplemented", "Reset>", {"status": "Accepted"}),
        ("NotImplemented", "@IdTagInfo", {}),
        ("NotImplemented", "", {}),
        ("NotImplemented", "Reset type", {}),
        (FORMATION, "Reset", []),
        (FORMATION, "Reset", "Soft"),
        (FORMATION, "ClearCache", 0),
        (OCCURRENCE, "Reset", {}),
        (OCCURRENCE, "Reset", {"type": None}),
        (OCCURRENCE, "MeterValues", {"connectorId": 1, "meterValue": []}),
        (TYPE, "Reset", {"type": 1}),
        (TYPE, "UnlockConnector", {"connectorId": "1"}),
        (TYPE, "UnlockConnector", {"connectorId": 1.5}),
        (TYPE, "UnlockConnector", {"connectorId": True}),
        (TYPE, "UnlockConnector", {"connectorId": [1]}),
        (TYPE, "GetConfiguration", {"key": "HeartbeatInterval"}),
        (TYPE, "GetConfiguration", {"key": [1]}),
        (TYPE, "SetChargingProfile", profile(chargingSchedule=[])),
        (PROPERTY, "Reset", {"type": "Firm"}),
        (PROPERTY, "Reset", {"type": "Hard|Soft"}),
        (PROPERTY, "Reset", {"type": ""}),
        (PROPERTY, "RemoteStartTransaction", {"idTag": "x" * 21}),
        (PROPERTY, "ChangeConfiguration", {"key": "k", "value": "v" * 501}),
        (PROPERTY, "SetChargingProfile", profile(chargingRateUnit="VA")),  # errata 3.24
        (PROPERTY, "SetChargingProfile", profile(limit=float("inf"))),
        (PROPERTY, "SetChargingProfile", profile(limit=float("nan"))),
        (PROPERTY, "GetDiagnostics", {"location": "ftp://x", "startTime": "yesterday"}),
    ):
        assert code_of(schema.accept, action, payload) == code, (action, payload)


def test_description_names_the_field():
    with raises(CallError) as caught:
        Rules().schema.accept("SetChargingProfile", profile(limit="16"))
    path = "csChargingProfiles.chargingSchedule.chargingSchedulePeriod[0].limit"
    assert caught.value.description == path + " is not a number"


def test_lengths_count_characters():
    Rules().schema.accept("RemoteStartTransaction", {"idTag": "\u20ac" * 20})


def test_what_home_energy_managers_send_is_accepted():
    schema = Rules().schema
    payload = profile(chargingProfilePurpose="ChargePointMaxProfile", chargingProfileKind="Relative", limit=8.0)
    payload["connectorId"] = 0
    schema.accept("SetChargingProfile", payload)
    schema.accept("SetChargingProfile", profile(limit=0))
    schema.accept("GetCompositeSchedule", {"connectorId": 1, "duration": 60})


def test_received_extras_are_dropped_and_nulls_are_absent():
    # trap 6
    payload = {"connectorId": 2.0, "requestedMessage": "Heartbeat", "vendor": {"x": 1}, "y": None}
    Rules().schema.accept("TriggerMessage", payload)
    assert payload == {"connectorId": 2, "requestedMessage": "Heartbeat"}
    assert isinstance(payload["connectorId"], int)
    payload = {"connectorId": None, "requestedMessage": "Heartbeat"}
    Rules().schema.accept("TriggerMessage", payload)
    assert payload == {"requestedMessage": "Heartbeat"}


def test_received_times_may_have_fractions_and_offsets():
    # trap 6
    for time in ("2026-11-21T01:02:03Z", "2026-11-21T01:02:03.123456Z", "2026-11-21T01:02:03+05:30"):
        assert Rules().schema.read("Heartbeat", {"currentTime": time}) == []


def test_received_decimals_may_have_more_digits_than_one():
    Rules().schema.accept("SetChargingProfile", profile(limit=16.25))


def test_nothing_is_sent_that_the_schema_does_not_have():
    # trap 6
    schema = Rules().schema
    good = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}
    schema.validate("StatusNotification", good)
    for code, changes in (
        (FORMATION, {"extra": 1}),
        (TYPE, {"info": None}),
        (TYPE, {"connectorId": 1.0}),
        (PROPERTY, {"errorCode": "Error"}),
        (PROPERTY, {"vendorErrorCode": "x" * 51}),
        (PROPERTY, {"timestamp": ""}),
    ):
        payload = dict(good)
        payload.update(changes)
        assert code_of(schema.validate, "StatusNotification", payload) == code, changes


def test_only_one_decimal_is_sent():
    schedule = {"chargingRateUnit": "W", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 3333.3}]}
    answer = {"status": "Accepted", "chargingSchedule": schedule}
    schema = Rules().schema
    schema.validate("GetCompositeSchedule", answer, True)
    schedule["chargingSchedulePeriod"][0]["limit"] = 16.25
    assert code_of(schema.validate, "GetCompositeSchedule", answer, True) == PROPERTY


def test_frequency_has_no_unit():
    # trap 23
    value = {"timestamp": "2026-11-21T01:02:03Z", "sampledValue": [{"value": "50.0", "unit": "Hertz"}]}
    assert code_of(Rules().schema.validate, "MeterValues", {"connectorId": 1, "meterValue": [value]}) == PROPERTY


def test_answers_are_checked_by_their_own_schema():
    schema = Rules().schema
    schema.validate("Reset", {"status": "Accepted"}, True)
    assert code_of(schema.validate, "Reset", {"type": "Soft"}, True) == OCCURRENCE
    assert schema.read("Authorize", {"idTagInfo": {"status": "Accepted", "expiryDate": None}}) == []


def test_only_actions_are_known():
    schema = Rules().schema
    for action in ("BootNotification", "Reset", "SignedUpdateFirmware"):
        assert code_of(schema.accept, action, None) == FORMATION
    for action in ("Reset>", "@IdTagInfo", "Transfer", "", "Heart beat"):
        assert code_of(schema.accept, action, None) == "NotImplemented"


def test_the_newest_schemas_stay_in_ram_and_older_ones_are_read_again():
    schema = Rules().schema
    opened = []

    def counting(name):
        opened.append(name)
        return open_data(name)

    schema_module.open_data = counting
    try:
        for _ in range(3):
            schema.accept("Reset", {"type": "Soft"})
        assert len(opened) == 1
        for line in lines("firmware/ocpp/v16/schemas.txt"):
            name = line.split()[0]
            if name.isalpha() and name != "Reset":
                assert code_of(schema.accept, name, None) == FORMATION
        opened.clear()
        schema.accept("Reset", {"type": "Soft"})
        assert len(opened) == 1
    finally:
        schema_module.open_data = open_data
