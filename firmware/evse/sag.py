"""Voltage sag: lowers the current when the supply's voltage falls under load, instead of ever longer pauses.

The voltages with and without load give the drop per ampere. Only if the voltage has returned with the opening twice in
a row does it depend on the current; once may be a coincidence. If less current does not help, the limit is removed.
"""

from micropython import const

from firmware.evse.limits import MIN_PILOT_MA
from firmware.evse.reclosing import PAUSES_S
from firmware.evse.supply_check import LOAD_MA, UNDERVOLTAGE_MV

_TARGET_MV = const(200_000)  # target voltage under load; below 195 V is a fault
_BACK_MS = const(3_000)  # the voltage returns at once; this is the delay of the meter
_TIMES = const(2)
_HELPS_MV = const(1_000)
_STEP_MA = const(1_000)
_HOLD_MS = const(600_000)  # the limit stays until this time without a failure
_LONGEST_HOLD_MS = const(14_400_000)  # doubled each time that the full current failed again


class Sag:
    """`limit_ma`: current limit for the supply, None for no limit."""

    def __init__(self):
        self.limit_ma = None
        self._judged = None
        self._loaded_mv = None  # lowest voltage and highest current of the latest reading below 195 V under load
        self._load_ma = 0
        self._failing = False
        self._failed_at = None  # time of a failure whose voltage without load is not known yet
        self._times = 0  # number of times in a row that the voltage returned with the opening
        self._before_mv = 0  # voltage under load before the current was reduced
        self._hold_ms = _HOLD_MS
        self._released_at = None

    def step(self, voltages_mv, currents_ma, offered_ma, closed, low, quiet_ms, now_ms):
        """`low`: the fault undervoltage is blocking. `quiet_ms`: time without a failure."""
        if low and not self._failing:
            self._failed_at = None if self._loaded_mv is None else now_ms
        self._failing = low
        if voltages_mv is not self._judged:
            self._judged = voltages_mv
            self._look(
                _lowest(voltages_mv), offered_ma if currents_ma is None else _highest(currents_ma), closed, now_ms
            )
        if quiet_ms >= self._hold_ms:
            if self.limit_ma is not None:
                self.limit_ma = None
                self._released_at = now_ms
            elif quiet_ms >= 2 * self._hold_ms:
                self._times = 0

    def _look(self, lowest_mv, load_ma, closed, now_ms):
        good = lowest_mv is not None and lowest_mv >= UNDERVOLTAGE_MV
        if closed:
            self._loaded_mv = None if good or load_ma <= LOAD_MA else lowest_mv
            self._load_ma = load_ma
        elif self._failed_at is not None:
            if now_ms - self._failed_at > _BACK_MS:
                self._times = 0
            elif good:
                self._failed_at = None
                self._times += 1
                if self._times >= _TIMES:
                    self._lower(lowest_mv, now_ms)

    def _lower(self, rest_mv, now_ms):
        loaded_mv = self._loaded_mv
        if self.limit_ma is None:
            again = self._released_at is not None and now_ms - self._released_at < self._hold_ms
            self._hold_ms = min(2 * self._hold_ms, _LONGEST_HOLD_MS) if again else _HOLD_MS
        elif loaded_mv < self._before_mv + _HELPS_MV:
            self.limit_ma = None
            self._times = -len(PAUSES_S)  # no new attempt soon
            return
        self._before_mv = loaded_mv
        bears_ma = self._load_ma * (rest_mv - _TARGET_MV) // (rest_mv - loaded_mv)
        limit_ma = min(bears_ma, self._load_ma * 3 // 4) // _STEP_MA * _STEP_MA
        self.limit_ma = max(MIN_PILOT_MA, limit_ma)


def _lowest(values):
    lowest = None
    if values is not None:
        for value in values:
            if value is not None and (lowest is None or value < lowest):
                lowest = value
    return lowest


def _highest(values):
    highest = 0
    for value in values:
        if value is not None and value > highest:
            highest = value
    return highest
