"""Runs the cells of the fault matrix: one station, one state, one fault, its repair, and a session afterwards."""

from micropython import const

from firmware.ocpp.v16.words import STATES as WORDS
from tools.fault_matrix.cases import B1, B2, CASES, CHARGING, PAUSED, STATES, A
from tools.sim.bench import Bench

_DETECTED_MS = const(13_000)  # the slowest is the lock with three tries
_RECLOSE_MS = const(33_000)  # from the end of a fault to energy again
_PAUSE_MS = const(50_000)  # pause before the next closing, and time until it has succeeded
_LONG_MS = const(60_000)  # longer waits may use long steps

_CARDS = ("04A1B2C3", "04D5E6F7")
_WORD_OF = {A: "Available", B1: "Preparing", B2: "SuspendedEV", PAUSED: "SuspendedEVSE", CHARGING: "Charging"}


class Cell:
    """A connector in a state. Functions of a Case use: bench, outlet, parts, meter, shown (the vehicle's letter)."""

    def __init__(self, folder, state, connectors=1, n=1):
        self.bench = bench = Bench(folder, connectors, LockEarly=True, ConnectionTimeOut=600)
        self.n = n
        self.state = state
        self.outlet = bench.outlets[n - 1]
        self.parts = bench.board.connectors[n - 1]
        self.meter = bench.meters[n - 1]
        self.evse = bench.evses[n - 1]
        self.shown = "C" if state in (PAUSED, CHARGING) else "B"
        if state != A:
            self.plug()
        if state in (PAUSED, CHARGING):
            bench.session(n, _CARDS[n - 1])
        elif state == B2:
            bench.swipe(_CARDS[n - 1])
        if state == PAUSED:
            self.evse.limits.set("test", 0)
            bench.run(9_000)
        # A vehicle that does not respond to the pilot counts as suspended after 3 s.
        bench.run(4_000 if state == B2 else 3_000)
        assert self.word == _WORD_OF[state], self.word
        self.transaction = bench.station.transaction(n)

    @property
    def was_offered(self):
        return self.state in (B2, CHARGING)

    @property
    def word(self):
        return WORDS[self.bench.word(self.n)]

    @property
    def names(self):
        return [fault.name for fault in self.evse.faults]

    @property
    def coil(self):
        return self.outlet.contactor.coil

    def plug(self):
        self.outlet.plug(32)
        self.bench.run(1_500)

    def finish(self):
        """The user ends the session, the vehicle stops drawing."""
        if self.bench.station.transaction(self.n):
            self.bench.swipe(_CARDS[self.n - 1])
            self.bench.run(500)
            self.outlet.set_vehicle("B")
            self.bench.run(4_000)

    def run_long(self, ms):
        if ms > _LONG_MS:
            self.bench.run(ms - 5_000, 200)
            ms = 5_000
        self.bench.run(ms)


def run_cell(case, state, folder):
    """Runs a case in a state; returns the text of the cell. Raises AssertionError with the reason."""
    cell = Cell(folder, state)
    bench = cell.bench
    began = bench.ms
    case.does(cell)
    if state not in case.shows:
        bench.run(3_000)
        assert not cell.names and cell.word == _WORD_OF[state], "%s %s" % (cell.names, cell.word)
        return "-"
    text = ""
    if state == CHARGING:
        text = _open(cell, case)
    if case.prompt and (state == CHARGING or case.recovery == "retry"):
        case.prompt(cell)
    text += _reported(cell, case)
    if state == CHARGING and case.limit_ms is not None:
        bench.run(1_000)
        assert not cell.coil
        assert not bench.closed(), "contacts"
    elif state != CHARGING:
        assert bench.opened_at[0] is None or bench.opened_at[0] < began, "has been closed"
    _recover(cell, case)
    _balance(cell)
    _next_session(cell)
    return text


def _open(cell, case):
    """Checks that the contactor opens in time, or stays closed where allowed."""
    bench = cell.bench
    if case.limit_ms is None:
        bench.run(2_000)
        assert cell.coil, "opened"
        return ""
    took = bench.until(lambda: not cell.coil, case.limit_ms)
    assert took is not None, "open too late"
    return "%d ms, " % took


def _expected_word(case, state):
    if case.recovery == "session":
        # The plug is still in the socket; without a session there is nothing to finish.
        return "Available" if state == B1 else "Finishing"
    if case.warns:
        return case.word or _WORD_OF[state]
    if case.by_vehicle and state != A:
        return "Preparing" if state == B1 else "SuspendedEVSE"
    return "Faulted"


def _reported(cell, case):
    """Checks the status report to the back-end."""
    bench = cell.bench
    if case.name:
        limit_ms = max(_DETECTED_MS, case.limit_ms or 0)
        assert bench.until(lambda: case.name in cell.names, limit_ms) is not None, "not detected"
    bench.run(2_500)
    report = bench.report(cell.n)
    state = cell.state
    word = _expected_word(case, state)
    assert report["status"] == word, "%s instead of %s" % (report["status"], word)
    # EVCommunicationError is not allowed with Faulted (OCPP 1.6 §4.9).
    code = "OtherError" if case.by_vehicle and word == "Faulted" else case.code
    assert report["errorCode"] == code, report["errorCode"]
    assert report.get("vendorErrorCode") == case.vendor, report.get("vendorErrorCode")
    assert not case.name or 0 < len(report["info"]) <= 50
    return word


def _recover(cell, case):
    bench = cell.bench
    case.undoes(cell)
    if case.recovery in ("auto", "again", "supply"):
        cell.run_long(max(case.after_ms, _PAUSE_MS) if case.recovery != "auto" and cell.was_offered else case.after_ms)
        assert not cell.names, "%s is still there" % cell.names
        wanted = _WORD_OF[cell.state]
        assert bench.until(lambda: cell.word == wanted, _RECLOSE_MS) is not None, "%s after the repair" % cell.word
        assert bench.station.transaction(cell.n) is cell.transaction, "another transaction"
        if cell.state == CHARGING:
            bench.run(2_000)
            assert bench.closed(), "no energy after the repair"
        return
    bench.run(3_000)
    if case.recovery == "retry":
        cell.run_long(890_000)
    if cell.outlet.vehicle.plugged:
        assert not case.name or case.name in cell.names, "over without unplugging"
        assert cell.coil == (case.warns and cell.state == CHARGING)
        cell.outlet.unplug()
    elif case.recovery == "unplug":
        bench.run(2_000)
    limit = 15_000 if case.recovery == "retry" else 3_000
    assert bench.until(lambda: not cell.names, limit) is not None, "%s for ever" % cell.names


def _balance(cell):
    """Checks that each transaction has its end, with the energy of the meter."""
    bench = cell.bench
    cell.finish()
    cell.outlet.unplug()
    bench.run(10_000)
    begins, ends = bench.books()
    assert sorted(begins) == sorted(ends), "a transaction without end"
    assert len(begins) == (1 if cell.state in (B2, PAUSED, CHARGING) else 0)
    for tx in ends:
        assert ends[tx][0] == cell.outlet.register.wh, "billed %d Wh of %d" % (ends[tx][0], cell.outlet.register.wh)
    assert cell.word == "Available", cell.word


def _next_session(cell):
    cell.evse.limits.clear("test")
    cell.plug()
    cell.bench.session(cell.n)


def run_beside(case, folder):
    """Runs a case at the second connector while the first one charges, which must not be affected."""
    cell = Cell(folder, CHARGING, 2, 2)
    bench = cell.bench
    bench.outlets[0].plug(32)
    bench.run(1_500)
    bench.session(1, _CARDS[0])
    began = bench.ms
    case.does(cell)
    if case.prompt:
        case.prompt(cell)
    bench.run(_DETECTED_MS, 20)
    report = bench.report(1)
    assert (report["status"], report["errorCode"]) == ("Charging", "NoError"), report
    assert bench.closed(1) and (bench.opened_at[0] is None or bench.opened_at[0] < began)
    return "charges on"


def rows(folder_of):
    """Yields (label, list of texts) for each case; `folder_of()` returns a fresh directory. Raises AssertionError."""
    for case in CASES:
        texts = []
        for state in STATES:
            try:
                texts.append(run_cell(case, state, folder_of()))
            except AssertionError as exc:
                raise AssertionError("%s in %s: %s" % (case.label, state, exc))
        try:
            texts.append(run_beside(case, folder_of()))
        except AssertionError as exc:
            raise AssertionError("%s beside a vehicle that charges: %s" % (case.label, exc))
        yield case, texts
