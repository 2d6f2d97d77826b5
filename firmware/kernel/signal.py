"""Signals: callbacks by which a layer reports an event to the layers above without knowing them."""


class Signal:
    """Calls its observers in the order in which they were connected, synchronously.

    An observer that raises does not keep the event from the others, nor does it disturb the emitter: the exception goes
    to `on_error(exc)`. Without one it goes to `Signal.on_error`, which the composition root points at the log.
    Observers may connect while an event is on its way.
    """

    on_error = None

    def __init__(self, on_error=None):
        self._on_error = on_error
        self._observers = ()  # a tuple: emitting iterates over it without a copy while connect() makes a new one

    def connect(self, observer):
        """Adds a callable."""
        self._observers = self._observers + (observer,)

    def emit(self, *args):
        """Calls every observer with `args`."""
        for observer in self._observers:
            try:
                observer(*args)
            except Exception as exc:
                on_error = self._on_error or Signal.on_error
                if on_error is None:
                    raise
                on_error(exc)
