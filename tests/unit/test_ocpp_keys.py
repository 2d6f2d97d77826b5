"""Every standard configuration key has the access, type and limits that OCPP 1.6 §9 and its errata give it."""

from link_bench import LinkBench

from firmware.ocpp.v16.keys import OWN, profile_of
from firmware.store.registry import SETTINGS

# key -> kind; those that a back-end may change. MessageTimeout: errata 3.83
WRITABLE = {
    "AllowOfflineTxForUnknownId": "bool",
    "AuthorizationCacheEnabled": "bool",
    "AuthorizeRemoteTxRequests": "bool",
    "ClockAlignedDataInterval": "int",
    "ConnectionTimeOut": "int",
    "ConnectorPhaseRotation": "csl",
    "HeartbeatInterval": "int",
    "LocalAuthorizeOffline": "bool",
    "LocalPreAuthorize": "bool",
    "MaxEnergyOnInvalidId": "int",
    "MessageTimeout": "int",
    "MeterValuesAlignedData": "csl",
    "MeterValuesSampledData": "csl",
    "MeterValueSampleInterval": "int",
    "MinimumStatusDuration": "int",
    "ResetRetries": "int",
    "StopTransactionOnEVSideDisconnect": "bool",
    "StopTransactionOnInvalidId": "bool",
    "StopTxnAlignedData": "csl",
    "StopTxnSampledData": "csl",
    "TransactionMessageAttempts": "int",
    "TransactionMessageRetryInterval": "int",
    "UnlockConnectorOnEVSideDisconnect": "bool",
    "WebSocketPingInterval": "int",
    "LocalAuthListEnabled": "bool",
}
READ_ONLY = (
    "ConnectorPhaseRotationMaxLength GetConfigurationMaxKeys MeterValuesAlignedDataMaxLength "
    "MeterValuesSampledDataMaxLength NumberOfConnectors StopTransactionMaxMeterValues StopTxnAlignedDataMaxLength "
    "StopTxnSampledDataMaxLength SupportedFeatureProfiles SupportedFeatureProfilesMaxLength LocalAuthListMaxLength "
    "SendLocalListMaxLength ReserveConnectorZeroSupported ChargeProfileMaxStackLevel "
    "ChargingScheduleAllowedChargingRateUnit ChargingScheduleMaxPeriods ConnectorSwitch3to1PhaseSupported "
    "MaxChargingProfilesInstalled"
).split()

# What no key of a kind can be. The largest number of any key is far below the last one.
NONSENSE = {
    "bool": ("", "maybe", "1", "0"),
    "int": ("", "many", "-1", "1.5", "1e3", "99999999999"),
    "csl": ("Nonsense", ",", "0.Up"),
}
CLAMPED = ("HeartbeatInterval",)  # takes what is too much, and runs with its limit


async def values_of(bench, *keys):
    answer = await bench.ask("GetConfiguration", key=list(keys))
    assert "unknownKey" not in answer, answer
    return {item["key"]: item for item in answer["configurationKey"]}


async def test_access_is_that_of_the_specification():
    bench = await LinkBench().accepted()
    for key, item in (await values_of(bench, *WRITABLE)).items():
        assert item["readonly"] is False, key
    for key, item in (await values_of(bench, *READ_ONLY)).items():
        assert item["readonly"] is True, key
        status = await bench.status_of("ChangeConfiguration", key=key, value=item["value"])
        assert status == "Rejected", key


async def test_a_key_takes_what_it_reads_and_keeps_it_when_it_refuses():
    bench = await LinkBench(MeterValuesSampledData=["Current.Import", "Current.Offered"]).accepted()
    for key, item in (await values_of(bench, *WRITABLE)).items():
        value = item["value"]
        assert await bench.status_of("ChangeConfiguration", key=key.upper(), value=value) == "Accepted", key
        for text in NONSENSE[WRITABLE[key]]:
            if key in CLAMPED and text.isdigit():
                continue
            assert await bench.status_of("ChangeConfiguration", key=key, value=text) == "Rejected", (key, text)
        assert (await values_of(bench, key))[key]["value"] == value, key


async def test_a_list_takes_as_many_items_as_its_max_length_says():
    # trap 23, §5.3
    bench = await LinkBench(MeterValuesSampledDataMaxLength=2, StopTxnAlignedDataMaxLength=2).accepted()
    for key in ("MeterValuesSampledData", "StopTxnAlignedData"):
        for text, status in (
            ("Current.Import,Current.Offered", "Accepted"),
            ("Current.Import,Current.Offered,Power.Offered", "Rejected"),
        ):
            assert await bench.status_of("ChangeConfiguration", key=key, value=text) == status, (key, text)


def test_every_key_of_a_profile_is_a_setting_that_a_back_end_sees():
    profiles = {row.name: profile_of(row) for row in SETTINGS}
    assert profiles["HeartbeatInterval"] == "Core" and profiles["AuthorizationKey"] == "Security"
    assert profiles["ReswipeGuard"] in (OWN, None) and None in profiles.values() and OWN in profiles.values()
    assert sum(profile not in (OWN, None) for profile in profiles.values()) == 52  # as many as keys.py names
