"""Messages that the back-end has requested: sent once, without waiting for the answer."""

from micropython import const

from firmware.ocpp.errors import CallError

# A back-end that asks for more loses the oldest.
_MAX_WAITING = const(16)


class Requested:
    """A source of the Sender. `wake()` is called when there is something to send."""

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
        """Sends a message as soon as it can be; `then(response)` is called with its answer."""
        if len(self._waiting) >= _MAX_WAITING:
            self._log.warning("ocpp", "%s dropped", self._waiting.pop(0)[0])
        self._waiting.append((action, payload, then))
        self._wake()

    def clear(self):
        """The link is gone, and with it who asked."""
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
