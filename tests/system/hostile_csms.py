"""A central system that sends anything: valid calls, broken ones, frames that are none, answers that make no sense.

    python tests/system/hostile_csms.py --messages 100000 --seed 1

Meanwhile vehicles and cards come and go, and in the first half the station is reset now and then. Nothing may crash or
grow, and no contactor may close but for a token that this central system has accepted (or started) at some time, or
while it has opened the station to everybody.
"""

import argparse
import contextlib
import json
import random
import sys
import threading
import time
from importlib.resources import files
from pathlib import Path

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import serve

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tools.csms.moments import iso8601
from tools.sim import Charger, CommandFailed
from tools.sim.charger import RESTART_CODES

CALLS = (
    "CancelReservation ChangeAvailability ChangeConfiguration ClearCache ClearChargingProfile DataTransfer "
    "GetCompositeSchedule GetConfiguration GetDiagnostics GetLocalListVersion RemoteStartTransaction "
    "RemoteStopTransaction ReserveNow SendLocalList SetChargingProfile TriggerMessage UnlockConnector UpdateFirmware "
    "ExtendedTriggerMessage GetLog InstallCertificate CertificateSigned DeleteCertificate GetInstalledCertificateIds "
    "SignedUpdateFirmware"
).split()
TAGS = ["04A1B2C3", "04a1b2c3", "DEADBEEF", "x", "A" * 20, "Grüße", ""]
STRANGER = "STRANGER"  # the only one who is never accepted
CARDS = ["04A1B2C3", "DEADBEEF", "x", STRANGER]
OPEN_TO_ALL = ("FreevendEnabled", "AllowOfflineTxForUnknownId")
KEYS = (  # SecurityProfile would lock us out
    "MeterValueSampleInterval ClockAlignedDataInterval HeartbeatInterval ConnectionTimeOut LocalPreAuthorize "
    "MeterValuesSampledData StopTxnSampledData MeterValuesAlignedData StopTransactionOnInvalidId MessageTimeout "
    "MinimumStatusDuration AuthorizeRemoteTxRequests LocalAuthListEnabled AuthorizationCacheEnabled LightIntensity "
    "WebSocketPingInterval TransactionMessageAttempts TransactionMessageRetryInterval ConnectorPhaseRotation "
    "StopTransactionOnEVSideDisconnect UnlockConnectorOnEVSideDisconnect MaxEnergyOnInvalidId NumberOfConnectors Nope"
).split()
VALUES = [
    "0",
    "1",
    "5",
    "30",
    "-1",
    "true",
    "false",
    "99999999999",
    "",
    "1.RST",
    "Power.Active.Import",
    "x" * 500,
    "ü,,",
]
INTEGERS = [0, 1, 1, 1, 2, 3, 7, 60, -1, 86400, 2**31 - 1, -(2**31), 2**40]
JUNK = [None, True, -1, 1.5, 1e300, "", "x" * 600, [], {}, [[]], {"a": {"b": []}}, "\x00", "😀", 2**70]

# So many messages at once; then the station has to answer one in so many seconds, or the link is made anew.
BURST = 25
MARKER_S = 5

RESETS = 0.002  # of the messages of the first half
DOORS = 0.005  # of all messages
GRACE_S = 1  # the two ways on which we hear from the station may differ by so much

HEAP_SLACK = 150_000  # bytes: of the megabytes on this host; a leak of 10 bytes a message shows in the full run


def schema(name):
    return json.loads((files("ocpp.v16") / "schemas" / f"{name}.json").read_text(encoding="utf-8-sig"))


SCHEMAS = {name: schema(name) for name in CALLS}


class Hostile:
    """Sends `messages` messages over any number of links. `authorised` are the tokens that may charge."""

    def __init__(self, messages, seed):
        self.left = messages
        self.random = random.Random(seed)
        self.authorised = set()
        self.transactions = [1]
        self.answered = 0
        self.links = 0
        self.resets_above = messages // 2
        self.resets = 0
        self.openings = 0
        self._open = set()  # keys that (may) let everybody in
        self._shutting = {}  # id of a call that ends it -> key
        self._shut_at = 0
        self.calm = threading.Event()  # set: until it is cleared, a central system like any other
        self.calm.set()
        self._lock = threading.Lock()
        self._kept_up = threading.Event()

    # -- what is sent

    def value(self, name, rule):
        pick = self.random.choice
        if "enum" in rule:
            if "Inoperative" in rule["enum"] and self.random.random() < 0.8:
                return "Operative"  # or nobody could charge most of the time
            return pick(rule["enum"])
        kind = rule.get("type")
        if kind == "object":
            required = rule.get("required", ())
            return {
                key: self.value(key, inner)
                for key, inner in rule["properties"].items()
                if key in required or self.random.random() < 0.5
            }
        if kind == "array":
            return [self.value(name, rule["items"]) for _ in range(self.random.choice((0, 1, 1, 2, 5, 30)))]
        if kind == "integer":
            return pick(self.transactions) if name == "transactionId" else pick(INTEGERS)
        if kind == "number":
            return pick((0, 6, 8.0, 10.5, 16, 32, 11000, -1, 1e9))
        if kind == "boolean":
            return pick((True, False))
        if rule.get("format") == "date-time":
            return iso8601(time.time() + pick((-100_000, -60, 0, 2, 60, 100_000)))
        if name in ("idTag", "parentIdTag"):
            return pick(TAGS)
        if name == "key":
            return pick(KEYS)
        return pick(VALUES)

    def call(self):
        action = self.random.choice(CALLS)
        if self.random.random() < 0.2:
            action = "RemoteStartTransaction"
        payload = self.value("", SCHEMAS[action])
        if self.random.random() < 0.3:
            payload = self.broken(payload)
        self.note(action, payload)
        return action, payload

    def note(self, action, payload):
        """Whoever this message may authorise, if the station takes it."""
        if not isinstance(payload, dict):
            return
        if action == "RemoteStartTransaction" and isinstance(payload.get("idTag"), str):
            self.authorised.add(payload["idTag"].casefold())
        if action == "SendLocalList":
            entries = payload.get("localAuthorizationList")
            for entry in entries if isinstance(entries, list) else ():
                if isinstance(entry, dict) and isinstance(entry.get("idTag"), str):
                    self.authorised.add(entry["idTag"].casefold())

    def door(self, name):
        """Lets everybody in, or (more often) only the authorised again."""
        key = self.random.choice(OPEN_TO_ALL)
        opens = self.random.random() < 0.3
        if opens:
            self.openings += 1
            self._open.add(key)
            self._shutting = {call: shut for call, shut in self._shutting.items() if shut != key}
        else:
            self._shutting[name] = key
        return json.dumps([2, name, "ChangeConfiguration", {"key": key, "value": "true" if opens else "false"}])

    def answer_came(self, message):
        """The station has answered: a door is shut once that is confirmed."""
        with self._lock:
            key = self._shutting.pop(message[1], None)
            if key in self._open and message[0] == 3 and message[2] == {"status": "Accepted"}:
                self._open.remove(key)
                self._shut_at = time.monotonic()

    def may_charge(self, tag):
        with self._lock:
            everybody = self._open or time.monotonic() - self._shut_at < GRACE_S
            return bool(everybody) or tag.casefold() in self.authorised

    def broken(self, payload):
        """One thing of it is wrong."""
        if not isinstance(payload, dict) or not payload or self.random.random() < 0.1:
            return self.random.choice(JUNK)
        key = self.random.choice(list(payload))
        change = self.random.randrange(4)
        if change == 0:
            del payload[key]
        elif change == 1:
            payload[self.random.choice(("extra", key + "x", ""))] = self.random.choice(JUNK)
        elif change == 2 and isinstance(payload[key], dict):
            payload[key] = self.broken(payload[key])
        else:
            payload[key] = self.random.choice(JUNK)
        return payload

    def message(self):
        """Returns the next text or bytes."""
        kind = self.random.random()
        name = f"h{self.left}"
        if self.left > self.resets_above and self.random.random() < RESETS:
            self.resets += 1
            return json.dumps([2, name, "Reset", {"type": self.random.choice(("Soft", "Hard"))}])
        if self.random.random() < DOORS:
            return self.door(name)
        if kind < 0.8:
            action, payload = self.call()
            return json.dumps([2, name, action, payload])
        if kind < 0.85:
            text = json.dumps([2, name, *self.call()])
            at = self.random.randrange(len(text))
            text = text[:at] + self.random.choice(("", "\x00", '"', "[" * 40, "}", "\\ud800")) + text[at + 1 :]
            with contextlib.suppress(ValueError, IndexError, TypeError):
                self.note(*json.loads(text, strict=False)[2:])  # of another token, perhaps
            return text
        if kind < 0.9:
            return json.dumps([self.random.choice((3, 4, 5, -2, "2", None)), name, self.random.choice(JUNK)])
        if kind < 0.93:
            return json.dumps([2, self.random.choice(("", "i" * 40, 7, None)), "ClearCache", {}])
        if kind < 0.96:
            return json.dumps([2, name, self.random.choice(("", "Reset2", "Heartbeat", "x" * 300)), {}])
        if kind < 0.98:
            return self.random.randbytes(self.random.choice((0, 1, 200, 5000)))
        return self.random.choice(("", "null", "[]", "{}", "[2]", "[" * 3000, "x" * 20_000, json.dumps(JUNK)))

    # -- the link

    def serve(self, socket):
        self.links += 1
        reader = threading.Thread(target=self._answer, args=(socket,), daemon=True)
        reader.start()
        try:
            while self.calm.is_set():
                time.sleep(0.01)
            while self.left > 0:
                with self._lock:
                    self.left -= 1
                    message = self.message()
                    chance = self.random.random()
                socket.send(message)
                if self.left % BURST == 0:
                    self._kept_up.clear()
                    socket.send('[2,"marker","GetLocalListVersion",{}]')
                    if not self._kept_up.wait(MARKER_S):
                        return
                if chance < 0.0003:
                    socket.socket.sendall(self.random.randbytes(30))  # no frame at all
                elif chance < 0.0006:
                    return
                elif chance < 0.02:
                    time.sleep(self.random.random() * 0.02)
                elif chance < 0.04:
                    socket.ping()
        except (ConnectionClosed, OSError):
            pass

    def _answer(self, socket):
        with contextlib.suppress(ConnectionClosed, OSError):
            for text in socket:
                message = json.loads(text)  # what the station sends is JSON, whatever it has got
                if message[0] != 2:
                    self.answered += 1
                    self.answer_came(message)
                    if message[1] == "marker":
                        self._kept_up.set()
                    continue
                with self._lock:
                    reply = self.reply(message[1], message[2], message[3])
                    late = self.random.random() < 0.02
                if late:
                    time.sleep(0.05)
                if reply is not None:
                    socket.send(reply)

    def reply(self, name, action, payload):
        """Mostly an answer, sometimes none, an error, or one that makes no sense."""
        chance = self.random.random()
        status = self.random.choice(("Accepted", "Accepted", "Accepted", "Blocked", "Invalid", "ConcurrentTx"))
        if self.calm.is_set():
            chance, status = 1, "Accepted"
        if isinstance(payload, dict) and payload.get("idTag") == STRANGER:
            status = "Invalid"
        info = {"status": status, "parentIdTag": self.random.choice(("GROUP", "", "04A1B2C3"))}
        now = iso8601(time.time())
        answer = {}
        if action == "BootNotification":
            answer = {"status": "Accepted", "currentTime": now, "interval": self.random.choice((0, 10, 300))}
            chance = 1 if self.random.random() < 0.9 else chance
        elif action == "Heartbeat":
            answer = {"currentTime": now}
        elif action in ("Authorize", "StopTransaction"):
            answer = {"idTagInfo": info}
        elif action == "StartTransaction":
            self.transactions = [*self.transactions[-5:], self.random.choice((-5, 0, 7, 10**6, 2**31 - 1))]
            answer = {"transactionId": self.transactions[-1], "idTagInfo": info}
        if chance < 0.02:
            return None
        if chance < 0.04:
            return json.dumps([4, name, self.random.choice(("InternalError", "Nonsense", 5)), "", {}])
        if chance < 0.07:
            answer = self.broken(answer)
        if isinstance(payload, dict) and "idTag" in payload and status in ("Accepted", "ConcurrentTx"):
            self.authorised.add(payload["idTag"].casefold())
        return json.dumps([3, name, answer])


class People:
    """Vehicles and cards until `stop()`: mostly as people do it, but now and then anything."""

    def __init__(self, charger, seed):
        self._charger = charger
        self._random = random.Random(seed)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self):
        self._ended.set()
        self._thread.join()

    def _outage(self):
        """The network is gone while somebody tries a card."""
        self._charger.network(False)
        try:
            self._charger.swipe(STRANGER)
            self._ended.wait(self._random.random() * 0.4)
        finally:
            self._charger.network(True)

    def _run(self):
        acts = [
            lambda: self._charger.plug(),
            lambda: self._charger.unplug(),
            lambda: self._charger.cp("C"),
            lambda: self._charger.cp("B"),
            lambda: self._charger.swipe(self._random.choice(CARDS)),
            self._outage,
        ]
        usual = [acts[i] for i in (0, 4, 2, 3, 2, 4, 1)]
        step = 0
        while not self._ended.wait(self._random.random() * 0.2):
            act = usual[step % len(usual)]
            if self._random.random() < 0.1:
                act = self._random.choice(acts)
            else:
                step += 1
            # The charger refuses what is no plug to be unplugged, and is away for a moment after a reset.
            with contextlib.suppress(CommandFailed, ConnectionError, OSError):
                act()


class Witness:
    """Hears of every event as it happens; `wrong` has those in which a contactor closed, or a transaction began, for
    nobody or for a stranger."""

    def __init__(self, hostile):
        self._hostile = hostile
        self._running = False
        self.wrong = []
        self.starts = self.closings = 0

    def __call__(self, event):
        if event["ev"] == "tx":
            self._running = event["event"] == "start"
            if self._running:
                self.starts += 1
                if not self._hostile.may_charge(event["tag"]):
                    self.wrong.append(event)
        elif event["ev"] == "relay" and event["on"]:
            self.closings += 1
            if not self._running:
                self.wrong.append(event)


def ordeal(messages, seed, show=lambda text: None):
    """Runs it; returns (hostile, peaks of the free heap). Raises AssertionError for what must not be."""
    hostile = Hostile(messages, seed)
    witness = Witness(hostile)
    peaks = []
    with serve(hostile.serve, "127.0.0.1", 0, subprotocols=["ocpp1.6"], compression=None, close_timeout=1) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        keys = {"MeterValueSampleInterval": "5", "LogLevel": "error"}
        url = "ws://127.0.0.1:%d" % server.socket.getsockname()[1]
        with Charger(url, rate=10, keys=keys, on_event=witness) as charger:
            charger.wait_boot()
            charger.plug()
            charger.swipe(CARDS[0])
            charger.draw(16)
            charger.wait_state(relay=True)
            hostile.calm.clear()
            people = People(charger, seed)
            try:
                _watch(hostile, charger, messages, peaks, show)
            finally:
                people.stop()
            output = charger.output()
        server.shutdown()
    show(f"{hostile.links} links, {hostile.answered} answers, {hostile.resets} resets, {hostile.openings} openings")
    show(f"{witness.starts} transactions, contactor closed {witness.closings} times")
    assert "Traceback" not in output, output[-3000:]
    assert not witness.wrong, witness.wrong
    assert hostile.answered > messages // 2
    return hostile, peaks


def _watch(hostile, charger, messages, peaks, show):
    """Until all is sent: the process lives (or was told to restart), and how much heap it finds."""
    part = max(1, messages // 10)
    newest = 0
    moved, left = time.monotonic(), hostile.left
    while hostile.left > 0:
        time.sleep(0.1)
        if not charger.running:
            code = charger.wait_exit()
            assert code in RESTART_CODES, (code, charger.output()[-3000:])
            charger.restart()
        with contextlib.suppress(ConnectionError):  # a reset may be just now
            newest = max(newest, charger.state()["heap_free"])
        done = messages - hostile.left
        if done >= part * (len(peaks) + 1):
            peaks.append(newest)
            show(f"{done} messages, {newest} bytes free, {hostile.links} links")
            newest = 0
        if hostile.left != left:
            moved, left = time.monotonic(), hostile.left
        assert time.monotonic() - moved < 30, charger.output()[-3000:]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    began = time.monotonic()
    _, peaks = ordeal(arguments.messages, arguments.seed, lambda text: print(text, flush=True))
    print("%d messages in %d s; free heap %s" % (arguments.messages, time.monotonic() - began, peaks))
    assert peaks[-1] > peaks[len(peaks) // 2] - HEAP_SLACK, "the heap shrinks"
