"""Charging profiles for tests: as the back-end sends them, and as the station keeps them."""

from firmware.charging.composite import DEFAULT, Profile


def ocpp_profile(number=1, purpose="TxDefaultProfile", limit=10, level=0, kind="Relative", unit="A", **more):
    """Returns a ChargingProfile; `periods` is a list of (startPeriod, limit), more fields go where they belong."""
    periods = [{"startPeriod": at, "limit": value} for at, value in more.pop("periods", [(0, limit)])]
    if "phases" in more:
        phases = more.pop("phases")
        for period in periods:
            period["numberPhases"] = phases
    schedule = {"chargingRateUnit": unit, "chargingSchedulePeriod": periods}
    for name in ("duration", "startSchedule", "minChargingRate"):
        if name in more:
            schedule[name] = more.pop(name)
    profile = {
        "chargingProfileId": number,
        "stackLevel": level,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": kind,
        "chargingSchedule": schedule,
    }
    profile.update(more)
    return profile


def profile(
    number=1, connector=0, purpose=DEFAULT, level=0, transaction=None, start=None, repeat=0, duration=None,
    valid_from=None, valid_to=None, watts=False, least=None, periods=(0, 100, 0),
):  # fmt: skip
    """Returns a composite.Profile; without more 10 A for all transactions."""
    return Profile(
        number, connector, purpose, level, transaction, start, repeat, duration, valid_from, valid_to, watts, least,
        periods,
    )  # fmt: skip
