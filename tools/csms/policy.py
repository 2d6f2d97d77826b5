"""Policy of the central system: its answers, by default those of a friendly back-end; changeable at any time."""

import time
from dataclasses import dataclass, field

from tools.csms.moments import iso8601


@dataclass
class Policy:
    """All fields may be changed while the central system runs; actions have their OCPP names."""

    registration: str = "Accepted"  # answer to BootNotification: Accepted, Pending or Rejected
    interval: int = 86400  # seconds: heartbeat interval, or the wait before the next attempt when not accepted
    tags: dict = field(default_factory=dict)  # idTag -> idTagInfo; upper and lower case are the same (OCPP 1.6 §7.10)
    unknown_tag: dict = field(default_factory=lambda: {"status": "Accepted"})
    latency: float = 0.005  # seconds from a CALL to its answer; reveals a station that does not wait for it
    delays: dict = field(default_factory=dict)  # action -> seconds in addition to the latency
    silent: set = field(default_factory=set)  # actions that are never answered
    errors: dict = field(default_factory=dict)  # action -> code of the CALLERROR that answers it
    answers: dict = field(default_factory=dict)  # action -> function of the Message that returns the payload
    password: str | bytes | None = None  # for HTTP basic authentication; the user is the station's identity
    refuse: int | None = None  # HTTP status that answers every WebSocket handshake, None lets stations in
    now: object = time.time  # the central system's clock, Unix seconds

    def id_tag_info(self, tag):
        """Returns the idTagInfo of an idTag."""
        known = {name.casefold(): info for name, info in self.tags.items()}
        return known.get(tag.casefold(), self.unknown_tag)

    def answer(self, message, ledger):
        """Returns the answer payload for a valid CALL, None for an action that stations may not call.

        Transactions are booked in `ledger`, also with a scripted answer.
        """
        standard = _STANDARD.get(message.action)
        payload = standard(self, message, ledger) if standard else None
        scripted = self.answers.get(message.action)
        return scripted(message) if scripted else payload

    def _boot_notification(self, message, ledger):
        return {"status": self.registration, "currentTime": iso8601(self.now()), "interval": self.interval}

    def _heartbeat(self, message, ledger):
        return {"currentTime": iso8601(self.now())}

    def _authorize(self, message, ledger):
        return {"idTagInfo": self.id_tag_info(message["idTag"])}

    def _start_transaction(self, message, ledger):
        transaction = ledger.start(message.station, message.payload)
        return {"transactionId": transaction.id, "idTagInfo": self.id_tag_info(message["idTag"])}

    def _stop_transaction(self, message, ledger):
        ledger.stop(message.station, message.payload)
        return {"idTagInfo": self.id_tag_info(message["idTag"])} if "idTag" in message.payload else {}

    def _meter_values(self, message, ledger):
        ledger.meter_values(message.station, message.payload)
        return {}

    def _data_transfer(self, message, ledger):
        return {"status": "UnknownVendorId"}

    def _sign_certificate(self, message, ledger):
        return {"status": "Accepted"}

    def _nothing(self, message, ledger):
        return {}


_STANDARD = {
    "Authorize": Policy._authorize,
    "BootNotification": Policy._boot_notification,
    "DataTransfer": Policy._data_transfer,
    "DiagnosticsStatusNotification": Policy._nothing,
    "FirmwareStatusNotification": Policy._nothing,
    "Heartbeat": Policy._heartbeat,
    "LogStatusNotification": Policy._nothing,
    "MeterValues": Policy._meter_values,
    "SecurityEventNotification": Policy._nothing,
    "SignCertificate": Policy._sign_certificate,
    "SignedFirmwareStatusNotification": Policy._nothing,
    "StartTransaction": Policy._start_transaction,
    "StatusNotification": Policy._nothing,
    "StopTransaction": Policy._stop_transaction,
}
