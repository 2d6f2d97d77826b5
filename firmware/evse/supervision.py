"""Supervision of contactor, RCD, supply, load and temperature: each becomes the cause of a fault, or a current limit.

Each result is the cause of a fault, or a current limit.
"""

from firmware.evse.contactor_check import ContactorCheck
from firmware.evse.derating import Derating
from firmware.evse.limits import MAX_PILOT_MA
from firmware.evse.rcd_supervision import RcdSupervision
from firmware.evse.sag import Sag
from firmware.evse.supply_check import BLIND_MA, UNBALANCED_MA, Offers, SupplyCheck, imbalance, overcurrent


class Supervision:
    """Sets the slots "temperature", "blind", "imbalance" and "voltage" of the limits."""

    def __init__(self, limits, faults, wishes, fitted):
        self.rcd = RcdSupervision(fitted.rcd_test)
        self.derating = Derating()
        self._limits = limits
        self._wishes = wishes
        self._thermistor = fitted.thermistor
        self._contactor = ContactorCheck()
        self._supply = SupplyCheck(fitted.phases)
        self._sag = Sag()
        self._offers = Offers()
        self._measured = False  # the meter has measured currents
        watch = faults.watch
        self._emergency = watch("emergency_stop")
        self._welded = watch("contactor_welded")
        self._stuck_open = watch("contactor_stuck_open")
        self._meter_frozen = watch("meter_frozen")
        self._rcd_tripped = watch("rcd_tripped")
        self._rcd_test_failed = watch("rcd_test_failed")
        self._hot = watch("overtemperature")
        self._sensor = watch("temperature_sensor")
        self._warm = watch("derated")
        self._overcurrent = watch("overcurrent")
        self._blind = watch("overcurrent_blind")
        self._imbalance = watch("imbalance")
        self._phase_loss = watch("phase_loss")
        self._overvoltage = watch("overvoltage")
        self._undervoltage = watch("undervoltage")

    def inherit(self, other):
        """Takes over the installer's settings and the outlet's temperature state from another Supervision."""
        self.derating = other.derating

    @property
    def welded(self):
        """True while the fault contactor_welded is active (debounced)."""
        return self._welded.active

    def step(self, inputs, commanded, offered_ma, away, quiet_ms, now_ms):
        """Takes the inputs, the contactor's command and the offer of the last step, whether the pilot is in A, and for
        how long nothing has failed (reclosing.py)."""
        self._emergency.see(inputs.emergency, now_ms)
        contactor = self._contactor
        contactor.step(commanded, inputs.contactor_closed, inputs.currents_ma, inputs.energy_wh, now_ms)
        self._welded.see(contactor.welded, now_ms)
        self._stuck_open.see(contactor.stuck_open, now_ms)
        self._meter_frozen.see(contactor.meter_standing, now_ms)
        rcd = self.rcd
        rcd.step(inputs.rcd_tripped, commanded or bool(inputs.contactor_closed), away, now_ms)
        self._rcd_tripped.see(rcd.tripped, now_ms)
        self._rcd_test_failed.see(rcd.failed, now_ms)
        # After the offer was withdrawn the 6 s of the forced opening apply instead.
        largest_ma = self._offers.step(offered_ma, now_ms)
        self._overcurrent.see(commanded and offered_ma > 0 and overcurrent(inputs.currents_ma, largest_ma), now_ms)
        self._see_currents(inputs.currents_ma, now_ms)
        supply = self._supply
        supply.step(inputs.voltages_mv)
        self._overvoltage.see(supply.overvoltage, now_ms)
        self._undervoltage.see(supply.undervoltage, now_ms)
        self._phase_loss.see(supply.phase_loss, now_ms)
        low = self._undervoltage.active and not self._undervoltage.trying
        self._sag.step(inputs.voltages_mv, inputs.currents_ma, offered_ma, commanded, low, quiet_ms, now_ms)
        self._limit("voltage", self._sag.limit_ma)
        if self._thermistor:
            self._see_temperature(inputs.temperature_dc, now_ms)

    def _see_currents(self, currents_ma, now_ms):
        """Limits the current if it is not measured, or if the phases are loaded unequally."""
        if currents_ma is not None:
            self._measured = True
        self._blind.see(self._measured and currents_ma is None, now_ms)
        self._limit("blind", BLIND_MA if self._blind.active else None)
        most = self._wishes.max_imbalance_ma
        self._imbalance.see(most > 0 and imbalance(currents_ma) > most, now_ms)
        self._limit("imbalance", UNBALANCED_MA if self._imbalance.active else None)

    def _see_temperature(self, temperature_dc, now_ms):
        derating = self.derating
        derating.step(temperature_dc, now_ms)
        self._sensor.see(derating.blind, now_ms)
        self._hot.see(derating.hot, now_ms)
        self._warm.see(derating.warm, now_ms)
        self._limit("temperature", derating.limit_ma(self._limits.get("supply") or MAX_PILOT_MA))

    def _limit(self, slot, milliamps):
        if milliamps is None:
            self._limits.clear(slot)
        else:
            self._limits.set(slot, milliamps)
