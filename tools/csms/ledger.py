"""Ledger of the central system: transactions by id; repeated messages are detected."""

from dataclasses import dataclass, field

from tools.csms.moments import unix_seconds


@dataclass
class Transaction:
    id: int
    station: str
    start: dict  # payload of StartTransaction
    stop: dict | None = None  # payload of StopTransaction
    meter_values: list = field(default_factory=list)  # payloads of MeterValues

    @property
    def energy_wh(self):
        """Meter stop minus meter start; None while the transaction is running."""
        return self.stop["meterStop"] - self.start["meterStart"] if self.stop else None


class Ledger:
    """Transactions of all stations by id.

    A station without an answer sends the message again. Messages with the same content are repetitions: they are
    counted in `repeated` and change nothing. Inconsistencies are listed in `problems`.
    """

    def __init__(self):
        self.transactions = {}
        self.repeated = []  # payloads that were received again
        self.problems = []

    def start(self, station, payload):
        """Books a StartTransaction; returns its Transaction, the same one for a repetition."""
        for transaction in self.transactions.values():
            if transaction.station == station and transaction.start == payload:
                self.repeated.append(payload)
                return transaction
        transaction = Transaction(len(self.transactions) + 1, station, payload)
        for other in self.running(station):
            if other.start["connectorId"] == payload["connectorId"]:
                self.problems.append(f"{station}: transaction {transaction.id} began before {other.id} had ended")
        self.transactions[transaction.id] = transaction
        return transaction

    def stop(self, station, payload):
        """Books a StopTransaction; returns its Transaction, None for an unknown id."""
        transaction = self._find(station, payload, "StopTransaction")
        if transaction is None:
            return None
        if transaction.stop == payload:
            self.repeated.append(payload)
        elif transaction.stop is not None:
            self.problems.append(f"{station}: transaction {transaction.id} ended twice with different content")
        else:
            transaction.stop = payload
            if transaction.energy_wh < 0:
                self.problems.append(f"{station}: the meter ran backwards in transaction {transaction.id}")
            if unix_seconds(payload["timestamp"]) < unix_seconds(transaction.start["timestamp"]):
                self.problems.append(f"{station}: transaction {transaction.id} ended before it began")
        return transaction

    def meter_values(self, station, payload):
        """Books the MeterValues of a transaction; others are ignored."""
        if "transactionId" not in payload:
            return
        transaction = self._find(station, payload, "MeterValues")
        if transaction is None:
            return
        if payload in transaction.meter_values:
            self.repeated.append(payload)
        else:
            transaction.meter_values.append(payload)

    def running(self, station=None):
        """Returns the transactions without end, of one station or of all."""
        return [t for t in self.transactions.values() if t.stop is None and station in (None, t.station)]

    def _find(self, station, payload, action):
        transaction = self.transactions.get(payload["transactionId"])
        if transaction is None or transaction.station != station:
            self.problems.append(f"{station}: {action} for unknown transaction {payload['transactionId']}")
            return None
        return transaction
