"""MeterValues outside of transactions: triggered ones, and clock-aligned ones, which join the transaction queue."""

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
        sample = self._station.sample(n)
        if not sample:
            return None
        t, reading = sample
        connector = self._station.connector(n)  # None: the whole station, which has no transaction (errata 3.16)
        transaction = connector and connector.transaction
        transaction_id = self._outbox.transaction_id(transaction.number) if transaction else None
        look = Look(reading, connector and connector.evse.offered_ma)
        return self._facts.meter_values(n, "trigger", t, look, transaction_id)


class AlignedValues:
    """Clock-aligned values outside of transactions, delivered as transaction messages too (OCPP 1.6 §3.7)."""

    def __init__(self, station, journal, settings, registration, clock, log):
        self._station = station
        self._journal = journal
        self._settings = settings
        self._registration = registration
        self._clock = clock
        self._log = log

    def keep(self, n, context, t, reading):
        """Writes a reading that was taken outside of a transaction to the journal."""
        if not self._registration.may_start or not self._settings.get("MeterValuesAlignedData"):
            return
        connector = self._station.connector(n)
        offered_ma = connector and connector.evse.offered_ma
        try:
            self._journal.sample(0, n, context, reading, offered_ma, self._clock.now() - t)
        except OSError as exc:
            self._log.error("ocpp", "sample not stored: %s", exc)
