"""The central system itself: a WebSocket server in a thread of its own, behind an interface without asyncio."""

import asyncio
import hmac
import threading
import time
from base64 import b64decode
from concurrent.futures import CancelledError

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

from tools.csms.conversation import Conversation
from tools.csms.ledger import Ledger
from tools.csms.policy import Policy
from tools.csms.records import Frame

SUBPROTOCOL = "ocpp1.6"


class CentralSystem:
    """Serves any number of stations until `stop()`; with one station its identity never needs to be named.

    `calls` has every CALL of a station, `frames` every text frame, `violations` whatever broke the protocol in either
    direction, `ledger` the transactions, and `policy` says how to answer. All of them live as long as this object, over
    reconnections and over `close_port()` and `open_port()`.
    """

    def __init__(self, port=0, host="127.0.0.1", policy=None, ssl=None):
        self.host = host
        self.port = port  # 0: the system chooses at start, and keeps it
        self.policy = policy or Policy()
        self.ledger = Ledger()
        self.calls = []
        self.frames = []
        self.violations = []
        self.observers = []  # called with each Frame, on the server's thread
        self.registered = {}  # identity -> answer to its last BootNotification
        self._ssl = ssl
        self._changed = threading.Condition()
        self._conversations = {}  # identity -> Conversation of the connection in use
        self._seen = {}  # action -> index into calls after the message that expect() returned last
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="central system", daemon=True)
        self._server = None

    # Life

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc_info):
        self.stop()

    @property
    def url(self):
        """Where a station connects to, without its identity, which it appends."""
        return f"{'wss' if self._ssl else 'ws'}://{self.host}:{self.port}"

    def start(self):
        self._thread.start()
        self.open_port()

    def stop(self):
        """Closes all connections and the port; what has been recorded stays."""
        self.close_port()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def open_port(self):
        """Listens, on the same port as before."""
        self._run(self._open())

    def close_port(self):
        """Stops listening and closes all connections; stations find nobody there until `open_port()`."""
        self._run(self._close())

    # Looking at what stations have sent

    def expect(self, action, timeout=10, station=None, **fields):
        """Returns the next CALL `action` whose payload has these `fields`, waiting at most `timeout` seconds for it.

        "Next" is after the one that the last call for this action returned. Raises AssertionError, which tells what
        came instead.
        """
        deadline = time.monotonic() + timeout
        with self._changed:
            checked = self._seen.get(action, 0)
            while True:
                for index in range(checked, len(self.calls)):
                    message = self.calls[index]
                    if message.action == action and station in (None, message.station) and message.matches(fields):
                        # The answer goes out a moment later, and who expects a message wants to see it answered.
                        if action in self.policy.silent or self._wait(lambda m=message: m.answered, deadline):
                            self._seen[action] = index + 1
                            return message
                checked = len(self.calls)
                if not self._wait(lambda seen=checked: len(self.calls) > seen, deadline):
                    raise AssertionError(self._missed(action, fields, timeout))

    def expect_none(self, action, within=1.0, **fields):
        """Raises AssertionError when such a CALL comes within so many seconds."""
        try:
            message = self.expect(action, timeout=within, **fields)
        except AssertionError:
            return
        raise AssertionError(f"{action} came: {message.payload}")

    def wait_connected(self, timeout=10, station=None):
        """Returns when a station (or this one) is connected; raises AssertionError after `timeout` seconds."""
        with self._changed:
            if not self._wait(
                lambda: station in self._conversations if station else self._conversations, time.monotonic() + timeout
            ):
                raise AssertionError(f"{station or 'no station'} is not connected after {timeout} s")

    @property
    def connected(self):
        """The identities of the stations that are connected."""
        with self._changed:
            return sorted(self._conversations)

    # Talking to stations

    def call(self, action, /, timeout=10, station=None, **payload):
        """Sends a CALL and returns the payload of its answer.

        Raises CallFailed for a CALLERROR, TimeoutError, ConnectionError without a station or when it goes away, and
        ValueError for a payload that the schema forbids (use `send_text` to send such ones).
        """
        future = asyncio.run_coroutine_threadsafe(self._conversation(station).call(action, payload), self._loop)
        try:
            return future.result(timeout)
        except (CancelledError, ConnectionClosed):
            raise ConnectionError(f"the connection went away during {action}") from None
        finally:
            future.cancel()

    def send_text(self, text, station=None):
        """Sends a text frame as it is, however wrong; `bytes` go out as a binary frame."""
        self._run(self._conversation(station).send(text))

    def send_raw(self, data, station=None):
        """Writes bytes to the connection as they are, without a frame around them."""
        self._run(self._conversation(station).send_raw(data))

    def disconnect(self, station=None, code=1000):
        """Closes the connection in an orderly way."""
        self._run(self._conversation(station).close(code))

    def abort(self, station=None):
        """Cuts the connection without a word."""
        self._run(self._conversation(station).abort())

    # Called by conversations on the server's thread

    def record_frame(self, station, direction, text):
        frame = Frame(time.time(), station, direction, text)
        with self._changed:
            self.frames.append(frame)
        for observer in self.observers:
            observer(frame)

    def record_call(self, message):
        with self._changed:
            self.calls.append(message)
            self._changed.notify_all()

    def record_answered(self):
        with self._changed:
            self._changed.notify_all()

    def record_violation(self, station, text):
        with self._changed:
            self.violations.append(f"{station}: {text}")

    # Inside

    def _wait(self, condition, deadline):
        return self._changed.wait_for(condition, max(0, deadline - time.monotonic()))

    def _missed(self, action, fields, timeout):
        wanted = f"{action} {fields}" if fields else action
        came = [f"  {m.action} {m.payload}" for m in self.calls[-10:]]
        return f"no {wanted} within {timeout} s. Last messages:\n" + ("\n".join(came) or "  none")

    def _conversation(self, station):
        with self._changed:
            if station is None and len(self._conversations) > 1:
                raise ValueError(f"which station? {', '.join(sorted(self._conversations))} are connected")
            if not self._conversations or station not in (None, *self._conversations):
                raise ConnectionError(f"{station} is not connected" if station else "no station is connected")
            return self._conversations[station or next(iter(self._conversations))]

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _open(self):
        self._server = await serve(
            self._serve,
            self.host,
            self.port,
            ssl=self._ssl,
            subprotocols=[SUBPROTOCOL],
            process_request=self._admit,
            compression=None,
            ping_interval=None,  # the station decides when to ping (WebSocketPingInterval)
            max_size=2**20,
            close_timeout=1,
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self):
        if self._server:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    def _admit(self, connection, request):
        """Answers the handshake with an HTTP error or lets it go on (OCPP-J 1.6 §6.2.2 HTTP basic authentication)."""
        station = request.path.rpartition("/")[2]
        if self.policy.refuse:
            return connection.respond(self.policy.refuse, "refused\n")
        if self.policy.password is not None and not self._authentic(station, request.headers.get("Authorization", "")):
            return connection.respond(401, "wrong user or password\n")
        if SUBPROTOCOL not in request.headers.get("Sec-WebSocket-Protocol", "").replace(" ", "").split(","):
            self.record_violation(station, f"does not offer the sub-protocol {SUBPROTOCOL} (OCPP-J 1.6 §3.2)")
        return None  # and the handshake fails if there is no sub-protocol in common

    def _authentic(self, station, header):
        password = self.policy.password
        secret = password if isinstance(password, bytes) else password.encode()
        scheme, _, credentials = header.partition(" ")
        try:
            given = b64decode(credentials, validate=True)
        except ValueError:
            return False
        return scheme.lower() == "basic" and hmac.compare_digest(given, station.encode() + b":" + secret)

    async def _serve(self, socket):
        station = socket.request.path.rpartition("/")[2]
        conversation = Conversation(self, station, socket)
        with self._changed:
            self._conversations[station] = conversation  # a station that comes again has lost its old connection
            self._changed.notify_all()
        try:
            await conversation.run()
        except ConnectionClosed:
            pass
        finally:
            conversation.lost()
            with self._changed:
                if self._conversations.get(station) is conversation:
                    del self._conversations[station]
                self._changed.notify_all()
