"""MeterValues outside of the transaction queue: triggered ones."""

from firmware.ocpp.v16.measurands import Look


class TriggeredValues:
    """The present readings, for TriggerMessage (OCPP 1.6 §5.17)."""

    def __init__(self, station, facts, outbox):
        self._station = station
        self._facts = facts
        self._outbox = outbox

    def message(self, n):
        """Returns ("MeterValues", payload) of a connector; None without a recent reading or configured measurand in it.

        Connector 0 is the sum of all meters.
        """
        sample = self._station.meters.sample(n)
        if not sample:
            return None
        t, reading, offered_ma = sample
        transaction = self._station.transaction(n)  # the whole station has none (errata 3.16)
        transaction_id = self._outbox.transaction_id(transaction.number) if transaction else None
        look = Look(reading, offered_ma)
        return self._facts.meter_values(n, "trigger", t, look, transaction_id)
