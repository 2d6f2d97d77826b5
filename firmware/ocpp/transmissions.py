"""Repeated transmissions of one message: an answer to any of them counts, however late."""

from micropython import const

# Number of ids kept: ten minutes with a MessageTimeout of 30 s and 10 s between two transmissions.
_KEPT = const(16)


class Transmissions:
    """The ids with which one message was sent. An answer to any of them, however late, answers the message.

    Each transmission has a new id (OCPP-J errata 3.7). `answer` is an Answer that came between two transmissions, or
    None; `answered()` is called when one comes.
    """

    def __init__(self, answered):
        self._answered = answered
        self._ids = []
        self.answer = None

    def add(self, message_id):
        """Adds the id of a transmission."""
        if len(self._ids) >= _KEPT:
            self._ids.pop(0)
        self._ids.append(message_id)

    def take(self, message_id):
        """Returns True for the id of a transmission that has not been answered yet."""
        if message_id not in self._ids:
            return False
        self._ids.remove(message_id)
        return True

    def keep(self, answer):
        """Stores an answer that came while no call was waiting."""
        self.answer = answer
        self._answered()

    def claim(self):
        """Returns the stored answer once, or None."""
        answer, self.answer = self.answer, None
        return answer

    def end(self):
        """The message is done: later answers are ignored."""
        self._ids = []
        self.answer = None
