"""MeterValues outside of transactions: triggered ones, and clock-aligned ones, which join the transaction queue."""

from firmware.ocpp.v16.measurands import Look


class TriggeredValues:
    """What meters say now (OCPP 1.6 §5.17)."""

    def __init__(self, station, facts, outbox):
        self._station = station
        self._facts = facts
        self._outbox = outbox

    def message(self, n):
        """Returns ("MeterValues", payload) of a connector, or None when there is nothing to report.

        Connector 0 is all meters together. Nothing: no reading of the last seconds, or none of the configured
        measurands in it.
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
    """Clock-aligned values outside of transactions count as transaction messages all the same (OCPP 1.6 §3.7)."""

    def __init__(self, station, journal, settings, registration, clock, log):
        self._station = station
        self._journal = journal
        self._settings = settings
        self._registration = registration
        self._clock = clock
        self._log = log

    def keep(self, n, context, t, reading):
        """Queues a look at a meter that the journal does not have."""
        if not self._registration.may_start or not self._settings.get("MeterValuesAlignedData"):
            return
        connector = self._station.connector(n)
        offered_ma = connector and connector.evse.offered_ma
        try:
            self._journal.sample(0, n, context, reading, offered_ma, self._clock.now() - t)
        except OSError as exc:
            self._log.error("ocpp", "sample is not kept: %s", exc)
