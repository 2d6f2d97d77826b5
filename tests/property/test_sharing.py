"""Several vehicles below a limit of the station: what could flow at any moment is never more (OCPP 1.6 §3.13.3)."""

import asyncio

from charging_bench import Bench
from charging_profiles import profile
from hypothesis import example, given, settings
from hypothesis import strategies as st

from firmware.charging.composite import STATION

FOLLOWS_S = 5  # a vehicle that is offered less may draw what it had for so long (IEC 61851-1 table A.6 seq. 7)
DUTY_S = 5  # a pilot that says how much says something else after so long at the earliest (table A.5.3)
STEP_MS = 500


class Watch:
    """What each pilot has offered in the last seconds, and what was allowed."""

    def __init__(self, bench):
        self.bench = bench
        self.past = []

    def look(self, total):
        evses = self.bench.evses
        self.past.append((total, [evse.offered_ma for evse in evses]))
        del self.past[: -(FOLLOWS_S + DUTY_S) * 1000 // STEP_MS - 1]
        could_flow = 0
        for i in range(len(evses)):
            most = 0
            for _, offers in reversed(self.past[-FOLLOWS_S * 1000 // STEP_MS :]):
                most = max(most, offers[i])
                if not offers[i]:
                    break  # a pilot without an offer opens the contactor; after that the vehicle begins anew
            could_flow += most
        assert could_flow <= max(total for total, _ in self.past), self.past


actions = st.one_of(
    st.tuples(st.just("come"), st.integers(0, 2)),
    st.tuples(st.just("go"), st.integers(0, 2)),
    st.tuples(st.just("sleep"), st.integers(0, 2)),
    st.tuples(st.just("limit"), st.sampled_from([0, 50, 60, 130, 200, 320, 600])),
    st.tuples(st.just("default"), st.sampled_from([0, 60, 100, 200, 320])),
    st.tuples(st.just("draw"), st.tuples(st.integers(0, 2), st.integers(0, 32))),
    st.tuples(st.just("wait"), st.sampled_from([1, 3, 6, 12, 61])),
)


async def play(script):
    bench = Bench(3, AuthorizeRemoteTxRequests=False)
    for evse in bench.evses:
        evse.duty_interval_ms = DUTY_S * 1000
    await bench.run(1_000)
    schedules = bench.station.schedules
    watch = Watch(bench)
    total = 320
    schedules.install(profile(1, 0, STATION, start=0, periods=(0, total, 0)))
    for word, value in script:
        if word == "come":
            bench.plug(value + 1)
            bench.station.remote_start("CAR%d" % value, value + 1)
            bench.evses[value].set_state("C")
        elif word == "go":
            bench.unplug(value + 1)
        elif word == "sleep":
            bench.evses[value].set_state("B" if bench.evses[value].connected else "A")
        elif word == "draw":
            bench.meters[value[0]].draws_w = value[1] * 230
        elif word == "limit":
            total = value
            schedules.install(profile(1, 0, STATION, start=0, periods=(0, total, 0)))
        elif word == "default":
            schedules.install(profile(2, 0, periods=(0, value, 0)))
        for _ in range(value * 2 if word == "wait" else 2):
            await bench.run(STEP_MS)
            watch.look(total * 100)


@settings(max_examples=60, deadline=None)
@example([("come", 0), ("sleep", 0), ("come", 1), ("come", 0)])
@example([("come", 0), ("come", 1), ("wait", 12)])
@given(st.lists(actions, max_size=14))
def test_what_could_flow_is_never_more_than_the_station_has(script):
    asyncio.run(play(script))
