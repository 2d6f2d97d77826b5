"""Connector 0, the station as a whole: in service or not, and what is wrong with it (OCPP 1.6 §4.9)."""

from firmware.charging.status import FAULTED, FREE, OUT_OF_SERVICE, Status
from firmware.evse.faults import Fault
from firmware.kernel.signal import Signal


class ConnectorZero:
    """`status` is the newest Status, `changed` is Signal(0, Status)."""

    def __init__(self, operative, log):
        self._operative = operative
        self._faults = ()
        self.status = self._told = Status(FREE if operative else OUT_OF_SERVICE, None, "")  # emitted last
        self.changed = Signal(log.observer_failed)

    def raise_fault(self, name, vendor_code=None, info=None):
        """Adds a fault of the station as a whole, by its name in evse.faults."""
        self._set(self._operative, self._without(name) + (Fault(name, vendor_code, info),))

    def clear_fault(self, name):
        """Takes a fault away; one that is not there is ignored."""
        self._set(self._operative, self._without(name))

    def set_operative(self, wanted, in_use):
        """`wanted` by the operator. What is scheduled happens when the last transaction has ended (OCPP 1.6 §5.2)."""
        self._set(wanted or (in_use and self._operative), self._faults)

    def _without(self, name):
        return tuple([fault for fault in self._faults if fault.name != name])

    def _set(self, operative, faults):
        self._operative = operative
        self._faults = faults
        state = FREE if operative else OUT_OF_SERVICE
        for fault in faults:
            if fault.blocks:
                state = FAULTED
        status = Status(state, faults[0] if faults else None, "")
        if status != self._told:
            self.status = status
            self.changed.emit(0, status)
            self._told = status
