"""What the outlet's temperature does, to the millisecond and the tenth of a degree, without a connector (V9)."""

from firmware.evse.derating import Derating


class _Outlet:
    def __init__(self, temperature_dc=250):
        self.derating = Derating()
        self.now = 0
        for _ in range(2):
            self.sees(temperature_dc, 1_000)

    def sees(self, temperature_dc, *spans):
        """Shows a temperature after each of `spans` (ms) once more; returns the words for it, the last time."""
        derating = self.derating
        for ms in spans:
            self.now += ms
            derating.step(temperature_dc, self.now)
        return " ".join(word for word in ("warm", "hot", "blind") if getattr(derating, word))


def test_nothing_is_said_of_a_cool_outlet():
    derating = Derating()
    assert (derating.warm, derating.hot, derating.blind, derating.limit_ma(32_000)) == (False, False, False, None)
    assert (derating.warm_dc, derating.floor_dc) == (600, 600)


def test_warm_from_60_c_on_after_a_second():
    for temperature_dc, word in ((599, ""), (600, "warm")):
        outlet = _Outlet()
        assert outlet.sees(temperature_dc, 20, 999) == ""
        assert outlet.sees(temperature_dc, 1) == word


def test_cool_again_2_c_below_after_a_second():
    for temperature_dc, word in ((580, "warm"), (579, "")):
        outlet = _Outlet(600)
        assert outlet.sees(temperature_dc, 20, 999) == "warm"
        assert outlet.sees(temperature_dc, 1) == word


def test_what_is_believed_is_the_least_change_that_was_seen():
    outlet = _Outlet()
    outlet.sees(700, 20)
    outlet.sees(599, 500)
    assert outlet.sees(700, 500) == "" and outlet.sees(700, 500) == ""
    outlet = _Outlet(700)
    outlet.sees(500, 20)
    outlet.sees(610, 500)
    assert outlet.sees(500, 500) == "warm"


def test_a_change_that_goes_back_or_the_other_way_begins_anew():
    for between in (700, 750):
        outlet = _Outlet(700)
        outlet.sees(500, 20, 500)
        outlet.sees(between, 20, 580)
        assert outlet.sees(500, 20, 999) == "warm"
        assert outlet.sees(500, 1) == ""
    outlet = _Outlet(500)
    outlet.sees(700, 20, 500)
    outlet.sees(500, 20, 580)
    assert outlet.sees(700, 20, 999) == ""
    assert outlet.sees(700, 1) == "warm"


def test_hot_above_80_c_after_a_second():
    for temperature_dc, word in ((800, "warm"), (801, "warm hot")):
        outlet = _Outlet(700)
        assert outlet.sees(temperature_dc, 20, 999) == "warm"
        assert outlet.sees(temperature_dc, 1) == word
    outlet = _Outlet(700)
    outlet.sees(801, 20, 900)
    outlet.sees(800, 20)
    assert outlet.sees(801, 20, 999) == "warm"


def test_no_temperature_for_a_second_is_blind_and_keeps_the_verdict():
    outlet = _Outlet(700)
    assert outlet.sees(None, 20, 999) == "warm"
    assert outlet.sees(None, 1) == "warm blind"
    outlet = _Outlet()
    outlet.sees(None, 20, 900)
    outlet.sees(250, 20)
    assert outlet.sees(None, 20, 999) == ""


def test_a_sensor_that_was_broken_from_the_beginning():
    derating = Derating()
    for ms, blind in ((0, False), (999, False), (1_000, True)):
        derating.step(None, ms)
        assert derating.blind == blind
    for ms, blind in ((1_020, True), (601_019, True), (601_020, False)):
        derating.step(250, ms)
        assert derating.blind == blind


def test_a_stop_ends_10_minutes_below_60_c():
    for stop, word in ((850, "hot"), (None, "blind")):
        outlet = _Outlet()
        assert word in outlet.sees(stop, 20, 1_000)
        assert word in outlet.sees(600, 20, 700_000), "not below"
        assert word in outlet.sees(599, 20, 599_999)
        assert word not in outlet.sees(599, 1)


def test_warmth_for_a_second_begins_the_10_minutes_anew_and_a_flash_does_not():
    for warm_dc in (600, None):
        for warm_ms, over in ((999, True), (1_000, False)):
            outlet = _Outlet()
            outlet.sees(850, 20, 1_000)
            outlet.sees(300, 20)
            outlet.sees(warm_dc, 100_000, warm_ms)
            assert ("hot" not in outlet.sees(300, 1, 499_999 - warm_ms + 1)) == over, (warm_dc, warm_ms)


def test_flashes_of_warmth_do_not_add_up():
    outlet = _Outlet()
    outlet.sees(850, 20, 1_000)
    outlet.sees(300, 20)
    for _ in range(5):
        outlet.sees(700, 20, 600)
        outlet.sees(300, 20)
    assert outlet.sees(300, 600_000) == ""


def test_above_100_c_it_stays_hot():
    """EVSE F10, "extreme temperature: stays until power cycle"."""
    for temperature_dc, word in ((1_000, ""), (1_001, "hot")):
        outlet = _Outlet()
        outlet.sees(temperature_dc, 20, 1_000)
        outlet.sees(900, 20, 1_000)
        assert outlet.sees(250, 20, 600_000) == word
    outlet = _Outlet()
    outlet.sees(1_001, 20, 999)  # a flash
    outlet.sees(850, 20, 1_000)
    assert outlet.sees(250, 20, 600_000) == ""


def test_the_offer_falls_from_warm_to_floor_in_whole_amperes():
    """To 6 A; at once where both are the same."""
    for warm_dc, floor_dc, temperature_dc, full_ma, left_ma in (
        (500, 760, 499, 32_000, None),
        (500, 760, 500, 32_000, 32_000),
        (500, 760, 503, 32_000, 31_000),
        (500, 760, 600, 32_000, 22_000),
        (500, 760, 600, 20_000, 14_000),
        (500, 760, 759, 32_000, 6_000),
        (500, 760, 760, 32_000, 6_000),
        (500, 760, 790, 32_000, 6_000),
        (500, 760, 500, 3_000, 6_000),
        (600, 600, 599, 32_000, None),
        (600, 600, 600, 32_000, 6_000),
    ):
        outlet = _Outlet()
        outlet.derating.warm_dc, outlet.derating.floor_dc = warm_dc, floor_dc
        outlet.sees(temperature_dc, 20, 1_000)
        assert outlet.derating.limit_ma(full_ma) == left_ma, temperature_dc


def test_the_offer_does_not_flutter_with_the_temperature():
    """It falls with a rise at once, and rises with what is 2 C cooler."""
    outlet = _Outlet()
    outlet.derating.warm_dc, outlet.derating.floor_dc = 500, 760
    offers = []
    for temperature_dc in (600, 610, 590, 589, 600, 611):
        outlet.sees(temperature_dc, 20, 1_000)
        offers.append(outlet.derating.limit_ma(32_000))
    assert offers == [22_000, 21_000, 21_000, 21_000, 21_000, 20_000]
    outlet.sees(580, 20, 1_000)
    assert outlet.derating.limit_ma(32_000) == 22_000
