# interpreters: cpython
"""The same sessions on the real Evse and on the scripted one: socket and fixed cable, with and without each part."""

from charging_bench import Bench, ScriptedEvse
from evse_site import LACKS, SiteEvse

from firmware.charging.session import UNLOCKED
from firmware.kernel.reading import Reading
from firmware.store.tokens import TokenInfo


class Place(Bench):
    """A station whose vehicles behave: they ask for current when it is offered."""

    def __init__(self, make_evse, socket=True, meter=True, connectors=1, **settings):
        meters = None if meter else [None] * connectors
        super().__init__(connectors, socket, meters=meters, make_evse=make_evse, **settings)
        self.socket = socket
        if meter:
            for evse, each in zip(self.evses, self.meters):
                evse.contactor_changed.connect(lambda evse, closed, each=each: _draw(each, closed))
        self.backend.tokens["NEXT"] = TokenInfo("accepted")

    async def until(self, condition, limit_ms=15_000):
        for _ in range(limit_ms // 100):
            if condition():
                return True
            await self.run(100)
        return condition()

    async def starts(self, token="CARD", n=1):
        """A vehicle comes, a card is shown, energy flows."""
        evse = self.evses[n - 1]
        await self.run(1_500)
        self.plug(n)
        await self.run(500)
        assert await self.station.swipe(token, (n,)) == "start"
        assert await self.until(lambda: evse.offered_ma), evse.limit
        await self.run(1_000)
        evse.set_state("C")
        assert await self.until(lambda: self.station.status(n).state == "charging", 40_000), self.station.status(n)
        await self.run(5_000)
        return self.station.transaction(n)

    async def stops_drawing(self, n=1):
        self.evses[n - 1].set_state("B")
        assert await self.until(lambda: self.station.transaction(n) is None)

    async def leaves(self, n=1):
        self.unplug(n)
        assert await self.until(lambda: self.station.transaction(n) is None)
        assert await self.until(lambda: self.station.status(n).state == "free"), self.station.status(n)


def _draw(meter, closed):
    meter.draws_w = 7_200 if closed else 0


def _places():
    for make_evse in (ScriptedEvse, SiteEvse):
        for socket in (True, False):
            for meter in (True, False):
                yield lambda make=make_evse, s=socket, m=meter, **settings: Place(make, s, m, **settings)


async def test_a_session_and_the_next_vehicle():
    """V1"""
    for make in _places():
        place = make()
        await place.starts()
        assert place.evse.locked is (True if place.socket else None)
        assert await place.station.swipe("CARD", (1,)) == "stop"
        await place.stops_drawing()
        assert place.word == "done" and not place.evse.locked
        await place.leaves()
        await place.starts("NEXT")
        await place.leaves()
        assert [reason for _, reason, _ in place.ends()] == ["local", "unplugged"]
        assert not place.evse.faults and place.words.count("charging") == 2


async def test_a_session_without_some_parts():
    for socket in (True, False):
        for lacks in LACKS[1:]:
            place = Place(lambda clock, s, without=lacks: SiteEvse(clock, s, without), socket)
            await place.starts()
            await place.leaves()
            assert not place.evse.faults and len(place.ends()) == 1, lacks


async def test_the_emergency_stop_ends_a_session():
    for make in _places():
        place = make()
        await place.starts()
        place.station.button(1, "emergency")
        await place.run(200)
        assert not place.evse.charging and place.word == "faulted"
        place.station.button(1, "emergency", False)
        assert await place.until(lambda p=place: p.transaction is None)
        await place.leaves()
        assert [reason for _, reason, _ in place.ends()] == ["emergency stop"]


async def test_the_stop_button_ends_a_session():
    for make in _places():
        place = make()
        await place.starts()
        place.station.button(1, "stop")
        await place.stops_drawing()
        await place.leaves()
        assert [reason for _, reason, _ in place.ends()] == ["local"]


async def test_a_fault_interrupts_a_session():
    for make in _places():
        place = make()
        transaction = await place.starts()
        place.evse.raise_fault("mcb_tripped")
        await place.run(200)
        assert not place.evse.charging and place.word == "faulted" and place.transaction is transaction
        place.evse.clear_fault("mcb_tripped")
        assert await place.until(lambda p=place: p.word == "charging", 40_000)
        assert place.transaction is transaction
        await place.leaves()


async def test_unlocking_ends_a_session_where_there_is_a_lock():
    for make in _places():
        place = make()
        await place.starts()
        if not place.socket:
            assert await place.station.unlock(1, UNLOCKED) == "not supported" and place.evse.charging
            await place.leaves()
            continue
        answers = []

        async def unlock(station=place.station, answers=answers):
            answers.append(await station.unlock(1, UNLOCKED))

        place.spawn(unlock())
        await place.run(300)
        place.evse.set_state("B")
        assert await place.until(lambda answers=answers: answers)
        assert answers == ["unlocked"] and not place.evse.locked
        await place.leaves()
        assert [reason for _, reason, _ in place.ends()] == ["unlocked"]


async def test_one_connector_fails_and_the_other_charges_on():
    """V2, as a back-end sees it."""
    for socket in (True, False):
        place = Place(SiteEvse, socket, connectors=2)
        first = await place.starts("CARD", 1)
        second = await place.starts("OTHER", 2)
        drivers = place.evses[0].drivers
        drivers.broken, drivers.error = ("sample",), AttributeError("no such part")
        await place.run(200)
        status = place.station.status(1)
        assert status.state == "faulted" and status.fault.name == "control_failed" and not place.evses[0].charging
        assert place.station.transaction(1) is first
        await place.run(10_000)
        assert place.station.status(2).state == "charging" and place.station.transaction(2) is second
        drivers.broken = ()
        assert await place.until(lambda p=place: p.word == "charging", 60_000), place.evse.suspended_reason
        assert place.transaction is first and place.station.status(1).fault is None
        assert [word for n, word in place.statuses if n == 2 and word == "charging"] == ["charging"]
        await place.leaves(1)
        await place.leaves(2)


async def _blind(place, lacks_switch):
    """Brings a vehicle that charges with three phases to where the pilot is cut for a change to one phase."""
    transaction = await place.starts()
    place.evse.wishes.phases = 1
    await place.run(1_000)
    place.evse.set_state("B")
    drivers = place.evse.drivers
    assert await place.until(lambda: drivers.duty == 0 if lacks_switch else drivers.cut, 20_000)
    return transaction


async def test_who_leaves_while_the_pilot_is_cut_has_left():
    """V5: the next vehicle charged on the first one's card."""
    for lacks in ("", "switch"):
        place = Place(lambda clock, s, without=lacks: SiteEvse(clock, s, without))
        transaction = await _blind(place, bool(lacks))
        await place.run(5_000)
        assert place.transaction is transaction
        place.unplug()
        assert await place.until(lambda p=place: p.transaction is None, 5_000)
        assert [reason for _, reason, _ in place.ends()] == ["unplugged"]
        await place.run(15_000)
        assert place.word == "free"
        place.plug()
        await place.run(1_000)
        place.evse.set_state("C")
        await place.run(70_000)
        assert place.transaction is None and not place.evse.charging and place.evse.offered_ma == 0
        assert await place.station.swipe("NEXT", (1,)) == "start"
        assert await place.until(lambda p=place: p.word == "charging", 40_000)
        assert place.evse.phases == 1
        await place.leaves()


async def test_who_leaves_a_fixed_cable_while_the_pilot_is_cut_has_left_when_it_is_back():
    """V5: without proximity contact nothing shows before."""
    for lacks in ("", "switch"):
        place = Place(lambda clock, s, without=lacks: SiteEvse(clock, s, without), False)
        await _blind(place, bool(lacks))
        place.unplug()
        drivers = place.evse.drivers
        assert await place.until(lambda d=drivers, s=bool(lacks): d.duty != 0 if s else not d.cut, 65_000)
        assert await place.until(lambda p=place: p.transaction is None, 5_000)
        place.plug()
        await place.run(1_000)
        place.evse.set_state("C")
        await place.run(20_000)
        assert not place.evse.charging and place.word == "waiting"
        await place.leaves()


async def test_who_leaves_while_a_vehicle_is_woken_up_has_left():
    """V5"""
    for socket, lacks in ((True, ""), (False, "switch")):
        place = Place(lambda clock, s, without=lacks: SiteEvse(clock, s, without), socket)
        await place.run(1_500)
        place.plug()
        await place.run(500)
        assert await place.station.swipe("CARD", (1,)) == "start"
        assert await place.until(lambda p=place: p.evse.waking, 120_000)
        place.unplug()
        assert await place.until(lambda p=place: p.ends(), 9_000)
        place.plug()
        await place.run(1_000)
        place.evse.set_state("C")
        await place.run(20_000)
        assert not place.evse.charging and place.word == "waiting"
        await place.leaves()


async def test_a_cable_that_stays_goes_on_after_the_change_of_phases():
    """The other side of V5."""
    for socket in (True, False):
        place = Place(SiteEvse, socket)
        words = []
        place.station.status_changed.connect(lambda n, status, words=words: words.append(status.state) if n else None)
        transaction = await _blind(place, False)
        assert await place.until(lambda p=place: p.evse.offered_ma, 70_000)
        await place.run(1_500)  # a vehicle may take 2 s to answer: that is no suspension of its own
        place.evse.set_state("C")
        assert await place.until(lambda p=place: p.evse.charging, 40_000) and place.transaction is transaction
        assert words[-2:] == ["suspended by station", "charging"], words
        await place.leaves()


async def test_a_pilot_shorted_to_earth_is_no_vehicle():
    """V13"""
    for socket in (True, False):
        place = Place(SiteEvse, socket)
        await place.run(1_500)
        place.evse.set_state("E")
        await place.run(2_000)
        assert not place.evse.connected and place.word == "faulted" and "waiting" not in place.words
        assert await place.station.swipe("CARD", (1,)) == "refused"
        place.evse.set_state("A")
        assert await place.until(lambda p=place: p.word == "free")
        await place.starts()
        place.evse.set_state("E")
        await place.run(500)
        assert place.evse.connected and not place.evse.charging and place.transaction
        if socket:  # only the proximity contact can tell then
            place.evse.drivers.ohms = None
            assert await place.until(lambda p=place: p.transaction is None, 5_000)
            assert not place.evse.connected


async def test_no_reading_of_a_meter_is_no_end():
    place = Place(SiteEvse, True, False)
    await place.starts()
    place.evse.set_meter(Reading(energy_wh=5))
    place.evse.set_meter(None)
    await place.run(15_000)
    assert place.word == "charging"
    await place.leaves()
