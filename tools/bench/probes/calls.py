# CPU of a call from the back-end, beside that of json alone. MIT license.
"""Prints {"actions": {name: {"ours_us", "floor_us", "bytes"}}, "rounds"}: medians, on the unix port."""

import asyncio
import gc
import json
import time

from link_bench import LinkBench

from firmware.ocpp.peer import Peer
from firmware.ocpp.protocol import MessageIds, Protocol
from firmware.ocpp.v16.rules import Rules

_ROUNDS = 9
_CALLS = 200

_PERIODS = [{"startPeriod": 3600 * i, "limit": 6.0 + i, "numberPhases": 3} for i in range(24)]
_PROFILE = {
    "chargingProfileId": 1,
    "stackLevel": 0,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Recurring",
    "recurrencyKind": "Daily",
    "chargingSchedule": {
        "duration": 86400,
        "startSchedule": "2026-01-01T00:00:00Z",
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": _PERIODS,
    },
}

# Calls that change nothing, so that only receiving and answering is measured.
_MESSAGES = (
    ("GetConfiguration", {"key": ["HeartbeatInterval"]}),
    ("ChangeConfiguration", {"key": "NumberOfConnectors", "value": "2"}),
    ("RemoteStopTransaction", {"transactionId": 4711}),
    ("ChangeAvailability", {"connectorId": 1, "type": "Operative"}),
    ("DataTransfer", {"vendorId": "com.example", "messageId": "tariff", "data": "0.29 EUR/kWh, 0.10 EUR/min"}),
    ("SetChargingProfile", {"connectorId": 1, "csChargingProfiles": _PROFILE}),
)


def median(values):
    return sorted(values)[len(values) // 2]


class Wire:
    """Replaces the WebSocket."""

    def __init__(self, sent):
        self._sent = sent

    async def send(self, text):
        self._sent.append(text)


async def ours(peer, sent, text):
    """Returns microseconds per call, from the received text to the sent text."""
    gc.collect()
    begun = time.ticks_us()
    for _ in range(_CALLS):
        await peer.receive(text)
        while not sent:
            await asyncio.sleep(0)
        sent.clear()
    return time.ticks_diff(time.ticks_us(), begun) / _CALLS


def floor(text):
    gc.collect()
    begun = time.ticks_us()
    for _ in range(_CALLS):
        json.dumps(json.loads(text))
    return time.ticks_diff(time.ticks_us(), begun) / _CALLS


async def main():
    bench = await LinkBench().accepted()
    sent = []

    protocol = Protocol(Rules(), MessageIds())
    peer = Peer(Wire(sent), protocol, bench.link.handle, lambda: False, bench.charging.log, bench.clock)
    found = {}
    for action, payload in _MESSAGES:
        text = json.dumps([2, "b2a7a3f0-4ae6-4d35-8c2f-0f3f7a1f9c55", action, payload])
        rounds = []
        for _ in range(_ROUNDS):
            rounds.append((await ours(peer, sent, text), floor(text)))
        found[action] = {
            "ours_us": median([r[0] for r in rounds]),
            "floor_us": median([r[1] for r in rounds]),
            "ratio": median([r[0] / r[1] for r in rounds]),
            "bytes": len(text),
        }
    print(json.dumps({"actions": found, "rounds": _ROUNDS, "calls": _CALLS}))


asyncio.run(main())
