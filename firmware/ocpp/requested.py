"""Messages that the back-end has requested: sent once, without waiting for the answer."""

from micropython import const

from firmware.ocpp.errors import CallError

# Beyond this the oldest message is dropped.
_MAX_WAITING = const(16)


class Requested:
    """A source of the Sender. `wake()` is called when a message is queued."""

    def __init__(self, registration, call, log, wake):
        self._registration = registration
        self._call = call
        self._log = log
        self._wake = wake
        self._waiting = []  # (action, payload, function that takes the answer or None)
        self._sending = False

    @property
    def busy(self):
        return bool(self._waiting or self._sending)

    def post(self, action, payload, then=None):
        """Queues a message; `then(response)` is called with its answer."""
        if len(self._waiting) >= _MAX_WAITING:
            self._log.warning("ocpp", "%s dropped: too many requested messages", self._waiting.pop(0)[0])
        self._waiting.append((action, payload, then))
        self._wake()

    def clear(self):
        """Drops all messages: the link on which they were requested is gone."""
        self._waiting = []

    def wait_ms(self):
        return 0 if self._waiting and self._registration.obeys else None

    async def send(self):
        action, payload, then = self._waiting.pop(0)
        self._sending = True
        try:
            response = await self._call(action, payload)
            if then:
                then(response)
        except (CallError, OSError) as exc:
            self._log.warning("ocpp", "%s: %s", action, exc)
        finally:
            self._sending = False
