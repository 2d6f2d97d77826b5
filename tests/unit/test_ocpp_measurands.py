"""Measurands on the wire (OCPP 1.6 §3.16, §7.31, §7.43, §9.1.17)."""

from harness import raises

from firmware.kernel.reading import Reading
from firmware.ocpp.v16.measurands import Look, decimal, is_fitted, resolve, sampled_values


def three_phases():
    return Reading(
        energy_wh=1234567,
        power_w=11040,
        currents_ma=(16000, 15999, 0),
        voltages_mv=(230100, 229950, 231000),
        powers_w=(3680, 3679, 0),
        frequency_mhz=50020,
    )


def values(item, reading=None, **known):
    return sampled_values([item], "periodic", Look(reading or three_phases(), **known))


def test_decimals_are_exact_and_made_of_integers():
    assert decimal(16000, 3) == "16.0"
    assert decimal(15999, 3) == "15.999"
    assert decimal(6, 3) == "0.006"
    assert decimal(0, 3) == "0.0"
    assert decimal(-35, 1) == "-3.5"
    assert decimal(2147483647123, 3) == "2147483647.123"


def test_register_is_whole_watt_hours_with_all_fields_that_matter():
    assert values("Energy.Active.Import.Register") == [
        {
            "value": "1234567",
            "context": "Sample.Periodic",
            "measurand": "Energy.Active.Import.Register",
            "unit": "Wh",
        }
    ]


def test_every_phase_is_reported_when_none_is_named():
    # §3.16.3
    currents = values("Current.Import")
    assert [(v["phase"], v["value"], v["unit"]) for v in currents] == [
        ("L1", "16.0", "A"),
        ("L2", "15.999", "A"),
        ("L3", "0.0", "A"),
    ]
    assert [v["phase"] for v in values("Voltage")] == ["L1-N", "L2-N", "L3-N"]
    assert [v.get("phase") for v in values("Power.Active.Import")] == [None, "L1", "L2", "L3"]


def test_a_list_may_name_one_phase():
    # §9.1.17: Current.Import.L1
    assert [(v["measurand"], v["phase"], v["value"]) for v in values("Current.Import.L2")] == [
        ("Current.Import", "L2", "15.999")
    ]
    assert [(v["phase"], v["value"]) for v in values("Voltage.L1")] == [("L1", "230.1")]
    assert values("Current.Import.L3", Reading(currents_ma=(6000,))) == []


def test_frequency_has_no_unit():
    # trap 23, errata 3.86
    (value,) = values("Frequency")
    assert value["value"] == "50.02"
    assert "unit" not in value


def test_temperature_keeps_the_spelling_of_the_schemas():
    # OCPP-J errata 2.1
    assert values("Temperature", Reading(temperature_dc=235))[0]["unit"] == "Celcius"


def test_what_the_meter_has_not_is_left_out():
    single = Reading(energy_wh=5, currents_ma=(6000,))
    items = ["Voltage", "Energy.Active.Export.Register", "Frequency", "Current.Import"]
    assert [v["measurand"] for v in sampled_values(items, "clock", Look(single))] == ["Current.Import"]


def test_offered_current_and_power():
    assert values("Current.Offered", offered_ma=16000)[0]["value"] == "16.0"
    assert values("Power.Offered", offered_ma=16000)[0]["value"] == "11040"
    assert values("Current.Offered") == []


def test_interval_counts_from_the_register_before():
    assert values("Energy.Active.Import.Interval", previous_wh=1234500)[0]["value"] == "67"
    assert values("Energy.Active.Import.Interval") == []


def test_power_of_one_direction_is_never_negative():
    feeding = Reading(power_w=-500, export_wh=3)
    assert values("Power.Active.Import", feeding)[0]["value"] == "0"
    assert values("Power.Active.Export", feeding)[0]["value"] == "500"


def test_names_are_case_insensitive_and_unknown_ones_are_refused():
    assert resolve("current.import.l1") == ("Current.Import", "L1")
    for unknown in ("Energy", "Current.Import.L4", "Voltage.", "", "SoC"):
        with raises(ValueError):
            resolve(unknown)


def test_fitted_is_what_the_meter_gives():
    single = Reading(energy_wh=5, currents_ma=(6000,))
    assert is_fitted("Current.Import.L1", single)
    assert is_fitted("Current.Offered", single)
    assert not is_fitted("Current.Import.L2", single)
    assert not is_fitted("Voltage", single)
