"""Several vehicles below a limit of the station: what could flow at any moment is never more (OCPP 1.6 §3.13.3)."""

import asyncio

from charging_bench import Bench
from charging_profiles import profile
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.charging.composite import STATION

FOLLOWS_S = 5  # a vehicle that is offered less may draw what it had for so long (IEC 61851-1 table A.6 seq. 7)
STEP_MS = 500


class Watch:
    """What each connector has offered to a closed contactor in the last seconds, and what was allowed."""

    def __init__(self, bench):
        self.bench = bench
        self.past = []

    def look(self, total):
        evses = self.bench.evses
        self.past.append((total, [evse.offered_ma if evse.charging else 0 for evse in evses]))
        del self.past[: -FOLLOWS_S * 1000 // STEP_MS]
        followed = [0] * len(evses)
        for i in range(len(evses)):
            # A vehicle follows a lower offer late; what was offered before its contactor last opened is over.
            for _, offers in reversed(self.past):
                if not offers[i]:
                    break
                followed[i] = max(followed[i], offers[i])
        assert sum(followed) <= max(total for total, _ in self.past), self.past


actions = st.one_of(
    st.tuples(st.just("come"), st.integers(0, 2)),
    st.tuples(st.just("go"), st.integers(0, 2)),
    st.tuples(st.just("sleep"), st.integers(0, 2)),
    st.tuples(st.just("limit"), st.sampled_from([0, 50, 60, 130, 200, 320, 600])),
    st.tuples(st.just("default"), st.sampled_from([0, 60, 100, 200, 320])),
    st.tuples(st.just("wait"), st.integers(1, 12)),
)


async def play(script):
    bench = Bench(3, AuthorizeRemoteTxRequests=False)
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
        elif word == "limit":
            total = value
            schedules.install(profile(1, 0, STATION, start=0, periods=(0, total, 0)))
        elif word == "default":
            schedules.install(profile(2, 0, periods=(0, value, 0)))
        for _ in range(value * 2 if word == "wait" else 2):
            await bench.run(STEP_MS)
            watch.look(total * 100)


@settings(max_examples=60, deadline=None, derandomize=True)  # the same examples everywhere
@given(st.lists(actions, max_size=14))
def test_what_could_flow_is_never_more_than_the_station_has(script):
    asyncio.run(play(script))
