"""The simulated hardware in its own time: contacts settle, bolts travel, energy is exact."""

from tools.sim.world.circuit import PERIOD_US
from tools.sim.world.timeline import Timeline
from tools.sim.world.world import World


class Bench:
    """A world whose time passes when told."""

    def __init__(self, connectors=1, socket=True, phases=3):
        self.ms = 0
        self.events = []
        self.world = World(lambda: self.ms, self.tell, connectors, socket, phases)
        self.outlet = self.world.outlets[0]

    def tell(self, name, fields):
        self.events.append((name, fields))

    def wait(self, ms):
        self.ms += ms
        self.world.timeline.look()

    def names(self, wanted):
        return [fields for name, fields in self.events if name == wanted]

    def charge(self, amps, phases=3):
        """A vehicle draws current through the closed contactor."""
        outlet = self.outlet
        outlet.plug(32)
        self.world.pwm_output(1)(17_476)  # 16 A
        outlet.set_vehicle("C")
        outlet.set_load(tuple(amps * 1000 if n < phases else 0 for n in range(3)), 230_000)
        self.world.write_pin(4, 1)
        self.world.write_pin(5, 1)


def test_events_happen_at_their_instant_in_order():
    now = [0]
    line = Timeline(lambda: now[0])
    happened = []
    line.after(30, lambda _: happened.append(("late", line.time)))
    line.after(10, lambda _: happened.append(("early", line.time)))
    line.after(10, lambda _: line.after(5, lambda _: happened.append(("chained", line.time))))
    now[0] = 100
    line.now()
    assert happened == [("early", 10), ("chained", 15), ("late", 30)]


def test_contacts_follow_the_coil_and_report_by_the_auxiliary_contact():
    bench = Bench()
    bench.world.write_pin(4, 1)
    assert bench.world.read_pin(6) == 0
    bench.wait(1)
    assert bench.names("relay") == [{"connector": 1, "on": True, "phases": 1}]
    bench.wait(19)
    assert (bench.world.read_pin(6), bench.world.read_pin(7)) == (1, 0)
    bench.world.write_pin(4, 0)
    bench.wait(12)
    assert bench.world.read_pin(6) == 0


def test_welded_contacts_stay_and_stuck_contacts_do_not_come():
    bench = Bench()
    bench.world.write_pin(4, 1)
    bench.wait(20)
    bench.outlet.set_fault("relay_weld", True)
    bench.world.write_pin(4, 0)
    bench.wait(50)
    assert bench.world.read_pin(6) == 1
    bench.outlet.set_fault("relay_weld", False)
    assert bench.world.read_pin(6) == 0
    bench.outlet.set_fault("relay_open", True)
    bench.world.write_pin(4, 1)
    bench.wait(50)
    assert bench.world.read_pin(6) == 0


def test_bolt_needs_its_travel_time_and_a_jammed_one_stays():
    bench = Bench()
    bench.world.write_pin(8, 1)
    bench.wait(100)
    bench.world.write_pin(8, 0)
    bench.wait(1000)
    assert bench.world.read_pin(10) == 0, "interrupted travel"
    bench.world.write_pin(8, 1)
    bench.wait(250)
    assert bench.world.read_pin(10) == 1
    assert bench.names("lock") == [{"connector": 1, "on": True}]
    bench.world.write_pin(8, 0)
    bench.outlet.set_fault("lock_fail", True)
    bench.world.write_pin(9, 1)
    bench.wait(1000)
    assert bench.world.read_pin(10) == 1


def test_rcd_trips_on_fault_and_answers_its_test():
    bench = Bench()
    bench.world.write_pin(12, 1)
    assert bench.world.read_pin(11) == 0
    bench.wait(30)
    assert bench.world.read_pin(11) == 1
    bench.world.write_pin(12, 0)
    bench.wait(30)
    assert bench.world.read_pin(11) == 0
    bench.outlet.set_fault("rcd", True)
    assert bench.world.read_pin(11) == 1


def test_energy_is_exact_and_counts_only_behind_closed_contacts():
    bench = Bench()
    bench.charge(16)
    bench.wait(20 + 3_600_000)  # the contacts close 20 ms after the coils
    bench.outlet.count_energy()
    assert bench.outlet.register.uj == 3 * 230 * 16 * 3_600_000_000
    assert bench.outlet.register.wh == 11_040
    bench.world.write_pin(4, 0)
    bench.wait(12)
    counted = bench.outlet.register.uj
    bench.wait(3_600_000)
    bench.outlet.count_energy()
    assert bench.outlet.register.uj == counted


def test_second_coil_decides_on_the_number_of_phases():
    bench = Bench()
    bench.charge(10)
    bench.wait(20)
    assert bench.outlet.currents_ma() == (10_000, 10_000, 10_000)
    bench.world.write_pin(5, 0)
    bench.wait(12)
    assert bench.outlet.currents_ma() == (10_000, 0, 0)


def test_coils_switched_together_are_one_event():
    bench = Bench()
    for level in (1, 0):
        bench.world.write_pin(4, level)
        bench.world.write_pin(5, level)
        bench.wait(20)
    wanted = [{"connector": 1, "on": True, "phases": 3}, {"connector": 1, "on": False, "phases": 3}]
    assert bench.names("relay") == wanted


def test_a_vehicle_that_loses_the_pilot_draws_nothing():
    bench = Bench()
    bench.charge(10)
    bench.wait(20)
    bench.world.write_pin(14, 1)
    assert bench.outlet.currents_ma() == (0, 0, 0)


def test_overcurrent_exceeds_what_is_offered():
    bench = Bench()
    bench.charge(10, phases=1)
    bench.wait(20)
    bench.outlet.set_fault("overcurrent", True)
    assert bench.outlet.currents_ma()[0] > 20_000
    assert bench.outlet.currents_ma()[1:] == (0, 0)


def test_a_button_is_held_for_a_moment_or_until_it_is_released():
    bench = Bench()
    bench.outlet.press("stop")
    assert bench.world.read_pin(15) == 0
    bench.wait(300)
    assert bench.world.read_pin(15) == 1
    bench.outlet.press("emergency", True)
    bench.wait(5000)
    assert bench.world.read_pin(16) == 0
    bench.outlet.press("emergency", False)
    assert bench.world.read_pin(16) == 1


def test_pilot_events_carry_duty_amps_and_volts():
    bench = Bench()
    bench.world.pwm_output(1)(65_535)
    bench.outlet.plug(32)
    bench.world.pwm_output(1)(17_476)
    wanted = [(100.0, 0.0, 12.0), (100.0, 0.0, 9.0), (26.67, 16.0, 9.0)]
    assert [(e["duty"], e["amps"], e["volts"]) for e in bench.names("pilot")] == wanted


def test_adc_sees_both_parts_of_the_period():
    bench = Bench()
    bench.outlet.plug(32)
    bench.world.pwm_output(1)(6554)
    source = bench.world.analog_input(2)
    seen = [source(phase * 41 % PERIOD_US) for phase in range(100)]
    assert max(seen) == 1_650_000 + 110 * bench.outlet.pilot.high_mv
    assert min(seen) == 330_000


def test_fixed_cable_has_no_lock_and_second_connector_has_its_own_pins():
    bench = Bench(connectors=2, socket=False)
    assert bench.outlet.lock is None
    bench.world.write_pin(24, 1)
    bench.wait(20)
    assert (bench.world.read_pin(26), bench.world.read_pin(6)) == (1, 0)
    assert bench.names("relay")[0]["connector"] == 2


def test_a_lamp_that_blinks_or_breathes_has_one_colour():
    bench = Bench()
    red, green = bench.world.pwm_output(17), bench.world.pwm_output(18)
    for _ in range(10):
        red(65_535)
        bench.wait(250)
        red(0)
        bench.wait(250)
    assert [event["rgb"] for event in bench.names("led")] == ["f00"]
    green(65_535)
    bench.wait(2_000)
    assert [event["rgb"] for event in bench.names("led")] == ["f00", "0f0"]
