"""Meter checks: over-current of the vehicle, phase imbalance, supply voltage out of range, missing phase."""

from micropython import const

# 230 V +10 % and -15 % (EN 50160), with the accuracy of a class B meter.
_OVERVOLTAGE_MV = const(257_000)
UNDERVOLTAGE_MV = const(195_000)
_PHASE_LOST_MV = const(115_000)  # half of nominal: an open, floating conductor, not a voltage drop
BLIND_MA = const(10_000)  # EVSE F16: limit while the currents cannot be measured
UNBALANCED_MA = const(20_000)  # EVSE F15: limit while the phases differ too much
LOAD_MA = const(1_000)  # more than the electronics behind the meter: the vehicle draws current
_MARGIN_MA = const(500)  # metering and pilot tolerance: (I + 0.5 A) x 1.10
FOLLOW_MS = const(5_000)  # IEC 61851-1 A.5.3: time for a vehicle to follow a duty cycle


def exceeds(currents_ma, milliamps):
    """True when a measured phase current exceeds the limit."""
    if currents_ma is not None:
        for current in currents_ma:
            if current is not None and current > milliamps:
                return True
    return False


def unloaded(currents_ma):
    """True when all phase currents are measured and nearly 0."""
    return currents_ma is not None and None not in currents_ma and not exceeds(currents_ma, LOAD_MA)


def overcurrent(currents_ma, offered_ma):
    """True when a phase draws more than (offered + 0.5 A) x 1.10; False without currents.

    `offered_ma` is from Offers. The allowed time is the debounce in the fault table, which covers a meter that is 5 s
    late.
    """
    return exceeds(currents_ma, (offered_ma + _MARGIN_MA) * 11 // 10)


class Offers:
    """The largest current offered during the last FOLLOW_MS: the maximum that a vehicle may draw now."""

    def __init__(self):
        self._offered_ma = 0
        self._past = []  # (mA, ms when it ended), the oldest first

    def step(self, offered_ma, now_ms):
        """Takes the present offer, 0 for none; returns the largest recent one, mA."""
        past = self._past
        if offered_ma != self._offered_ma:
            past.append((self._offered_ma, now_ms))
            self._offered_ma = offered_ma
        while past and now_ms - past[0][1] > FOLLOW_MS:
            past.pop(0)
        largest = offered_ma
        for milliamps, _ in past:
            if milliamps > largest:
                largest = milliamps
        return largest


def imbalance(currents_ma):
    """Returns the largest difference of the phase currents in mA, 0 for one phase or without currents."""
    if currents_ma is None or None in currents_ma:
        return 0
    return max(currents_ma) - min(currents_ma)


class SupplyCheck:
    """Sets the attributes overvoltage, undervoltage and phase_loss from the phase voltages (tuple of mV or None)."""

    def __init__(self, phases):
        self._phases = phases
        self._judged = None  # last reading checked: readings come once a second, steps 50 times
        self.overvoltage = False
        self.undervoltage = False
        self.phase_loss = False

    def step(self, voltages_mv):
        if voltages_mv is self._judged:
            return
        self._judged = voltages_mv
        lost = low = high = 0
        if voltages_mv is not None:
            # A three-phase meter in a single-phase installation has no voltage on the other two.
            for index in range(min(self._phases, len(voltages_mv))):
                millivolts = voltages_mv[index]
                if millivolts is None:
                    continue
                lost += millivolts < _PHASE_LOST_MV
                low += millivolts < UNDERVOLTAGE_MV
                high += millivolts > _OVERVOLTAGE_MV
            if lost == len(voltages_mv) or self._phases == 1:
                lost = 0  # all phases: undervoltage, not a missing phase
        self.overvoltage = high > 0
        self.phase_loss = lost > 0
        self.undervoltage = low > lost
