"""Scripted central system and its link: answers at once, records every message, sends calls."""

import asyncio

from firmware.kernel.clock import iso8601
from firmware.kernel.signal import Signal
from firmware.ocpp.errors import CallError, LinkDown
from firmware.ocpp.protocol import LongAnswer

_LATENCY_S = 0.02
_AGAIN_S = 1
_TRIES = 4


class Connection:
    """Replaces ocpp.connection.Connection; the central system sets whether the link is up."""

    def __init__(self, central, log):
        self._central = central
        self.connected = False
        self.url = "ws://central"
        self.link_changed = Signal(log.observer_failed)
        self.doubted = Signal(log.observer_failed)
        self.handle = None
        central.connection = self

    def set(self, up):
        if up != self.connected:
            self.connected = up
            self.link_changed.emit("up" if up else "down", self.url, None)

    def serve(self, handle, silent):
        self.handle = handle

    async def call(self, action, payload, transmissions=None, patience_s=None):
        if not self.connected:
            raise LinkDown()
        return await self._central.call(action, payload)

    def hurry(self):
        pass

    def drop(self, reason):
        pass

    def reconnect(self):
        pass

    async def run(self, beat):
        self.set(self._central.reachable)
        await asyncio.Event().wait()


class Central:
    """`messages` are (action, payload, answer) in the order of their answers, over all power-ons of the station."""

    def __init__(self, unix):
        self._unix = unix  # () -> Unix seconds
        self.connection = None
        self.reachable = True
        self.messages = []
        self.accepted = []  # (action, payload) of accepted calls
        self._transactions = 1000

    def set_reachable(self, up):
        self.reachable = up
        if self.connection:
            self.connection.set(up)

    # Called by the station.

    async def call(self, action, payload, *_):
        await asyncio.sleep(_LATENCY_S)
        if not self.reachable:
            raise LinkDown()
        answer = self._answer(action, payload)
        self.messages.append((action, payload, answer))
        return answer

    def _answer(self, action, payload):
        if action == "StartTransaction":
            self._transactions += 1
            return {"transactionId": self._transactions, "idTagInfo": {"status": "Accepted"}}
        if action in ("Authorize", "StopTransaction"):
            return {"idTagInfo": {"status": "Accepted"}}
        if action == "BootNotification":
            return {"status": "Accepted", "currentTime": iso8601(self._unix()), "interval": 300}
        if action == "Heartbeat":
            return {"currentTime": iso8601(self._unix())}
        return {}

    # Calls of the central system.

    async def ask(self, action, **payload):
        """Sends a call; returns the status in the answer, or the code of a CallError."""
        if not self.reachable:
            return "LinkDown"
        try:
            answer = self.connection.handle(action, payload)
            if hasattr(answer, "send"):
                answer = await answer
            if isinstance(answer, tuple):
                answer, after = answer
                after()
            elif isinstance(answer, LongAnswer):
                answer.payload[answer.name].extend(answer.items())
                answer = answer.payload
        except CallError as exc:
            return exc.code
        except Exception:  # answered with InternalError by the firmware's Answers
            return "InternalError"
        await asyncio.sleep(_LATENCY_S)
        return (answer or {}).get("status", "Accepted")

    async def insist(self, action, wanted=("Accepted",), **payload):
        """Repeats a call after errors, as an operator would; returns True when it is accepted."""
        for _ in range(_TRIES):
            status = await self.ask(action, **payload)
            if status in wanted:
                self.accepted.append((action, payload))
                return True
            await asyncio.sleep(_AGAIN_S)
        return False

    def transaction_of(self, connector):
        """Returns the transactionId of the newest transaction on a connector that has not been stopped, or None."""
        found = {}
        for action, payload, answer in self.messages:
            if action == "StartTransaction" and payload["connectorId"] == connector:
                found[answer["transactionId"]] = True
            elif action == "StopTransaction":
                found.pop(payload["transactionId"], None)
        return max(found, default=None)
