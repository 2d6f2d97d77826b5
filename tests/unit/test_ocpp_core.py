"""Calls from the back-end: core, local list and remote trigger profiles, and profiles that are off (OCPP 1.6 §5)."""

import asyncio

from charging_profiles import ocpp_profile
from harness import raises
from link_bench import LinkBench

import firmware.ocpp.v16.local_list as local_list_module
from firmware.kernel.clock import parse_iso8601
from firmware.ocpp.errors import CallError
from firmware.ocpp.v16.rules import Rules

SCHEMA = Rules().schema


def entry(token, status="Accepted", **more):
    info = {"status": status}
    info.update(more)
    return {"idTag": token, "idTagInfo": info}


async def charging(bench, transaction_id=77):
    """A transaction runs that the back-end has numbered."""
    bench.peer.script["Authorize"] = [{"idTagInfo": {"status": "Accepted"}}]
    bench.peer.script["StartTransaction"] = [{"transactionId": transaction_id, "idTagInfo": {"status": "Accepted"}}]
    await bench.charging.charging()
    await bench.run(500)
    return bench


# -- transactions


async def test_remote_start_and_stop():
    # §5.11, §5.12, trap 31
    bench = await LinkBench().accepted()
    bench.charging.plug()
    bench.peer.script["Authorize"] = [{"idTagInfo": {"status": "Accepted"}}]
    assert await bench.status_of("RemoteStartTransaction", idTag="CARD", connectorId=1) == "Accepted"
    await bench.run(1_000)
    assert "StartTransaction" in bench.peer.actions()
    assert await bench.status_of("RemoteStopTransaction", transactionId=999) == "Rejected"
    assert await bench.status_of("RemoteStopTransaction", transactionId=1001) == "Accepted"
    await bench.run(10_000)
    (stop,) = bench.peer.payloads("StopTransaction")
    assert (stop["transactionId"], stop["reason"]) == (1001, "Remote")
    assert await bench.status_of("RemoteStopTransaction", transactionId=1001) == "Rejected"


async def test_remote_start_on_connector_zero_or_none_such():
    # trap 31
    bench = await LinkBench().accepted()
    bench.charging.plug()
    for n in (0, 2, -1):
        assert await bench.status_of("RemoteStartTransaction", idTag="CARD", connectorId=n) == "Rejected"
    assert await bench.status_of("RemoteStartTransaction", idTag="CARD") == "Accepted"


async def test_remote_start_takes_a_profile_for_the_coming_transaction_only():
    # trap 31, errata 3.41
    bench = await LinkBench().accepted()
    bench.charging.plug()
    profile = ocpp_profile(purpose="TxDefaultProfile")
    assert await bench.status_of("RemoteStartTransaction", idTag="CARD", chargingProfile=profile) == "Rejected"
    profile = ocpp_profile(purpose="TxProfile", transactionId=1)
    assert await bench.status_of("RemoteStartTransaction", idTag="CARD", chargingProfile=profile) == "Rejected"
    profile = ocpp_profile(purpose="TxProfile")
    assert await bench.status_of("RemoteStartTransaction", idTag="CARD", chargingProfile=profile) == "Accepted"


async def test_transaction_zero_can_be_stopped():
    # trap 14, errata 3.54
    bench = await charging(await LinkBench().accepted(), 0)
    assert await bench.status_of("RemoteStopTransaction", transactionId=0) == "Accepted"


# -- the station


async def test_change_availability():
    # §5.2, trap 25
    bench = await LinkBench().accepted()
    assert await bench.status_of("ChangeAvailability", connectorId=1, type="Inoperative") == "Accepted"
    assert bench.peer.payloads("StatusNotification")[-1]["status"] == "Unavailable"
    assert await bench.status_of("ChangeAvailability", connectorId=1, type="Inoperative") == "Accepted"
    assert await bench.status_of("ChangeAvailability", connectorId=0, type="Operative") == "Accepted"
    assert bench.peer.payloads("StatusNotification")[-1]["status"] == "Available"
    assert await bench.status_of("ChangeAvailability", connectorId=2, type="Inoperative") == "Rejected"
    await charging(bench)
    assert await bench.status_of("ChangeAvailability", connectorId=0, type="Inoperative") == "Scheduled"


async def test_reset_answers_first_and_then_stops():
    # §5.14, errata 3.36
    bench = await charging(await LinkBench().accepted())
    asked = []
    bench.station.operation.reset_requested.connect(lambda hard, by: asked.append((hard, by)))
    answer, after = bench.link.handle("Reset", {"type": "Soft"})
    await bench.run(500)
    assert answer == {"status": "Accepted"} and bench.charging.word == "charging"
    after()
    await bench.run(10_000)
    assert asked == [(False, "csms")]
    assert bench.peer.payloads("StopTransaction")[0]["reason"] == "SoftReset"


async def test_unlock_connector():
    # §5.18, trap 4, errata 3.87
    socket = await LinkBench().accepted()
    asked = asyncio.create_task(socket.status_of("UnlockConnector", connectorId=1))
    await socket.run(500)
    assert await asked == "Unlocked"
    for n in (0, 2):
        assert await socket.status_of("UnlockConnector", connectorId=n) == "NotSupported"
    cable = await LinkBench(socket=False).accepted()
    assert await cable.status_of("UnlockConnector", connectorId=1) == "NotSupported"


async def test_clear_cache_without_cache_is_rejected():
    # trap 28, errata 3.23
    bench = await LinkBench().accepted()
    assert await bench.status_of("ClearCache") == "Accepted"
    bench.settings.set("AuthorizationCacheEnabled", False)
    assert await bench.status_of("ClearCache") == "Rejected"


async def test_data_transfer_of_an_unknown_vendor():
    # §4.3
    bench = await LinkBench().accepted()
    assert await bench.ask("DataTransfer", vendorId="com.example", data="x") == {"status": "UnknownVendorId"}


async def test_data_transfer_of_a_vendor_that_is_known():
    """S10: a door for the messages of a vendor, OCPP 1.6 §5.6; the vendorId is case-insensitive."""
    bench = await LinkBench().accepted()

    def answer(message_id, data):
        if message_id is None:
            return "Rejected", None
        return ("Accepted", data + "!") if message_id == "Echo" else ("UnknownMessageId", None)

    bench.link.vendors["com.example"] = answer
    known = {"vendorId": "Com.Example"}
    assert await bench.ask("DataTransfer", messageId="Echo", data="x", **known) == {"status": "Accepted", "data": "x!"}
    assert await bench.ask("DataTransfer", messageId="Other", **known) == {"status": "UnknownMessageId"}
    assert await bench.ask("DataTransfer", **known) == {"status": "Rejected"}
    assert await bench.ask("DataTransfer", vendorId="com.other") == {"status": "UnknownVendorId"}


# -- configuration


async def test_keys_are_case_insensitive():
    # trap 27, errata 3.73
    bench = await LinkBench().accepted()
    answer = await bench.ask("GetConfiguration", key=["heartbeatINTERVAL", "nonsense"])
    (value,) = answer["configurationKey"]
    assert value == {"key": "HeartbeatInterval", "readonly": False, "value": "300"}
    assert answer["unknownKey"] == ["nonsense"]


async def test_all_keys_without_secrets_and_without_our_own():
    # trap 27, OCPP-J 1.6 §6.2.2
    bench = await LinkBench().accepted()
    bench.settings.set("AuthorizationKey", "0123456789abcdef0123456789abcdef", "system")
    answer = await bench.ask("GetConfiguration")
    values = {value["key"]: value for value in answer["configurationKey"]}
    assert "value" not in values["AuthorizationKey"] and not values["AuthorizationKey"]["readonly"]
    assert values["NumberOfConnectors"]["readonly"] is True
    for name in ("CentralSystemUrl", "WifiPassword", "WifiSsid"):
        assert name not in values
    assert "unknownKey" not in answer
    for name in (
        "AuthorizeRemoteTxRequests ClockAlignedDataInterval ConnectionTimeOut ConnectorPhaseRotation "
        "GetConfigurationMaxKeys HeartbeatInterval LocalAuthorizeOffline LocalPreAuthorize MeterValuesAlignedData "
        "MeterValuesSampledData MeterValueSampleInterval NumberOfConnectors ResetRetries StopTransactionOnInvalidId "
        "StopTxnAlignedData StopTxnSampledData SupportedFeatureProfiles TransactionMessageAttempts "
        "TransactionMessageRetryInterval"
    ).split():
        assert name in values, name


async def test_an_empty_list_of_keys_means_all():
    bench = await LinkBench().accepted()
    assert len((await bench.ask("GetConfiguration", key=[]))["configurationKey"]) > 20


async def test_more_keys_than_announced_are_refused():
    bench = await LinkBench().accepted()
    keys = ["HeartbeatInterval"] * (bench.settings.get("GetConfigurationMaxKeys") + 1)
    assert await bench.ask("GetConfiguration", key=keys) == "OccurrenceConstraintViolation"


async def test_change_configuration_statuses():
    # §5.3
    bench = await LinkBench().accepted()

    async def change(key, value):
        return await bench.status_of("ChangeConfiguration", key=key, value=value)

    assert await change("connectiontimeout", "90") == "Accepted"
    assert bench.settings.get("ConnectionTimeOut") == 90
    assert await change("ConnectionTimeOut", "ninety") == "Rejected"
    assert await change("NumberOfConnectors", "2") == "Rejected"
    assert await change("Nonsense", "2") == "NotSupported"
    assert await change("CentralSystemUrl", "ws://elsewhere") == "NotSupported"
    assert await change("WebSocketPingInterval", "-1") == "Rejected"
    assert await change("LocalPreAuthorize", "TRUE") == "Accepted"
    assert bench.settings.get("LocalPreAuthorize") is True


async def test_a_value_that_is_a_number_or_boolean_is_read_as_text():
    # O10: as some central systems send it, against the schema
    bench = await LinkBench().accepted()
    for key, value, text in (
        ("MeterValueSampleInterval", 30, "30"),
        ("MeterValueSampleInterval", 45.0, "45"),
        ("LocalPreAuthorize", True, "true"),
        ("LocalPreAuthorize", False, "false"),
    ):
        payload = {"key": key, "value": value}
        SCHEMA.accept("ChangeConfiguration", payload)
        assert await bench.status_of("ChangeConfiguration", **payload) == "Accepted", (key, value)
        assert bench.settings.text(key) == text
    for value in (-1, 1.5, True):  # makes no sense for this key, as text it would not either
        payload = {"key": "MeterValueSampleInterval", "value": value}
        SCHEMA.accept("ChangeConfiguration", payload)
        assert await bench.status_of("ChangeConfiguration", **payload) == "Rejected"


def test_only_a_plain_value_is_read_as_text():
    # O10: and of no other field; what is sent is checked to the letter
    for value, code in (
        (None, "OccurrenceConstraintViolation"),
        ([], "TypeConstraintViolation"),
        ({}, "TypeConstraintViolation"),
        (10**500, "PropertyConstraintViolation"),
    ):
        with raises(CallError) as caught:
            SCHEMA.accept("ChangeConfiguration", {"key": "LightIntensity", "value": value})
        assert caught.value.code == code
    for payload in ({"key": 30, "value": "30"}, {"key": True, "value": "30"}):
        with raises(CallError) as caught:
            SCHEMA.accept("ChangeConfiguration", payload)
        assert caught.value.code == "TypeConstraintViolation"
    with raises(CallError):
        SCHEMA.validate("ChangeConfiguration", {"key": "LightIntensity", "value": 30})


async def test_phase_rotation_names_the_connectors_that_there_are():
    # §9.1.8
    bench = await LinkBench(connectors=2).accepted()
    (value,) = (await bench.ask("GetConfiguration", key=["ConnectorPhaseRotation"]))["configurationKey"]
    assert value["value"] == "0.Unknown,1.Unknown,2.Unknown"
    for text, status in (
        ("0.RST,1.RST,2.RTS", "Accepted"),
        ("0.RST,3.RST", "Rejected"),
        ("1.RST,1.RTS", "Rejected"),
        ("1.RSS", "Rejected"),
        ("", "Accepted"),
    ):
        assert await bench.status_of("ChangeConfiguration", key="ConnectorPhaseRotation", value=text) == status


async def test_a_security_profile_that_would_cut_the_link_is_refused():
    # trap 40, white paper A05
    bench = await LinkBench().accepted()

    async def change(value):
        return await bench.status_of("ChangeConfiguration", key="SecurityProfile", value=value)

    assert await change("1") == "Rejected"  # there is no password yet
    bench.settings.set("AuthorizationKey", "A" * 16, "installer")
    assert await change("1") == "Accepted"
    for value in ("0", "2", "3", "x"):  # lower; no TLS in the address; no client certificate; nonsense
        assert await change(value) == "Rejected"
    bench.settings.update({"CentralSystemUrl": "wss://host", "CentralSystemCaFile": "/ca.pem"}, "installer")
    assert await change("2") == "Accepted"


async def test_a_new_authorization_key_reconnects():
    # trap 40; that the answer goes out first is Connection's part
    bench = await LinkBench().accepted()
    payload = {"key": "AuthorizationKey", "value": "00112233445566778899aabbccddeeff"}
    assert bench.link.handle("ChangeConfiguration", payload) == {"status": "Accepted"}
    assert bench.connection.reconnects == 1
    bench.settings.set_text("SecurityProfile", "1", "installer")
    assert bench.connection.reconnects == 2


async def test_unknown_measurands_are_refused_before_the_first_reading():
    bench = LinkBench()
    for value in ("Nonsense", "Energy.Active.Import.Register,Voltage.L4"):
        assert await bench.status_of("ChangeConfiguration", key="StopTxnSampledData", value=value) == "Rejected"


async def test_measurands_that_nobody_has_are_refused_and_nothing_changes():
    # trap 23, §3.16.4
    bench = await LinkBench().accepted()
    for key in ("MeterValuesSampledData", "MeterValuesAlignedData", "StopTxnSampledData", "StopTxnAlignedData"):
        before = bench.settings.get(key)
        for value in ("Energy.Active.Import.Register,SoC", "Nonsense", "Voltage"):  # the bench's meter has no voltage
            assert await bench.status_of("ChangeConfiguration", key=key, value=value) == "Rejected"
        assert bench.settings.get(key) == before
        value = "Energy.Active.Import.Register,Current.Import.L1,Current.Offered"
        assert await bench.status_of("ChangeConfiguration", key=key, value=value) == "Accepted"
        assert await bench.status_of("ChangeConfiguration", key=key, value="") == "Accepted"


# -- actions that are not there


async def test_unknown_and_absent_actions():
    # trap 4, OCPP-J 1.6 table 7
    bench = await LinkBench().accepted()
    assert await bench.ask("Nonsense") == "NotImplemented"
    assert await bench.ask("BootNotification") == "NotImplemented"
    assert await bench.ask("CertificateSigned", certificateChain="x") == "NotSupported"


async def test_profiles_that_are_off():
    bench = await LinkBench(SupportedFeatureProfiles=["Core"]).accepted()
    assert await bench.ask("GetLocalListVersion") == {"listVersion": -1}
    assert await bench.status_of("SendLocalList", listVersion=1, updateType="Full") == "NotSupported"
    assert await bench.status_of("ReserveNow", connectorId=1) == "Rejected"
    for action in ("CancelReservation", "TriggerMessage", "SetChargingProfile", "GetDiagnostics"):
        assert await bench.ask(action) == "NotSupported"
    assert await bench.status_of("ChangeConfiguration", key="LocalAuthListEnabled", value="true") == "NotSupported"
    assert (await bench.ask("GetConfiguration", key=["LocalAuthListEnabled"]))["unknownKey"] == ["LocalAuthListEnabled"]
    names = [value["key"] for value in (await bench.ask("GetConfiguration"))["configurationKey"]]
    assert "ChargeProfileMaxStackLevel" not in names


# -- local list


async def test_versions_of_the_local_list():
    # trap 29, errata 3.52
    bench = await LinkBench().accepted()

    async def send(version, kind, *entries):
        return await bench.status_of(
            "SendLocalList", listVersion=version, updateType=kind, localAuthorizationList=list(entries)
        )

    async def version():
        return (await bench.ask("GetLocalListVersion"))["listVersion"]

    assert await version() == 0
    assert await send(0, "Full", entry("A")) == "Failed"
    assert await send(-1, "Full", entry("A")) == "Failed"
    assert await send(5, "Full", entry("A"), entry("B", "Blocked")) == "Accepted"
    assert await version() == 5
    assert await send(5, "Differential", entry("C")) == "VersionMismatch"
    assert await send(4, "Differential", entry("C")) == "VersionMismatch"
    assert await send(6, "Differential", entry("C"), {"idTag": "a"}) == "Accepted"
    assert await version() == 6
    assert await send(2, "Full") == "Accepted"  # a full list may go back, and an empty one clears
    assert await version() == 0


async def test_a_bad_list_changes_nothing():
    bench = await LinkBench().accepted()
    for entries in (
        [entry("A"), entry("a")],
        [{"idTag": "A"}],
        [entry("A", expiryDate="tomorrow")],
        [entry("")],
    ):
        payload = {"listVersion": 7, "updateType": "Full", "localAuthorizationList": entries}
        assert await bench.status_of("SendLocalList", **payload) == "Failed"
    assert await bench.ask("GetLocalListVersion") == {"listVersion": 0}


async def test_a_list_that_is_switched_off_is_none():
    bench = await LinkBench(LocalAuthListEnabled=False).accepted()
    assert await bench.ask("GetLocalListVersion") == {"listVersion": -1}
    assert await bench.status_of("SendLocalList", listVersion=1, updateType="Full") == "NotSupported"


async def test_more_entries_than_announced_are_refused():
    bench = await LinkBench().accepted()
    entries = [entry("T%d" % i) for i in range(701)]
    payload = {"listVersion": 7, "updateType": "Differential", "localAuthorizationList": entries}
    assert await bench.ask("SendLocalList", **payload) == "OccurrenceConstraintViolation"


# -- remote trigger


async def test_triggered_messages_follow_the_answer():
    # trap 30, §5.17
    bench = await LinkBench(connectors=2).accepted()
    answer, after = bench.link.handle("TriggerMessage", {"requestedMessage": "StatusNotification"})
    await bench.run(500)
    assert answer == {"status": "Accepted"} and bench.peer.calls == []
    after()
    await bench.run(500)
    assert [p["connectorId"] for p in bench.peer.payloads("StatusNotification")] == [0, 1, 2]


async def test_trigger_of_each_message():
    # trap 30: idle status only when triggered, irrelevant connector ignored
    bench = await LinkBench().accepted()
    for message in ("Heartbeat", "DiagnosticsStatusNotification", "FirmwareStatusNotification", "MeterValues"):
        assert await bench.status_of("TriggerMessage", requestedMessage=message, connectorId=1) == "Accepted"
        assert bench.peer.actions()[-1] == message
    assert bench.peer.payloads("FirmwareStatusNotification") == [{"status": "Idle"}]
    assert await bench.status_of("TriggerMessage", requestedMessage="Heartbeat", connectorId=9) == "Accepted"


async def test_trigger_of_a_connector_that_is_not_there():
    bench = await LinkBench().accepted()
    for message in ("StatusNotification", "MeterValues"):
        assert await bench.status_of("TriggerMessage", requestedMessage=message, connectorId=2) == "Rejected"


async def test_trigger_of_meter_values_without_anything_to_say():
    # §5.17: what is accepted is sent
    bench = await LinkBench().accepted()
    bench.settings.set("MeterValuesSampledData", [])
    assert await bench.status_of("TriggerMessage", requestedMessage="MeterValues") == "Rejected"
    bench.settings.set("MeterValuesSampledData", ["Current.Import"])
    bench.charging.meter.fails = True
    await bench.run(60_000)
    assert await bench.status_of("TriggerMessage", requestedMessage="MeterValues") == "Rejected"


async def test_a_trigger_of_meter_values_is_accepted_only_with_something_to_send():
    # O3, §5.17: whatever the reason that none of the measurands can be had at this moment
    for measurands, sent in (
        (["Energy.Active.Import.Interval"], 0),  # there is none between two triggers
        (["Voltage", "Frequency", "Temperature"], 0),  # the meter does not measure them
        (["Energy.Active.Import.Interval", "Current.Import"], 3),
        (["Current.Offered"], 2),  # not of the station as a whole
    ):
        for transaction in (False, True):
            bench = await LinkBench(connectors=2, MeterValuesSampledData=measurands).accepted()
            if transaction:
                await charging(bench)
            for n in (None, 0, 1, 2):
                bench.peer.calls = []
                asked = {} if n is None else {"connectorId": n}
                status = await bench.status_of("TriggerMessage", requestedMessage="MeterValues", **asked)
                await bench.run(500)
                posted = [payload["connectorId"] for payload in bench.peer.payloads("MeterValues")]
                expected = [m for m in (0, 1, 2) if n in (None, m) and m > 2 - sent]
                assert posted == expected and status == ("Accepted" if expected else "Rejected"), (measurands, n)


async def test_triggered_meter_values_are_kept_and_have_the_time_of_their_transaction():
    # M3, M9: what was sent is on flash, on the clock of the begin
    bench = await LinkBench(MeterValuesSampledData=["Energy.Active.Import.Register"]).accepted()
    await charging(bench)
    begin = bench.charging.transaction
    await bench.run(3_000)
    bench.charging.meter.wh += 7
    await bench.run(3_000)
    bench.clock.set_unix(bench.clock.now() - 3_600, "ocpp")
    bench.peer.calls = []
    assert await bench.status_of("TriggerMessage", requestedMessage="MeterValues", connectorId=1) == "Accepted"
    await bench.run(200)
    value = bench.peer.payloads("MeterValues")[0]["meterValue"][0]
    assert 5 <= parse_iso8601(value["timestamp"]) - begin.begin_t <= 9
    tx, wh, t = bench.charging.journal.running.load()[1]
    assert tx == begin.number and wh == int(value["sampledValue"][0]["value"]) >= begin.begin_wh + 7
    assert t == parse_iso8601(value["timestamp"])


async def test_a_trigger_of_meter_values_speaks_for_the_meters_that_can_be_read():
    # O3: one meter of two is silent, so that there is no sum either
    bench = await LinkBench(connectors=2, MeterValuesSampledData=["Energy.Active.Import.Register"]).accepted()
    bench.charging.meters[1].fails = True
    await bench.run(60_000)
    bench.peer.calls = []
    statuses = []
    for n in (0, 1, 2):
        statuses.append(await bench.status_of("TriggerMessage", requestedMessage="MeterValues", connectorId=n))
    assert statuses == ["Rejected", "Accepted", "Rejected"]
    assert await bench.status_of("TriggerMessage", requestedMessage="MeterValues") == "Accepted"
    assert [payload["connectorId"] for payload in bench.peer.payloads("MeterValues")] == [1, 1]


async def test_trigger_of_something_unknown():
    # trap 30
    bench = await LinkBench().accepted()
    for message in ("Reset", "StartTransaction", "SignChargePointCertificate"):
        assert await bench.status_of("TriggerMessage", requestedMessage=message) == "NotImplemented"


async def test_trigger_of_a_boot_once_accepted_is_rejected():
    # trap 8, errata 3.35
    bench = await LinkBench().accepted()
    assert await bench.status_of("TriggerMessage", requestedMessage="BootNotification") == "Rejected"


async def test_trigger_of_a_boot_after_a_reconnect_is_followed():
    # trap 8: a central system that was restarted waits for it, and errata 3.35 ends the refusal there
    bench = await LinkBench().accepted()
    bench.connection.set(False)
    bench.connection.set(True)
    await bench.run(1_000)
    assert "BootNotification" not in bench.peer.actions()
    assert await bench.status_of("TriggerMessage", requestedMessage="BootNotification") == "Accepted"
    assert "BootNotification" in bench.peer.actions()
    assert await bench.status_of("TriggerMessage", requestedMessage="BootNotification") == "Rejected"


async def test_triggered_meter_values_carry_the_running_transaction():
    # errata 3.46
    bench = await charging(await LinkBench().accepted())
    assert await bench.status_of("TriggerMessage", requestedMessage="MeterValues", connectorId=1) == "Accepted"
    payload = bench.peer.payloads("MeterValues")[-1]
    assert payload["transactionId"] == 77
    assert {v["context"] for v in payload["meterValue"][0]["sampledValue"]} == {"Trigger"}


async def test_a_conflict_with_the_list_is_reported_on_connector_zero():
    # trap 28, §3.5.2
    bench = await LinkBench().accepted()
    bench.station.authoriser.conflict.emit("CARD")
    await bench.run(100)
    bench.station.authoriser.conflict.emit("OTHER")
    await bench.run(100)
    payloads = bench.peer.payloads("StatusNotification")
    assert [(p["connectorId"], p["errorCode"]) for p in payloads] == [(0, "LocalListConflict")] * 2


async def test_a_storm_of_triggers_is_bounded():
    bench = await LinkBench().accepted()
    bench.peer.script["Heartbeat"] = [CallError("InternalError")]
    for _ in range(200):
        _, after = bench.link.handle("TriggerMessage", {"requestedMessage": "Heartbeat"})
        after()
    await bench.run(1_000)
    assert 0 < len(bench.peer.calls) <= 17


async def test_a_list_takes_no_flash_that_the_journal_needs():
    bench = await LinkBench().accepted()
    real = local_list_module.free_bytes

    async def sent(count, version, free, kind="Full"):
        local_list_module.free_bytes = lambda path: free
        try:
            entries = [{"idTag": "T%d" % n, "idTagInfo": {"status": "Accepted"}} for n in range(count)]
            return await bench.status_of(
                "SendLocalList", listVersion=version, updateType=kind, localAuthorizationList=entries
            )
        finally:
            local_list_module.free_bytes = real

    margin = 65_536  # that is left to the journal
    assert await sent(10, 1, 20 * 46 + margin - 1) == "Failed"
    assert await sent(10, 1, 20 * 46 + margin) == "Accepted"
    # a full list replaces the old one, an update is written beside it
    assert await sent(10, 2, 20 * 46 + margin) == "Accepted"
    assert await sent(5, 3, 20 * 46 + margin - 1, "Differential") == "Failed"
    assert await sent(5, 3, 20 * 46 + margin, "Differential") == "Accepted"


async def test_versions_of_a_list_have_limits():
    # errata 3.52: 0 and -1 have meanings of their own
    bench = await LinkBench().accepted()
    for version, status in ((0, "Failed"), (-1, "Failed"), (1, "Accepted"), (2**31 - 1, "Accepted"), (2**31, "Failed")):
        assert await bench.status_of("SendLocalList", listVersion=version, updateType="Full") == status, version


async def test_the_back_end_raises_the_security_profile_to_what_the_link_can():
    # white paper A05: never lower, and only with what it needs
    for key, url, ca, allowed in (
        ("", "ws://127.0.0.1", "", [0]),
        ("x" * 16, "ws://127.0.0.1", "", [0, 1]),
        ("x" * 16, "wss://127.0.0.1", "", [0, 1]),
        ("x" * 16, "ws://127.0.0.1", "/ca.pem", [0, 1]),
        ("x" * 16, "wss://127.0.0.1", "/ca.pem", [0, 1, 2]),
    ):
        found = []
        for profile in (0, 1, 2, 3):
            wanted = {"CentralSystemUrl": url, "CentralSystemCaFile": ca, "SecurityProfile": 0}
            if key:
                wanted["AuthorizationKey"] = key
            bench = await LinkBench(**wanted).accepted()
            status = await bench.status_of("ChangeConfiguration", key="SecurityProfile", value=str(profile))
            if status != "Rejected":
                found.append(profile)
        assert found == allowed, (url, found)


async def test_a_link_in_doubt_is_asked_something_simple():
    bench = LinkBench()
    await bench.run(100)
    bench.connection.doubted.emit()
    await bench.run(100)
    assert bench.peer.calls == []  # nobody has accepted the station
    await bench.accepted()
    bench.connection.doubted.emit()
    await bench.run(100)
    assert bench.peer.actions() == ["Heartbeat"]
