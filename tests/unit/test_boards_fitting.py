"""What an installer sets reaches the drivers and the EVSE, over the simulated circuit."""

from folder import fresh_folder
from harness import raises

from firmware.evse.missing import NoIndicator, NoLock, NoProximity
from firmware.fitting import apply, check_speed, fit
from firmware.store.settings import InvalidValue
from tools.sim.bench import Bench


def apply_to(bench):
    apply(bench.evses, bench.board.connectors, bench.board.readers, bench.settings, bench.log)


def fitted(**settings):
    bench = Bench(fresh_folder(), **settings)
    apply_to(bench)
    return bench


def test_a_calibration_by_two_levels_corrects_gain_and_offset():
    """The station drives +12 V and -12 V itself, the installer reads what the ADC says."""
    bench = Bench(fresh_folder())
    outlet = bench.outlets[0]
    pilot = bench.board.connectors[0].pilot
    true_uv = pilot._read_uv
    pilot._read_uv = lambda: true_uv() * 93 // 100 + 60_000
    assert abs(pilot.sample()[0] - 12_000) > 500
    pilot.drive(10_000)
    high = pilot.sample_uv()[0]
    pilot.drive(0)
    low = pilot.sample_uv()[1]
    pilot.drive(10_000)
    bench.settings.set("PilotCalibration", "%d:-12000 %d:12000" % (low, high), "installer")
    apply_to(bench)
    assert abs(pilot.sample()[0] - 12_000) < 60
    outlet.plug(32)
    assert abs(pilot.sample()[0] - outlet.pilot.high_mv) < 60


def test_a_calibration_that_makes_no_sense_is_logged_and_left_out():
    bench = fitted(PilotCalibration="12:x")
    assert any("calibration" in line[3] for line in bench.log.lines())
    assert abs(bench.board.connectors[0].pilot.sample()[0] - 12_000) < 60


def test_a_ventilated_room_serves_a_vehicle_in_d():
    bench = fitted(VentilationFitted=True)
    bench.outlets[0].plug(32)
    bench.run(1_500)
    bench.session()
    bench.outlets[0].set_vehicle("D")
    bench.run(10_000)
    assert bench.word() == "charging" and bench.closed() and bench.evses[0].faults == ()


def test_derating_and_brightness_follow_the_settings():
    bench = fitted(DeratingStart=50, DeratingEnd=76, LightIntensity=40)
    assert bench.board.connectors[0].indicator.brightness == 40
    bench.outlets[0].temperature_dc = 600
    bench.run(2_000)  # what lasts a second is believed
    milliamps, slot = bench.evses[0].limit
    assert slot == "temperature" and 21_000 <= milliamps <= 22_000


def test_a_board_without_a_light_does_without_its_settings():
    bench = Bench(fresh_folder())
    for parts in bench.board.connectors:
        parts.indicator = NoIndicator()
    bench.settings.fit([name for name in bench.board.parts if name != "adjustable_light"])
    apply_to(bench)
    assert bench.evses[0].faults == ()


def test_what_is_set_reaches_the_board_at_the_next_start():
    bench = Bench(fresh_folder(), CableFixed=True, Phases=1, ReaderModel="none")
    fit(bench.board, bench.settings, bench.log)
    assert bench.board.fixed_cable and bench.board.phases == 1 and bench.board.readers == []
    assert not bench.board.connectors[0].proximity.fitted
    assert "LockEarly" not in bench.settings.names()


def test_what_the_board_cannot_be_is_refused_or_logged():
    bench = Bench(fresh_folder(), CableFixed=True)
    board = bench.board
    board._sockets = [(NoProximity(), NoLock())]
    board.most_phases = 1
    board.fit_cable(True)
    board.fit_phases(1)
    fit(board, bench.settings, bench.log)  # Phases is 3
    assert board.phases == 1 and any("has only one phase" in str(line) for line in bench.log.lines())
    for name, value in (
        ("CableFixed", False),
        ("Phases", 3),
        ("MaxCurrent", 63_000),
        ("ReaderModel", "abacus"),
        ("MeterModel", "abacus"),
        ("MeterRegisters", "input float32 3"),
    ):
        with raises(InvalidValue):
            bench.settings.set(name, value, "installer")
    bench.settings.set("MeterModel", "custom", "installer")
    bench.settings.set("MeterRegisters", "input float32 3 energy_wh=72", "installer")


def test_the_time_out_of_the_meters_is_a_setting():
    """M6: 300 ms, up to 2000."""
    bench = Bench(fresh_folder())
    fits = []
    bench.board.fit_meters = lambda *args: fits.append(args)
    fit(bench.board, bench.settings, bench.log)
    assert fits == [] and bench.settings.get("MeterTimeout") == 300
    for value in (99, 2_001, -1):
        with raises(InvalidValue):
            bench.settings.set("MeterTimeout", value, "installer")
    bench.settings.set("MeterTimeout", 2_000, "installer")
    fit(bench.board, bench.settings, bench.log)
    assert fits == [("", 0, 0, 2_000)]


def test_the_sum_of_two_connectors_stays_within_the_supply():
    """MaxCurrent is that of the supply: the second vehicle waits until the first has followed its smaller share."""
    bench = Bench(fresh_folder(), 2, MaxCurrent=20_000)
    bench.station.schedules.apply()
    for n in (1, 2):
        bench.outlets[n - 1].plug(32)
        bench.run(1_500)
        bench.session(n, "CARD%d" % n, amps=6)
        for _ in range(20):
            bench.run(1_000)
            assert sum(evse.offered_ma for evse in bench.evses) <= 20_000
    assert [evse.offered_ma for evse in bench.evses] == [10_000, 10_000]
    bench.swipe("CARD1")
    bench.outlets[0].set_vehicle("B")
    bench.run(20_000)
    assert bench.evses[1].offered_ma == 20_000


def test_a_board_that_reads_its_pilots_in_time_says_how_long_it_takes():
    bench = Bench(fresh_folder(), connectors=2)
    check_speed(bench.board, bench.evses, bench.log)
    assert any("takes up to 4 ms" in line[3] for line in bench.log.lines())
    bench.run(100)
    assert bench.evses[0].faults == ()


def test_a_board_that_is_too_slow_does_not_charge_and_says_why():
    bench = Bench(fresh_folder(), connectors=2, adc_us=200)
    bench.board.cpu_hz = 160_000_000
    check_speed(bench.board, bench.evses, bench.log)
    lines = [line[3] for line in bench.log.lines()]
    assert "processor runs at 160 MHz instead of 240" in lines
    assert any(line.startswith("too slow to charge") for line in lines)
    for outlet, evse in zip(bench.outlets, bench.evses):
        outlet.plug(32)
        bench.run(2_000)
        assert [fault.name for fault in evse.faults] == ["board_too_slow"]
        assert bench.report(evse.number)["errorCode"] == "InternalError"
        outlet.set_vehicle("C")
        evse.wishes.permitted = True
        bench.run(5_000)
        assert not evse.charging and evse.offered_ma == 0
