"""SetChargingProfile, ClearChargingProfile and GetCompositeSchedule (OCPP 1.6 §3.13, §5.5, §5.7, §5.16)."""

import asyncio

from micropython import const

from firmware.charging.composite import DEFAULT, STATION, TRANSACTION, Profile
from firmware.kernel.clock import iso8601, parse_iso8601
from firmware.ocpp.errors import OCCURRENCE_VIOLATION, PROPERTY_VIOLATION, CallError

_PURPOSES = {"ChargePointMaxProfile": STATION, "TxDefaultProfile": DEFAULT, "TxProfile": TRANSACTION}
_REPEATS = {"Daily": 86_400, "Weekly": 604_800}
_UNITS = {"Current": "A", "Power": "W"}  # word of ChargingScheduleAllowedChargingRateUnit -> ChargingRateUnitType

# Above every supply, and small enough for fast integer arithmetic in composite.py.
_MOST = const(1_000_000)

# The back-end's clock may be this far ahead of ours, which was set from its whole seconds. A schedule that starts
# within this time starts now: no moment without limit before it, nor in the composite schedule.
_AHEAD_S = const(2)

# A composite schedule with more periods, or more points in time to check, is cut; its duration says where.
_MAX_PERIODS = const(100)
_MAX_MOMENTS = const(500)
_MOMENTS_AT_A_TIME = const(4)


class SmartCharging:
    """`outbox` maps transactionIds to transactions."""

    needs = ("station", "outbox", "settings", "clock", "log")

    def __init__(self, station, outbox, settings, clock, log):
        self._station = station
        self._outbox = outbox
        self._settings = settings
        self._clock = clock
        self._log = log

    def set_charging_profile(self, payload):
        """§5.16. An unknown connector is a PropertyConstraintViolation (errata 3.39), other mistakes are Rejected."""
        connector = payload["connectorId"]
        if not 0 <= connector <= len(self._station.connectors):
            raise CallError(PROPERTY_VIOLATION, "connectorId is unknown")
        data = payload["csChargingProfiles"]
        try:
            number = self._transaction(connector, data) if data["chargingProfilePurpose"] == "TxProfile" else None
            profile = charging_profile(data, connector, number, self._settings, self._clock.now())
        except ValueError as exc:
            self._log.info("ocpp", "charging profile refused: %s", exc)
            return {"status": "Rejected"}
        return {"status": "Accepted" if self._station.schedules.install(profile) else "Rejected"}

    def _transaction(self, connector, data):
        """Returns the local number of the transaction for a TxProfile (§3.13.1). Raises ValueError."""
        transaction = self._station.transaction(connector)
        if transaction is None or transaction.stopping:
            raise ValueError("a TxProfile needs a running transaction")
        if "transactionId" in data and self._outbox.local_transaction(data["transactionId"]) != transaction.number:
            raise ValueError("transactionId is not that of the running transaction")
        return transaction.number

    def clear_charging_profile(self, payload):
        """§5.5. Without fields all profiles are cleared; Unknown when none matches (errata 3.25)."""
        found = self._station.schedules.clear(
            payload.get("id"),
            payload.get("connectorId"),
            _PURPOSES.get(payload.get("chargingProfilePurpose")),
            payload.get("stackLevel"),
        )
        return {"status": "Accepted" if found else "Unknown"}

    async def get_composite_schedule(self, payload):
        """§5.7: from now on, in A unless W is requested or the only unit allowed. Connector 0 is the whole station.

        Without a profile the hardware's limit is returned, so there is always a period. For a connector without a
        transaction the schedule assumes one that begins now.
        """
        n, duration = payload["connectorId"], payload["duration"]
        units = [_UNITS[word] for word in self._settings.get("ChargingScheduleAllowedChargingRateUnit")]
        unit = payload.get("chargingRateUnit") or units[0]
        if not 0 <= n <= len(self._station.connectors) or duration < 0 or unit not in units:
            return {"status": "Rejected"}
        now = self._clock.now()
        periods, covered = await self._periods(n, now, now + duration, unit == "W")
        # startSchedule is left out (errata 3.57): scheduleStart has it.
        schedule = {"duration": covered, "chargingRateUnit": unit, "chargingSchedulePeriod": periods}
        return {
            "status": "Accepted",
            "connectorId": n,
            "scheduleStart": iso8601(now),
            "chargingSchedule": schedule,
        }

    async def _periods(self, n, start, end, watts):
        """Returns (ChargingSchedulePeriod list, seconds that it covers)."""
        periods = []
        before = None
        moments = 0
        for t, limit, phases in self._station.schedules.composite(n, start, end, watts):
            if len(periods) == _MAX_PERIODS or moments == _MAX_MOMENTS:
                return periods, t - start
            moments += 1
            if moments % _MOMENTS_AT_A_TIME == 0:
                await asyncio.sleep(0)  # let other tasks run during a long schedule
            if (limit, phases) != before:
                before = limit, phases
                period = {"startPeriod": t - start, "limit": _decimal(limit)}
                if phases:
                    period["numberPhases"] = phases
                periods.append(period)
        return periods, end - start


def charging_profile(data, connector, transaction, settings, now):
    """Returns the composite.Profile of a ChargingProfile (§7.8). Raises ValueError, CallError when it has no periods.

    Without startSchedule, a ChargePointMaxProfile starts now, others with the transaction.
    """
    purpose = _PURPOSES[data["chargingProfilePurpose"]]
    kind = data["chargingProfileKind"]
    level = data["stackLevel"]
    schedule = data["chargingSchedule"]
    start = _begin(schedule, "startSchedule", now)
    valid_from = _begin(data, "validFrom", now)
    valid_to = _moment(data, "validTo")
    duration = schedule.get("duration")
    unit = schedule["chargingRateUnit"]
    if (purpose == STATION and connector != 0) or (purpose == TRANSACTION and connector == 0):
        raise ValueError("chargingProfilePurpose is not allowed on this connector")
    if not 0 <= level <= settings.get("ChargeProfileMaxStackLevel"):
        raise ValueError("stackLevel")
    if unit not in [_UNITS[word] for word in settings.get("ChargingScheduleAllowedChargingRateUnit")]:
        raise ValueError("chargingRateUnit")
    if duration is not None and duration <= 0:
        raise ValueError("duration")
    if valid_from is not None and valid_to is not None and valid_to <= valid_from:
        raise ValueError("validTo")
    repeat = 0
    if kind == "Recurring":
        repeat = _REPEATS.get(data.get("recurrencyKind"))
        if repeat is None or start is None:
            raise ValueError("a Recurring profile needs recurrencyKind and startSchedule")
    elif kind == "Relative":
        start = None
    if start is None and purpose == STATION:
        start = now
    least = schedule.get("minChargingRate")
    least = None if least is None else _tenths(least)
    watts = unit == "W"
    periods = _flat_periods(schedule["chargingSchedulePeriod"], watts, settings.get("ChargingScheduleMaxPeriods"))
    return Profile(
        data["chargingProfileId"], connector, purpose, level, transaction, start, repeat, duration,
        valid_from, valid_to, watts, least, periods,
    )  # fmt: skip


def _moment(data, name):
    text = data.get(name)
    return None if text is None else parse_iso8601(text)


def _begin(data, name, now):
    t = _moment(data, name)
    return now if t is not None and now < t <= now + _AHEAD_S else t


def _flat_periods(rows, watts, most):
    """Returns the periods for composite.Profile. The first must start at 0 (errata 3.45), the others in order."""
    if not rows:
        raise CallError(OCCURRENCE_VIOLATION, "chargingSchedulePeriod is empty")
    if len(rows) > most:
        raise ValueError("more than ChargingScheduleMaxPeriods")
    flat = []
    for row in rows:
        start = row["startPeriod"]
        if start <= flat[-3] if flat else start != 0:
            raise ValueError("startPeriod")
        # Power without numberPhases is for three phases (errata 3.69).
        phases = row.get("numberPhases")
        if phases is None:
            phases = 3 if watts else 0
        elif not 1 <= phases <= 3:
            raise ValueError("numberPhases")
        flat += (start, _tenths(row["limit"]), phases)
    return tuple(flat)


def _tenths(value):
    """Returns a limit in tenths, rounded down. Raises ValueError below 0."""
    if value < 0:
        raise ValueError("limit")
    # A value just below a tenth because of float precision is that tenth.
    return int(min(value, _MOST) * 10 + 0.05)


class _Decimal(float):
    """A number written with one decimal; MicroPython would write 8.199999999999999 for 8.2."""

    def __repr__(self):
        return "%.1f" % (self * 1)


def _decimal(tenths):
    """Returns the number to send for tenths."""
    return _Decimal(tenths / 10) if tenths % 10 else tenths // 10
