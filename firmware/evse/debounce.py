"""A condition counts once it has held without a break for a time."""


class Debounce:
    """Filters one condition; the time is that of the samples, so a late sample does not need more of them."""

    def __init__(self, ms):
        self.ms = ms
        self._since = None

    def held(self, condition, now_ms):
        """Takes the newest sample of the condition; returns True when it has held for `ms` milliseconds."""
        if not condition:
            self._since = None
            return False
        if self._since is None:
            self._since = now_ms
        return now_ms - self._since >= self.ms
