"""The real Evse, with and without each part, and the scripted one of charging_bench keep the same contract."""

from charging_bench import ScriptedEvse
from evse_contract import CONTRACT, Rig
from evse_site import LACKS, SiteEvse
from harness import FakeClock


def _keeps(make, socket, clauses=CONTRACT):
    for clause in clauses:
        clock = FakeClock()
        rig = Rig(make(clock), clock, socket)
        try:
            clause(rig)
        except AssertionError as exc:
            raise AssertionError("%s: %s" % (clause.__name__, exc))


def test_the_real_evse_with_a_socket():
    _keeps(SiteEvse, True)


def test_the_real_evse_with_a_fixed_cable():
    _keeps(lambda clock: SiteEvse(clock, False), False)


def test_the_real_evse_without_some_parts():
    for socket in (True, False):
        for lacks in LACKS[1:]:
            _keeps(
                lambda clock, s=socket, without=lacks: SiteEvse(clock, s, without),
                socket,
                CONTRACT[3:4] + CONTRACT[9:10],
            )


def test_the_scripted_evse_with_a_socket():
    _keeps(ScriptedEvse, True)


def test_the_scripted_evse_with_a_fixed_cable():
    _keeps(lambda clock: ScriptedEvse(clock, False), False)
