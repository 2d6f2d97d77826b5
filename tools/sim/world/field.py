# The field of a card reader. MIT license.
"""Field of a card reader: the card that is presented, for how long, and whether it flickers."""

from micropython import const

_STAYS_MS = const(1200)
_AWAY_MS = const(1200)  # a reader must notice that a card was removed before it reports it again
_FLICKER_MS = const(250)  # a card at the edge of the field is detected and lost for this time each
_MAX_CARDS = const(16)


class Field:
    """`show(uid)` presents a card for a while; the functions in `arrived` are called when it enters the field.

    uid   of the card that is in the field, None without one
    """

    def __init__(self, timeline):
        self._timeline = timeline
        self._cards = []  # queued cards: (uid, held ms, away ms, flicker)
        self._busy = False  # a card is or was just in the field
        self._shown = 0  # cards so far
        self.arrived = []
        self.uid = None

    def show(self, uid, held_ms=_STAYS_MS, away_ms=_AWAY_MS, flicker=False):
        """Presents a card after those that are queued; the field stays empty for `away_ms` after it.

        Raises ValueError when too many wait.
        """
        if len(self._cards) >= _MAX_CARDS:
            raise ValueError("too many cards at once")
        self._cards.append((uid, held_ms, away_ms, flicker))
        self._next_card()

    def _next_card(self, _=None):
        if self._busy or not self._cards:
            return
        uid, held_ms, away_ms, flicker = self._cards.pop(0)
        self._busy = True
        self._shown += 1
        self._timeline.after(held_ms, self._leaves, away_ms)
        if flicker:
            self._timeline.after(_FLICKER_MS, self._flicker, (self._shown, uid))
        self._enters(uid)

    def _enters(self, uid):
        self.uid = uid
        for function in self.arrived:
            function()

    def _flicker(self, card):
        number, uid = card
        if not self._busy or number != self._shown:
            return
        self._timeline.after(_FLICKER_MS, self._flicker, card)
        if self.uid:
            self.uid = None
        else:
            self._enters(uid)

    def _leaves(self, away_ms):
        self.uid = None
        self._shown += 1  # ends its flickering
        self._timeline.after(away_ms, self._free)

    def _free(self, _):
        self._busy = False
        self._next_card()
