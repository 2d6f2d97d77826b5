"""Connector 0, the station as a whole: in service or not, and what is wrong with it (OCPP 1.6 §4.9)."""

from firmware.charging.status import AVAILABLE, FAULTED, UNAVAILABLE, Status
from firmware.evse.faults import Fault


class ConnectorZero:
    """`status` is the newest Status; `changed` is Signal(0, Status). `transactions()` lists those that run."""

    def __init__(self, availability, transactions, changed):
        self._availability = availability
        self._transactions = transactions
        self._changed = changed
        self._faults = ()
        self._told = None  # the Status of which everybody has been told
        self.status = Status(UNAVAILABLE, None, "")
        self.update()

    def raise_fault(self, name, vendor_code=None, info=None):
        """Adds a fault of the station as a whole, by its name in evse.faults, to the status of connector 0."""
        self.clear_fault(name, (Fault(name, vendor_code, info),))

    def clear_fault(self, name, instead=()):
        """Takes a fault from connector 0; one that is not there is ignored."""
        self._faults = tuple([fault for fault in self._faults if fault.name != name]) + instead
        self.update()

    def update(self):
        """To be called after anything has changed that the status depends on."""
        state = AVAILABLE
        if not self._availability.operative(0):
            # What is scheduled happens when the last transaction has ended (OCPP 1.6 §5.2).
            if self.status.state == UNAVAILABLE or not self._transactions():
                state = UNAVAILABLE
        for fault in self._faults:
            if fault.blocks:
                state = FAULTED
        status = Status(state, self._faults[0] if self._faults else None, "")
        if status != self._told:
            self.status = status
            self._changed.emit(0, status)
            self._told = status
