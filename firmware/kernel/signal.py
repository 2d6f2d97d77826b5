"""Signals: callbacks by which a layer reports an event to the layers above without knowing them."""


class Signal:
    """Calls its observers in the order in which they were connected, synchronously.

    If an observer raises, the others are still called and the emitter goes on: the exception is passed to
    `on_error(exc)`, by default `Signal.on_error`, which the composition root sets to the log. Observers may connect
    during an event.
    """

    on_error = None

    def __init__(self, on_error=None):
        self._on_error = on_error
        self._observers = ()  # a tuple: connect() makes a new one, so emit() needs no copy

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
