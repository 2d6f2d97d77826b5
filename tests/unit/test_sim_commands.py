# interpreters: micropython
"""Commands of control interface 1.1, above the firmware's real layers in virtual time: what they do is found by it."""

import os

from harness import raises

from firmware.charging.status import FAULTED
from tools.sim.bench import Bench
from tools.sim.control.hardware import TABLE
from tools.sim.control.server import CommandError
from tools.sim.world.em4100_emulator import Em4100
from tools.sim.world.field import Field
from tools.sim.world.pn532_emulator import Pn532
from tools.sim.world.world import UART_READER


class Station(Bench):
    """A Bench that takes commands as the control socket does."""

    def __init__(self, **options):
        folder = "/tmp/sim_commands_" + os.urandom(4).hex()
        os.mkdir(folder)
        super().__init__(folder, **options)
        self.field = Field(self.world.timeline)
        line = self.world.lines[UART_READER]
        line.configure(115_200)
        self.readers = Pn532(line, self.world.timeline, self.field), Em4100(line, self.world.timeline, self.field)
        self.charger = self  # what the commands see of the process: world, readers, field

    def outlet(self, request):
        number = request.get("connector", 1)
        if not 1 <= number <= len(self.outlets):
            raise CommandError("no connector")
        return self.outlets[number - 1]

    def firmware(self):
        return self

    def do(self, command, **arguments):
        self.world.timeline.now()
        return TABLE[command](self, arguments)

    def plugged(self):
        self.outlets[0].plug(32)
        self.run(1_000)

    def faults(self, n=1):
        return [fault.name for fault in self.evses[n - 1].faults]


def test_temperature_derates_and_its_wires_break():
    station = Station()
    station.plugged()
    station.do("temp", dc=700)
    station.run(5_000)
    assert station.faults() == ["derated"]
    for wire in ("open", "short"):
        station.do("temp", dc=wire)
        station.run(5_000)
        assert "temperature_sensor" in station.faults(), wire
    station.do("fault", name="overtemp")
    station.do("temp", dc=200)
    station.run(900_000, 100)
    assert station.faults() == [], "what was said last counts"


def test_proximity_resistor_is_the_cable():
    station = Station()
    station.plugged()
    assert station.evses[0].cable_ma == 32_000
    station.do("pp", ohm=680)
    station.run(1_000)
    assert station.evses[0].cable_ma == 20_000 and station.outlets[0].cable_a == 20
    station.do("pp", ohm="short")
    station.run(2_000)
    assert station.faults() == ["pp_invalid"]
    station.do("pp", ohm="open")
    station.run(1_000)
    assert station.evses[0].cable_ma is None
    station.outlets[0].plug(13)
    assert station.outlets[0].cable_a == 13, "the next cable has a resistor of its own"


def test_half_waves_as_they_stand_at_the_terminal():
    station = Station()
    station.plugged()
    station.swipe()
    station.until(lambda: station.evses[0].offered_ma, 10_000)
    station.do("cp", high_mv=9_000, low_mv=-3_000)
    station.run(2_000)
    assert station.faults() == ["diode"]
    station.do("cp", state="B")
    station.outlets[0].unplug()
    station.run(3_000)
    assert station.faults() == []
    station.do("cp", high_mv=0, low_mv=0)
    station.run(2_000)
    assert station.outlets[0].pilot.state == "E"


def test_voltages_of_each_phase():
    station = Station()
    station.plugged()
    for volts, wanted in (
        ([230, 100, 230], "phase_loss"), ([230, 230, 190], "undervoltage"), ([230, 260, 230], "overvoltage"),
    ):  # fmt: skip
        station.do("volts", volts=volts)
        station.run(6_000)
        assert station.faults() == [wanted]
        station.do("volts", volts=230)
        station.run(15_000)
        assert station.faults() == []


def test_a_load_leaves_a_supply_alone_that_was_set():
    station = Station()
    station.do("volts", volts=[231, 232, 233])
    station.do("load", amps=10)
    assert station.outlets[0].voltages_mv == (231_000, 232_000, 233_000)
    station.do("load", amps=10, volts=240)
    assert station.outlets[0].voltages_mv == (240_000,) * 3


def test_energy_is_that_of_each_phase_and_a_dead_one_draws_nothing():
    station = Station()
    station.plugged()
    station.session(amps=10)
    station.do("volts", volts=[230, 0, 220])
    assert station.outlets[0].currents_ma() == (10_000, 0, 10_000)


def test_auxiliary_contacts_that_lie():
    station = Station()
    station.plugged()
    station.do("contact", aux="closed")
    station.run(3_000)
    assert station.faults() == ["contactor_welded"]
    station.do("contact", aux="follow")
    station.outlets[0].unplug()
    station.run(5_000)
    station.plugged()
    station.do("contact", aux="bounce")
    station.session()
    station.run(3_000)
    assert station.faults() == [] and station.closed()
    station.do("contact", aux="open")
    station.run(3_000)
    assert "contactor_stuck_open" in station.faults()


def test_a_bolt_that_does_not_close():
    for bolt in ("stuck_open", "half", "no_feedback"):
        station = Station()
        station.do("bolt", bolt=bolt)
        station.plugged()
        station.swipe()
        assert station.until(lambda s=station: "lock_failed" in s.faults(), 20_000) is not None, bolt
        assert not station.closed() and (bolt == "no_feedback" or not station.outlets[0].lock.locked)


def test_a_bolt_that_is_stuck_closed():
    station = Station()
    station.plugged()
    station.session()
    station.do("bolt", bolt="stuck_closed")
    station.outlets[0].unplug()
    station.run(10_000)
    assert station.outlets[0].lock.locked and station.outlets[0].lock.feedback
    station.do("bolt", bolt="follow")
    assert station.until(lambda: not station.outlets[0].lock.locked, 120_000) is not None, "it is pulled at again"


def test_self_test_of_the_residual_current_monitor():
    for answer, wanted in (("fail", "rcd_test_failed"), ("slow", "rcd_test_failed"), ("stuck", "rcd_test_failed")):
        station = Station()
        station.do("rcd", selftest=answer)
        station.plugged()
        station.outlets[0].unplug()  # time for a test
        assert station.until(lambda s=station, w=wanted: w in s.faults(), 10_000) is not None, answer
    assert station.outlets[0].rcd.tripped
    station.do("rcd", selftest="ok")
    assert not station.outlets[0].rcd.tripped


def test_protective_devices_have_contacts():
    station = Station(connectors=2)
    for name, wanted in (
        ("rccb", "rccb_tripped"), ("mcb", "mcb_tripped"), ("breaker", "breaker_tripped"), ("spd", "spd_tripped"),
    ):  # fmt: skip
        station.do("fault", name=name, connector=2)
        station.run(200)
        assert station.faults(2) == [wanted] and station.faults(1) == []
        assert station.word(2) == FAULTED
        station.do("fault", name=name, connector=2, on=False)
        station.run(200)
        assert station.faults(2) == []


def test_currents_that_nobody_measures_and_phases_that_differ():
    station = Station()
    station.evses[0].wishes.max_imbalance_ma = 10_000
    station.plugged()
    station.session()
    station.do("fault", name="overcurrent_sensor")
    station.run(3_000)
    assert station.faults() == ["overcurrent_blind"]
    station.do("fault", name="overcurrent_sensor", on=False)
    station.do("fault", name="imbalance")
    station.run(9_000)
    assert "imbalance" in station.faults()
    single = Station()
    single.outlets[0].phases = 1
    with raises(CommandError):
        single.do("fault", name="imbalance")


def test_a_meter_says_other_currents_and_counts_the_other_way():
    station = Station()
    station.plugged()
    station.session()
    station.do("meter", currents=[5, 6, 7])
    assert station.outlets[0].meter_shows().currents_ma == (5_000, 6_000, 7_000)
    before = station.outlets[0].register.wh
    reply = station.do("meter", currents="follow", reverse=True, export_wh=100)
    assert reply == {"wh": before, "export_wh": 100}
    station.run(60_000)
    shown = station.outlets[0].meter_shows()
    assert shown.powers_mw == (-16_000 * 230,) * 3 and shown.currents_ma == (16_000,) * 3
    assert station.outlets[0].register.wh == before
    assert station.outlets[0].meter.exported.wh in range(280, 290)


def test_cards_are_held_and_flicker():
    station = Station()
    station.do("card", uid="04A1B2C3", held_ms=2_000, flicker=True)
    seen = []
    for _ in range(30):
        seen.append(station.field.uid is not None)
        station.run(100, 100)
    assert seen[0] and not all(seen[:20]) and any(seen[10:20]) and not any(seen[21:])


# What is wrong changes nothing.

WRONG = (
    ("temp", {}), ("temp", {"dc": "warm"}), ("temp", {"dc": 20.5}), ("temp", {"dc": 5_000}), ("temp", {"dc": True}),
    ("pp", {}), ("pp", {"ohm": -1}), ("pp", {"ohm": "680"}), ("pp", {"ohm": [680]}),
    ("cp", {"high_mv": 9_000}), ("cp", {"low_mv": -12_000}), ("cp", {"high_mv": 20_000, "low_mv": 0}),
    ("cp", {"state": "B", "high_mv": 1, "low_mv": 1}), ("cp", {"high_mv": "9", "low_mv": 0}), ("cp", {"state": {}}),
    ("volts", {}), ("volts", {"volts": [230, 230]}), ("volts", {"volts": [230, 230, "230"]}), ("volts", {"volts": 600}),
    ("volts", {"volts": [230, 230, None]}), ("volts", {"volts": {}}),
    ("meter", {"currents": [1, 2]}), ("meter", {"currents": "none"}), ("meter", {"currents": [1, 2, True]}),
    ("meter", {"wh": 5_000, "exception": 12}), ("meter", {"wh": 5_000, "garble": -1}), ("meter", {"delay_ms": 1.5}),
    ("meter", {"wh": 5_000, "model": "abacus"}), ("meter", {"wh": 5_000, "reverse": 1}), ("meter", {"export_wh": -1}),
    ("meter", {"wh": 5_000, "frozen": "yes"}), ("meter", {"wh": 5_000, "model": 7}),
    ("contact", {}), ("contact", {"aux": "loose"}), ("contact", {"aux": ["open"]}),
    ("bolt", {}), ("bolt", {"bolt": "bent"}), ("bolt", {"bolt": None}), ("rcd", {}), ("rcd", {"selftest": True}),
    ("card", {}), ("card", {"uid": "04A1B2"}), ("card", {"uid": "04A1B2CX"}), ("card", {"uid": "04 A1 B2 C3"}),
    ("card", {"uid": "04A1B2C3", "held_ms": 0}), ("card", {"uid": "04A1B2C3", "flicker": 1}), ("card", {"uid": 4}),
    ("card", {"uid": "04A1B2C3", "connectors": [9]}), ("card", {"uid": "04A1B2C3D5"}),
    ("device", {}), ("device", {"name": "meter"}), ("device", {"name": "meter", "state": "tired"}),
    ("device", {"name": "evcc", "state": "ok"}), ("device", {"name": "lamp", "state": "ok"}),
    ("fault", {"name": "smgw_update"}), ("fault", {"name": "evcc_lost"}), ("fault", {"name": "rccb", "on": 1}),
    ("power", {}), ("power", {"cause": "lightning"}), ("temp", {"dc": 200, "connector": 3}),
)  # fmt: skip


def test_wrong_arguments_change_nothing():
    station = Station()
    outlet = station.outlets[0]
    before = outlet.condition(), outlet.pilot.high_mv, outlet.register.wh, outlet.vehicle.pp
    for command, arguments in WRONG:
        with raises(CommandError) as caught:
            station.do(command, **arguments)
        assert str(caught.value), (command, arguments)
        assert (outlet.condition(), outlet.pilot.high_mv, outlet.register.wh, outlet.vehicle.pp) == before, arguments
    assert station.field.uid is None and [reader.state for reader in station.readers] == ["ok", "ok"]


def test_a_fixed_cable_has_neither_lock_nor_proximity():
    station = Station(socket=False)
    for command, arguments in (("pp", {"ohm": 220}), ("bolt", {"bolt": "half"})):
        with raises(CommandError):
            station.do(command, **arguments)
    assert station.outlets[0].condition()["bolt"] is None


def test_condition_is_there_without_power():
    station = Station(connectors=2)
    station.do("temp", dc=-55, connector=2)
    station.do("fault", name="relay_weld")
    station.do("fault", name="mcb", connector=2)
    station.do("bolt", bolt="stuck_closed")
    station.do("contact", aux="open")
    station.do("rcd", selftest="slow")
    station.do("volts", volts=[230, 231, 0])
    station.do("meter", wh=4_000)
    station.do("meter", frozen=True, garble=3, exception=6, delay_ms=50, model="abb-b23", currents=[1, 2, 3])
    station.do("button", name="emergency", on=True)
    station.do("button", name="emergency", connector=2)  # for a moment
    conditions = [outlet.condition() for outlet in station.outlets]
    again = Station(connectors=2)
    for outlet, condition in zip(again.outlets, conditions):
        outlet.restore(condition)
    assert [outlet.condition() for outlet in again.outlets] == conditions
    outlet = again.outlets[0]
    assert outlet.lock.locked and outlet.contactor.welded and outlet.pressed["emergency"]
    outlet.register.wh = 5_000
    assert outlet.meter_shows().imported_uj == 4_000 * 3_600_000_000, "a frozen meter stays frozen"
    assert not again.outlets[1].pressed["emergency"]
