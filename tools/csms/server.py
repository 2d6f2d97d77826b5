"""CentralSystem: a WebSocket server in its own thread, with a blocking interface for tests and console."""

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
    """Serves any number of stations until `stop()`; with only one its identity need not be given.

    `calls` has every CALL of a station, `frames` every text frame, `violations` every violation of the protocol in
    either direction, `ledger` the transactions; `policy` sets the answers. All are kept over reconnections and over
    `close_port()` and `open_port()`.
    """

    def __init__(self, port=0, host="127.0.0.1", policy=None, ssl=None):
        self.host = host
        self.port = port  # 0: a free port, chosen at the start and kept
        self.policy = policy or Policy()
        self.ledger = Ledger()
        self.calls = []
        self.frames = []
        self.violations = []
        self.observers = []  # functions called with each Frame, on the server's thread
        self.registered = {}  # identity -> answer to its last BootNotification
        self._ssl = ssl
        self._changed = threading.Condition()
        self._conversations = {}  # identity -> Conversation of the connection in use
        self._seen = {}  # action -> index into calls after the message that expect() returned last
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="central system", daemon=True)
        self._server = None

    # Start and stop

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc_info):
        self.stop()

    @property
    def url(self):
        """URL for stations, without the identity, which they append."""
        return f"{'wss' if self._ssl else 'ws'}://{self.host}:{self.port}"

    def start(self):
        self._thread.start()
        self.open_port()

    def stop(self):
        """Closes all connections and the port; the records are kept."""
        self.close_port()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def open_port(self):
        """Listens, on the same port as before."""
        self._run(self._open())

    def close_port(self):
        """Stops listening and closes all connections, until `open_port()`."""
        self._run(self._close())

    # Received messages

    def expect(self, action, timeout=10, station=None, **fields):
        """Returns the next CALL `action` whose payload has these `fields`, waiting at most `timeout` seconds for it.

        "Next" means after the one returned by the last call for this action. Raises AssertionError with the messages
        received instead.
        """
        deadline = time.monotonic() + timeout
        with self._changed:
            checked = self._seen.get(action, 0)
            while True:
                for index in range(checked, len(self.calls)):
                    message = self.calls[index]
                    if message.action == action and station in (None, message.station) and message.matches(fields):
                        # The answer is sent a moment later; wait for it, since callers expect an answered message.
                        if action in self.policy.silent or self._wait(lambda m=message: m.answered, deadline):
                            self._seen[action] = index + 1
                            return message
                checked = len(self.calls)
                if not self._wait(lambda seen=checked: len(self.calls) > seen, deadline):
                    raise AssertionError(self._missed(action, fields, timeout))

    def expect_none(self, action, within=1.0, **fields):
        """Raises AssertionError when such a CALL is received within `within` seconds."""
        try:
            message = self.expect(action, timeout=within, **fields)
        except AssertionError:
            return
        raise AssertionError(f"{action} was received: {message.payload}")

    def wait_connected(self, timeout=10, station=None):
        """Waits until a station (or this one) is connected; raises AssertionError after `timeout` seconds."""
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

    # Messages to stations

    def call(self, action, /, timeout=10, station=None, **payload):
        """Sends a CALL and returns the payload of its answer.

        Raises CallFailed for a CALLERROR, TimeoutError, ConnectionError without a connected station, and ValueError for
        a payload that violates the schema (use `send_text` for those).
        """
        future = asyncio.run_coroutine_threadsafe(self._conversation(station).call(action, payload), self._loop)
        try:
            return future.result(timeout)
        except (CancelledError, ConnectionClosed):
            raise ConnectionError(f"the connection was lost during {action}") from None
        finally:
            future.cancel()

    def send_text(self, text, station=None):
        """Sends a text frame unchecked; `bytes` are sent as a binary frame."""
        self._run(self._conversation(station).send(text))

    def send_raw(self, data, station=None):
        """Writes raw bytes to the connection, without a frame."""
        self._run(self._conversation(station).send_raw(data))

    def disconnect(self, station=None, code=1000):
        """Closes the connection with a Close frame."""
        self._run(self._conversation(station).close(code))

    def abort(self, station=None):
        """Aborts the connection without a Close frame."""
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
        """Returns an HTTP error for the handshake, None to continue (HTTP basic authentication, OCPP-J 1.6 §6.2.2)."""
        station = request.path.rpartition("/")[2]
        if self.policy.refuse:
            return connection.respond(self.policy.refuse, "refused\n")
        if self.policy.password is not None and not self._authentic(station, request.headers.get("Authorization", "")):
            return connection.respond(401, "wrong user or password\n")
        if SUBPROTOCOL not in request.headers.get("Sec-WebSocket-Protocol", "").replace(" ", "").split(","):
            self.record_violation(station, f"does not offer the sub-protocol {SUBPROTOCOL} (OCPP-J 1.6 §3.2)")
        return None  # without a common sub-protocol the handshake fails

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
            self._conversations[station] = conversation  # a station that connects again has lost its old connection
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
