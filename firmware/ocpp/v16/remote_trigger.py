"""TriggerMessage (remote trigger profile, OCPP 1.6 §5.17). The answer is sent before the message."""

_TRANSFERS = ("DiagnosticsStatusNotification", "FirmwareStatusNotification")


class RemoteTrigger:
    """`statuses` and `meter_values` build messages, `transfers` has the status of file transfers."""

    needs = ("station", "sender", "statuses", "meter_values", "transfers")

    def __init__(self, station, sender, statuses, meter_values, transfers):
        self._station = station
        self._sender = sender
        self._statuses = statuses
        self._meter_values = meter_values
        self._transfers = transfers

    def trigger_message(self, payload):
        """§5.17. connectorId is ignored where the message has none; without it all connectors are meant."""
        message = payload["requestedMessage"]
        if message in _TRANSFERS and self._transfers.offered:
            return {"status": "Accepted"}, lambda: self._sender.post(message, self._transfers.status(message))
        method = self._messages.get(message)
        if method is None:
            return {"status": "NotImplemented"}
        after = method(self, payload.get("connectorId"))
        if after is None:
            return {"status": "Rejected"}
        return {"status": "Accepted"}, after

    def _boot(self, connector):
        # Rejected once accepted on this link. After a reconnect a restarted back-end may not know the station, which
        # would not send BootNotification by itself (errata 3.35).
        return None if self._sender.booted else self._sender.boot_now

    def _heartbeat(self, connector):
        return self._sender.heartbeat_now

    def _status(self, connector):
        return self._for_each(self._post_status, self._numbers(connector))

    def _post_status(self, n):
        self._sender.post("StatusNotification", self._statuses.payload(n))

    def _values(self, connector):
        """Sends the newest values of MeterValuesSampledData (errata 3.46); connector 0 is the sum of all meters."""
        # Built before the answer: Accepted promises a message.
        messages = [self._meter_values.message(n) for n in self._numbers(connector)]
        messages = [message for message in messages if message]
        return self._for_each(lambda message: self._sender.post(*message), messages)

    def _numbers(self, connector):
        """Returns the connector numbers: one, or all with 0 (the station); [] for an unknown connector."""
        last = len(self._station.connectors)
        if connector is None:
            return range(last + 1)
        return (connector,) if 0 <= connector <= last else ()

    def _for_each(self, post, items):
        """Returns a function that calls `post` for each item, None (rejected) without items."""
        if not items:
            return None

        def after():
            for item in items:
                post(item)

        return after

    _messages = {
        "BootNotification": _boot,
        "Heartbeat": _heartbeat,
        "MeterValues": _values,
        "StatusNotification": _status,
    }
