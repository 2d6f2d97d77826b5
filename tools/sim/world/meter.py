# The energy meter of an outlet. MIT license.
"""Energy meter of an outlet: its registers and the values it shows, right or wrong (Modbus: meter_emulator.py)."""

from tools.sim.world.vehicle import Register

STATES = ("ok", "not_present", "incompatible", "misconfigured", "faulted", "timeout")


class Shown:
    """A meter's values: currents (mA) and voltages (mV) of three phases, powers (mW, negative: exported), and the
    import and export registers in microjoules."""

    def __init__(self, currents_ma, voltages_mv, powers_mw, imported_uj, exported_uj):
        self.currents_ma = currents_ma
        self.voltages_mv = voltages_mv
        self.powers_mw = powers_mw
        self.imported_uj = imported_uj
        self.exported_uj = exported_uj

    def fields(self):
        """Returns the constructor's arguments, for JSON."""
        return [
            list(self.currents_ma),
            list(self.voltages_mv),
            list(self.powers_mw),
            self.imported_uj,
            self.exported_uj,
        ]


class Meter:
    """`register` counts what is imported, `exported` what is exported: all of it when the meter is wired backwards.

    silent      does not answer
    frozen      the Shown that is repeated, or None
    currents_ma   shown instead of the real currents, or None
    reverse     wired backwards: powers are negative, energy counts as exported
    blind       has no value for the currents
    delay_ms    delay of answers
    exception   Modbus exception code as answer to all requests, 0: none
    garble      every n-th answer is damaged, 0: none
    model       name of its register map
    state       one of STATES: condition as a device on the bus
    """

    def __init__(self, register=None):
        self.register = register or Register()
        self.exported = Register()
        self.silent = False
        self.frozen = None
        self.currents_ma = None
        self.reverse = False
        self.blind = False
        self.delay_ms = self.exception = self.garble = 0
        self.model = "sdm630"
        self.state = "ok"

    def count(self, milliwatts, ms):
        (self.exported if self.reverse else self.register).count(milliwatts, ms)

    def show(self, currents_ma, voltages_mv):
        """Returns the Shown for the real currents and voltages."""
        if self.frozen:
            return self.frozen
        if self.currents_ma is not None:
            currents_ma = self.currents_ma
        sign = -1 if self.reverse else 1
        powers = tuple(sign * ma * mv // 1000 for ma, mv in zip(currents_ma, voltages_mv))  # noqa: B905
        return Shown(tuple(abs(ma) for ma in currents_ma), voltages_mv, powers, self.register.uj, self.exported.uj)

    _KEPT = ("silent", "currents_ma", "reverse", "delay_ms", "exception", "garble", "model", "state")

    def condition(self):
        """Returns everything except the registers for restore(), suitable for JSON."""
        kept = {name: getattr(self, name) for name in self._KEPT}
        kept["frozen"] = self.frozen.fields() if self.frozen else None
        return kept

    def restore(self, kept):
        for name in self._KEPT:
            setattr(self, name, kept[name])
        self.frozen = Shown(*kept["frozen"]) if kept["frozen"] else None
