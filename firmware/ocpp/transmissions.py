"""Message ids of one message that was sent more than once: an answer to any of them counts."""

from micropython import const

# Ids kept: with 30 s MessageTimeout and 10 s between two transmissions they cover ten minutes.
_KEPT = const(16)


class Transmissions:
    """The ids under which one message was sent. An answer to any of them, however late, answers the message.

    A message that is sent again has a new id each time (OCPP-J errata 3.7). `answer` is a CALLRESULT or CALLERROR that
    came while none of its transmissions was waited for, None without; `answered()` is called when one comes.
    """

    def __init__(self, answered):
        self._answered = answered
        self._ids = []
        self.answer = None

    def add(self, message_id):
        """The message goes out once more."""
        if len(self._ids) >= _KEPT:
            self._ids.pop(0)
        self._ids.append(message_id)

    def take(self, message_id):
        """Returns True for the first answer to one of the transmissions: each has one at most."""
        if message_id not in self._ids:
            return False
        self._ids.remove(message_id)
        return True

    def keep(self, answer):
        """An answer has come and nobody waits for it."""
        self.answer = answer
        self._answered()

    def claim(self):
        """Returns the answer that was kept, once; None without."""
        answer, self.answer = self.answer, None
        return answer

    def end(self):
        """The message is dealt with: answers that are still to come mean nothing."""
        self._ids = []
        self.answer = None
