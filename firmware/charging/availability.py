"""Which connectors the operator has taken out of service; kept over restarts (OCPP 1.6 §4.9, §5.2)."""


class Availability:
    """Operative or not, for the station (0) and each connector (1..count).

    What is kept is what is wanted: a connector with a transaction becomes inoperative when that ends.
    """

    def __init__(self, memory, count):
        self._memory = memory
        self._count = count
        self.withdrawn = False  # for the moment and until a restart, no connector is offered
        self._off = set(memory.get("off", ()))

    def operative(self, n):
        return n not in self._off and not (self.withdrawn and n)

    def change(self, n, operative):
        """Sets one connector, or for n = 0 the station and all its connectors. Returns the numbers that changed."""
        numbers = range(self._count + 1) if n == 0 else (n,)
        changed = [i for i in numbers if (i not in self._off) != operative]
        for i in changed:
            if operative:
                self._off.remove(i)
            else:
                self._off.add(i)
        if changed:
            self._memory.set("off", sorted(self._off))
        return changed
