"""Signals: callbacks by which a layer reports an event to the layers above without knowing them."""


class Signal:
    """Calls its observers in the order in which they were connected, synchronously.

    If an observer raises, the others are still called and the emitter goes on: the exception is passed to
    `on_error(exc)`, such as Log.observer_failed. With None it is raised. Observers may connect during an event.
    """

    def __init__(self, on_error=None):
        self.on_error = on_error
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
                if self.on_error is None:
                    raise
                self.on_error(exc)
