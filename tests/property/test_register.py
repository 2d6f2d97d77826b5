"""The bill of a session equals the energy that flowed, whatever its meter shows meanwhile (M1)."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from firmware.charging.register import Register

SUPPLY_W = 22_000
WMS_PER_WH = 3_600_000

jumps = st.one_of(st.integers(-100_000, 100_000), st.integers(-60, 60), st.sampled_from([2**31, -(10**6), 10**9]))
spans = st.tuples(
    st.integers(0, SUPPLY_W),  # power, W
    st.integers(1, 40),  # readings
    st.one_of(st.just(0), jumps),  # added to what the meter shows
    st.sampled_from([400, 1_000, 2_000, 4_300]),  # ms between two readings
)


class Session:
    """A register and the truth about its meter."""

    def __init__(self, first_wh):
        self.register = Register(SUPPLY_W)
        self.flowed = 0  # W * ms
        self.first_wh = first_wh
        self.ms = 0
        self.bills = []
        self.read(0, 0)

    @property
    def true_wh(self):
        return self.flowed // WMS_PER_WH

    @property
    def bill(self):
        return self.register.wh - self.first_wh

    def read(self, watts, jump, after_ms=0):
        self.ms += after_ms
        self.flowed += watts * after_ms
        self.register.take(self.first_wh + self.true_wh + jump, self.ms, watts, True)
        self.bills.append(self.bill)


def play(first_wh, script, tail_w=3_000):
    session = Session(first_wh)
    for watts, readings, jump, pause_ms in script:
        for _ in range(readings):
            session.read(watts, jump, pause_ms)
    for _ in range(8):
        session.read(tail_w, 0, 1_000)  # the meter is right at the end
    assert session.bills == sorted(session.bills) and session.bills[0] >= 0
    return session


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 10**6), st.lists(spans, max_size=12))
@example(0, [(11_000, 10, 0, 1_000), (11_000, 2, 60_000, 1_000), (11_000, 10, 0, 1_000), (11_000, 5, -50_000, 1_000)])
def test_the_bill_is_what_flowed(first_wh, script):
    """Hiccups that pass: nothing is billed that did not flow, and what flowed is, but for what a jump can hide in.

    A jump by less than the supply can give between two looks cannot be told from energy, nor can one that falls back by
    so little; where power changes within a jump, the flow that no register has counted is estimated.
    """
    session = play(first_wh, script)
    changes = sum(1 for before, after in zip([(0, 0, 0, 0)] + script, script) if before != after)
    hides_wh = SUPPLY_W * (4_300 + 1_000) // WMS_PER_WH + 2
    assert abs(session.bill - session.true_wh) <= hides_wh * (1 + 2 * changes)


@settings(max_examples=300, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(0, SUPPLY_W),
    st.lists(st.tuples(st.integers(3, 60), jumps.filter(lambda jump: abs(jump) > 300), st.integers(1, 60)), max_size=8),
)
@example(1_000, 11_000, [(20, -50_000, 5), (20, 60_000, 1), (1, 60_000, 5)])
def test_hiccups_that_no_vehicle_can_make_leave_no_trace(first_wh, watts, hiccups):
    """At a steady power: exact to the watt-hour and its rounding, however many there are and however long.

    With 3 s between them: what comes in faster succession is garbage, see below. Two places of the register that lie
    closer together than what flows in a minute may be taken for each other, see above.
    """
    session = Session(first_wh)
    for quiet, jump, wrong in hiccups:
        for _ in range(quiet):
            session.read(watts, 0, 1_000)
        for _ in range(wrong):
            session.read(watts, jump, 1_000)
    for _ in range(8):
        session.read(watts, 0, 1_000)
    assert session.bills == sorted(session.bills)
    assert abs(session.bill - session.true_wh) <= 2 + len(hiccups), (session.bill, session.true_wh)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, SUPPLY_W), st.lists(st.integers(0, 2**40), min_size=1, max_size=60))
def test_garbage_costs_nothing(first_wh, watts, garbage):
    session = Session(first_wh)
    for shown in garbage:
        session.ms += 1_000
        session.flowed += watts * 1_000
        session.register.take(shown, session.ms, watts, True)
        session.bills.append(session.bill)
    assert session.bills == sorted(session.bills)
    assert 0 <= session.bill <= SUPPLY_W * 1_000 * (len(garbage) + 1) // WMS_PER_WH + 1
