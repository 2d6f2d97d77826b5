# Things of the physical world that happen later. MIT license.
"""Timeline of future events in the world; each happens at its exact time, even if it is processed later."""


class Timeline:
    """Time of the world. `ms()` counts milliseconds; `arrange(delay_ms)`, if set, sees to it that look() is called in
    that time, so that events also happen without another call."""

    def __init__(self, ms):
        self._ms = ms
        self._coming = []  # (instant, function, argument), earliest first
        self._soon = []  # functions for the next look()
        self.time = ms()  # present time of the world
        self.arrange = None

    def now(self):
        """Runs all due events; returns the present time in ms."""
        now = self._ms()
        while self._coming and self._coming[0][0] <= now:
            self.time, function, argument = self._coming.pop(0)
            function(argument)
        self.time = now
        return now

    def soon(self, function):
        """Calls function() after the present action: outputs that are switched in one step are one event."""
        self._soon.append(function)
        if self.arrange:
            self.arrange(0)

    def look(self):
        """now(), called by the event loop between two steps of the firmware."""
        soon, self._soon = self._soon, []
        for function in soon:
            function()
        return self.now()

    def after(self, delay_ms, function, argument=None):
        """Calls function(argument) `delay_ms` after the present instant."""
        instant = self.time + delay_ms
        place = len(self._coming)
        while place and self._coming[place - 1][0] > instant:
            place -= 1
        self._coming.insert(place, (instant, function, argument))
        if self.arrange:
            self.arrange(delay_ms)
