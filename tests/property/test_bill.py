"""The end value of a transaction is what the meter shows once no more can flow, to the watt-hour."""

import tempfile

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tools.sim.bench import Bench

_UJ_PER_WH = 3_600_000_000
_OVER_MS = 11_000  # the vehicle's 6 s, the contacts, the meter


def _obeys(bench):
    bench.swipe()
    bench.run(500)
    bench.outlets[0].set_vehicle("B")


def _ignores(bench):
    bench.swipe()


def _hesitates(bench):
    """Draws nothing when the meter looks, and then again."""
    bench.swipe()
    bench.run(200)
    bench.outlets[0].set_load((0, 0, 0), 230_000)
    bench.run(1_200)
    bench.outlets[0].set_load((16_000,) * 3, 230_000)


def _trickles(bench):
    bench.outlets[0].set_load((400,) * 3, 230_000)
    bench.run(1_500)
    bench.swipe()


def _pulls_the_plug(bench):
    bench.outlets[0].unplug()


def _play(end, wait_ms, first_uj):
    """Returns (billed Wh, microjoules on the register) of a session that ends so, `wait_ms` after it began."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(folder)
        outlet = bench.outlets[0]
        outlet.register.uj = first_uj
        outlet.plug(32)
        bench.run(1_500)
        bench.session()
        bench.run(wait_ms)
        end(bench)
        bench.run(_OVER_MS)
        (wh, _), *others = bench.books()[1].values()
        assert not others
        return wh, outlet.register.uj


@settings(max_examples=20, deadline=None)
@given(st.sampled_from((_obeys, _ignores, _hesitates, _trickles, _pulls_the_plug)), st.integers(0, 50))
@example(_obeys, 0)
@example(_ignores, 0)
@example(_hesitates, 0)
@example(_trickles, 0)
@example(_pulls_the_plug, 0)
def test_the_last_watt_hour_is_billed(end, ticks):
    """The register is set so that it turns with the last microjoule that flows: whoever looks too early misses it."""
    _, flowed_uj = _play(end, ticks * 20, 0)
    billed, shown_uj = _play(end, ticks * 20, -flowed_uj % _UJ_PER_WH)
    assert shown_uj % _UJ_PER_WH == 0 and billed == shown_uj // _UJ_PER_WH
