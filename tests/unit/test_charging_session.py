"""The session of a connector: plug, card, transaction, stop; and the status words on the way."""

from charging_bench import Bench

from firmware.store.records import BEGIN, END


async def test_plug_first_then_card():
    bench = Bench()
    await bench.run()
    bench.plug()
    assert bench.word == "waiting"  # at once
    assert await bench.station.swipe("CARD") == "start"
    await bench.run(800)
    assert bench.evse.permitted and bench.evse.offered_ma == 32_000  # PWM < 1 s after authorisation
    assert bench.transaction.token == "CARD" and bench.transaction.begin_wh == 1_000
    assert [r.token for r in bench.records(BEGIN)] == ["CARD"]
    bench.evse.set_state("C")
    assert bench.word == "charging"
    assert bench.words == ["waiting", "charging"]  # OCPP 1.6 §4.9: no suspension in between
    assert bench.events == [("start", bench.transaction)]


async def test_card_first_then_plug():
    bench = Bench()
    await bench.run()
    await bench.station.swipe("CARD")
    assert bench.word == "waiting" and bench.transaction is None
    assert not bench.evse.permitted
    await bench.run(5_000)
    bench.plug()
    await bench.run(800)
    assert bench.transaction and bench.evse.permitted


async def test_no_energy_without_authorisation():
    """OCPP 1.6 §4.1: energy only after authorisation."""
    bench = Bench()
    await bench.run()
    bench.plug()
    bench.evse.set_state("C")
    await bench.run(2_000)
    assert await bench.station.swipe("STRANGER") == "refused"
    await bench.run(2_000)
    assert not bench.evse.permitted and not bench.records() and bench.word == "waiting"


async def test_no_energy_when_the_begin_is_not_written():
    """What is not in the journal did not happen."""
    bench = Bench()

    def refuse(*args):
        raise OSError(28)

    await bench.run()
    bench.journal.begin = refuse
    bench.plug()
    await bench.station.swipe("CARD")
    await bench.run(2_000)
    assert not bench.evse.permitted and bench.transaction is None and bench.word == "done"


async def test_meter_is_read_for_the_begin():
    """Matrix C4.9: the begin value is fresh, not the one polled a second ago."""
    bench = Bench()
    await bench.run()
    bench.plug()
    bench.meter.wh += 5
    await bench.station.swipe("CARD")
    await bench.run(500)
    assert bench.transaction.begin_wh == 1_005


async def test_silent_meter_delays_the_begin_by_less_than_a_second():
    bench = Bench()
    await bench.run()

    async def hang():
        await bench.clock.sleep_ms(60_000)

    bench.meter.read = hang
    await bench.run(1_100)
    bench.plug()
    await bench.station.swipe("CARD")
    await bench.run(900)
    assert bench.transaction.begin_wh == 1_000  # the last known value


async def test_connection_time_out_without_plug():
    """OCPP 1.6 errata 3.77, 3.89: counted from Preparing, then back to Available."""
    # trap 19
    bench = Bench(ConnectionTimeOut=20)
    await bench.run()
    await bench.station.swipe("CARD")
    await bench.run(19_000)
    assert bench.word == "waiting"
    await bench.run(2_000)
    assert bench.words == ["waiting", "free"]
    bench.plug()
    await bench.run(2_000)
    assert bench.transaction is None  # the card is forgotten


async def test_connection_time_out_with_plug():
    """OCPP 1.6 erratum 3.20 (B6): Finishing while the cable is in, and Available after it."""
    # trap 19
    bench = Bench(ConnectionTimeOut=20)
    await bench.run()
    bench.plug()
    await bench.run(21_000)
    assert bench.words == ["waiting", "done"]
    assert not bench.evse.held  # nobody's cable is kept
    bench.unplug()
    await bench.run(200)
    assert bench.word == "free"


async def test_card_after_the_time_out_begins_a_new_usage():
    """OCPP 1.6 §4.9 F2."""
    # trap 19
    bench = Bench(ConnectionTimeOut=20)
    await bench.run()
    bench.plug()
    await bench.run(21_000)
    await bench.station.swipe("CARD")
    await bench.run(800)
    assert bench.words == ["waiting", "done", "waiting"] and bench.transaction


async def test_connection_time_out_zero_wants_the_plug_first():
    """Matrix C4.1."""
    bench = Bench(ConnectionTimeOut=0)
    await bench.run()
    assert await bench.station.swipe("CARD") == "refused"
    assert bench.backend.asked == [] and bench.words == []
    bench.plug()
    await bench.run(700_000 // 10)
    assert bench.word == "waiting"  # and no time-out
    assert await bench.station.swipe("CARD") == "start"


async def test_second_presentation_cancels_before_the_plug():
    """OCPP 1.6 §4.9 B1."""
    bench = Bench()
    await bench.run()
    await bench.station.swipe("CARD")
    assert await bench.station.swipe("card") == "cancelled"
    assert bench.word == "free"


async def test_same_card_stops_without_authorize():
    """OCPP 1.6 §4.1; tokens are case-insensitive (erratum 3.74)."""
    # trap 16
    bench = Bench()
    transaction = await bench.charging()
    asked = len(bench.backend.asked)
    await bench.flow(10)
    assert await bench.station.swipe("card") == "stop"
    assert bench.word == "done" and not bench.evse.permitted  # at once
    await bench.run(1_000)
    assert bench.ends() == [(transaction.number, "local", 1_010)]
    assert bench.records(END)[0].token == "card"
    assert len(bench.backend.asked) == asked
    assert bench.transaction is None and bench.events[-1] == ("stop", transaction)
    assert not bench.evse.held
    bench.unplug()
    await bench.run(200)
    assert bench.words == ["waiting", "charging", "done", "free"]


async def test_end_value_covers_what_flows_until_the_contactor_opens():
    """IEC 61851-1 A.6 seq. 10: after the PWM is withdrawn the vehicle may draw for some seconds."""
    bench = Bench()
    await bench.charging()
    bench.meter.draws_w = 3_680
    evse = bench.evse
    tick = evse.tick
    evse.tick = lambda: None  # the contactor stays closed
    await bench.run(1_100)
    await bench.station.swipe("CARD")
    await bench.run(5_000)
    assert bench.ends() == []  # still drawing
    bench.meter.wh += 5
    wh = bench.meter.wh
    bench.meter.draws_w = 0
    evse.tick = tick
    await bench.run(1_000)
    assert bench.ends()[0][2] == wh


async def test_stop_does_not_wait_for_ever():
    """A vehicle that goes on drawing, a meter that has died: the end is written all the same."""
    bench = Bench()
    await bench.charging()
    bench.meter.draws_w = 3_680
    await bench.run(1_100)
    bench.evse.tick = lambda: None
    bench.meter.fails = True
    await bench.station.swipe("CARD")
    await bench.run(8_000)
    assert len(bench.ends()) == 1


async def test_end_is_written_once_although_the_flash_refuses_at_first():
    bench = Bench()
    await bench.charging()
    end = bench.journal.end
    refused = []

    def refuse(*args):
        refused.append(args)
        if len(refused) < 3:
            raise OSError(28)
        return end(*args)

    bench.journal.end = refuse
    await bench.station.swipe("CARD")
    await bench.run(2_000)
    assert len(refused) == 3 and len(bench.ends()) == 1 and bench.contexts().count("end") == 1


async def test_other_card_needs_authorize_and_the_same_parent():
    """OCPP 1.6 §3.10, §4.1."""
    # trap 16
    bench = Bench()
    bench.backend.tokens["CARD"].parent = "FAMILY"
    transaction = await bench.charging()
    assert await bench.station.swipe("OTHER") == "refused"  # accepted, but of no group
    bench.backend.tokens["OTHER"].parent = "NEIGHBOURS"
    assert await bench.station.swipe("OTHER") == "refused"
    assert await bench.station.swipe("FAMILY") == "refused"  # a parent is no token
    assert transaction.reason is None
    bench.backend.tokens["OTHER"].parent = "family"
    assert await bench.station.swipe("OTHER") == "stop"
    assert bench.backend.asked == ["CARD", "OTHER", "OTHER", "FAMILY", "OTHER"]
    await bench.run(1_000)
    assert bench.records(END)[0].token == "OTHER"


async def test_unplugging_the_vehicle_ends_the_transaction():
    bench = Bench()
    await bench.charging()
    bench.unplug_ev_side()
    assert bench.word == "done" and bench.station.status(1).info == "EV side disconnected"  # §4.9
    await bench.run(1_000)
    assert bench.ends()[0][1] == "unplugged"
    assert not bench.evse.held  # UnlockConnectorOnEVSideDisconnect
    bench.unplug()
    await bench.run(200)
    assert bench.word == "free"


async def test_fixed_cable_is_available_after_unplugging():
    """OCPP 1.6 §4.9 C1."""
    bench = Bench(socket=False)
    await bench.charging()
    bench.unplug()
    assert bench.word == "free"
    await bench.run(1_000)
    assert bench.ends()[0][1] == "unplugged"


async def test_cable_stays_locked_when_so_configured():
    """OCPP 1.6 §4.10: until the user presents the identifier."""
    # trap 18
    bench = Bench(UnlockConnectorOnEVSideDisconnect=False)
    await bench.charging()
    bench.unplug_ev_side()
    await bench.run(1_000)
    assert bench.ends()[0][1] == "unplugged" and bench.evse.held
    assert await bench.station.swipe("OTHER") == "refused"
    assert bench.evse.held
    asked = len(bench.backend.asked)
    assert await bench.station.swipe("CARD") == "released"
    assert not bench.evse.held and len(bench.backend.asked) == asked


async def test_transaction_survives_ev_side_disconnect_when_so_configured():
    """OCPP 1.6 §4.9, §4.10: SuspendedEV, locked whatever the other key says, energy again after reconnecting."""
    # trap 18
    bench = Bench(StopTransactionOnEVSideDisconnect=False)
    await bench.charging()
    bench.unplug_ev_side()
    await bench.run(3_000)
    status = bench.station.status(1)
    assert (status.state, status.info) == ("suspended by vehicle", "EV side disconnected")
    assert bench.evse.held and bench.ends() == []
    bench.plug()
    bench.evse.set_state("C")
    await bench.run(100)
    status = bench.station.status(1)
    assert (status.state, status.info) == ("charging", "")


async def test_reconnecting_begins_a_new_usage():
    """OCPP 1.6 §4.9 F2."""
    bench = Bench()
    await bench.charging()
    bench.unplug_ev_side()
    await bench.run(1_000)
    bench.plug()
    assert bench.word == "waiting" and not bench.evse.permitted


async def test_suspended_words():
    """OCPP 1.6 §4.9: SuspendedEVSE has precedence; B2 is SuspendedEV (erratum 3.55)."""
    # trap 24
    bench = Bench()
    await bench.charging()
    bench.evse.set_state("B")
    assert bench.word == "suspended by vehicle"
    bench.evse.limits.set("schedule", 0)
    bench.evse.tick()
    assert bench.word == "suspended by station"
    bench.evse.limits.set("schedule", 16_000)
    bench.evse.tick()
    await bench.run(2_500)
    assert bench.word == "suspended by station"  # the vehicle may still answer
    await bench.run(1_000)
    assert bench.word == "suspended by vehicle"
    bench.evse.set_state("C")
    assert bench.words[-4:] == ["suspended by vehicle", "suspended by station", "suspended by vehicle", "charging"]


async def test_a_vehicle_that_takes_two_seconds_is_not_suspended():
    """Its C counts half a second later, when it has been debounced."""
    bench = Bench()
    await bench.run()
    bench.plug()
    await bench.station.swipe("CARD")
    await bench.run(2_600)
    bench.evse.set_state("C")
    await bench.run(500)
    assert bench.words == ["waiting", "charging"]


async def test_vehicle_that_does_not_want_to_charge():
    # trap 24
    bench = Bench()
    await bench.run()
    bench.plug()
    await bench.station.swipe("CARD")
    await bench.run(2_800)
    assert bench.word == "waiting"
    await bench.run(1_500)
    assert bench.word == "suspended by vehicle"


async def test_fault_returns_to_the_word_before_it():
    """OCPP 1.6 §4.9 I1-I8; a warning keeps the word and shows the fault."""
    # trap 24
    bench = Bench()
    await bench.charging()
    bench.evse.raise_fault("overtemperature")
    status = bench.station.status(1)
    assert status.state == "faulted" and status.fault.name == "overtemperature"
    bench.evse.clear_fault("overtemperature")
    bench.evse.tick()
    assert bench.words[-1] == "charging" and bench.ends() == []
    bench.evse.raise_fault("derated")
    status = bench.station.status(1)
    assert status.state == "charging" and status.fault.name == "derated"


async def test_unplugging_ends_a_usage_that_has_not_begun():
    """OCPP 1.6 §4.9 B1: a fault came between card and transaction, and the vehicle went. The next one is a stranger."""
    bench = Bench()
    await bench.run()
    bench.plug()
    await bench.station.swipe("CARD")
    bench.evse.raise_fault("other")
    await bench.run(4_000)
    bench.unplug()
    bench.evse.clear_fault("other")
    await bench.run(1_000)
    assert bench.word == "free"
    bench.plug()
    await bench.run(1_000)
    assert bench.word == "waiting" and bench.transaction is None


async def test_a_plug_that_bounces_on_its_way_in_does_not_cost_the_authorisation():
    bench = Bench()
    await bench.run()
    await bench.station.swipe("CARD")
    bench.plug()
    bench.unplug()
    bench.plug()
    await bench.run(1_000)
    assert bench.transaction


async def test_faulted_connector_begins_nothing():
    bench = Bench()
    await bench.run()
    bench.evse.raise_fault("other", "VENDOR 7", "told by the test")
    bench.plug()
    assert await bench.station.swipe("CARD") == "refused"
    assert not bench.station.remote_start("CARD", 1)
    status = bench.station.status(1)
    assert (status.fault.code, status.fault.text) == ("VENDOR 7", "told by the test")


async def test_emergency_stop_and_stop_button():
    bench = Bench()
    await bench.charging()
    bench.station.button(1, "emergency")
    await bench.run(1_000)
    assert bench.ends()[0][1] == "emergency stop" and bench.word == "faulted"
    bench.station.button(1, "emergency", False)
    bench.unplug()
    await bench.run()
    await bench.charging()
    bench.station.button(1, "stop")
    await bench.run(1_000)
    assert bench.ends()[1][1] == "local" and bench.records(END)[1].token is None
    bench.station.button(7, "stop")  # no such connector


async def test_lock_policy():
    """Matrix C6.1."""
    bench = Bench()
    await bench.run()
    bench.plug()
    assert bench.evse.held
    bench.settings.set("LockEarly", False, "system")
    await bench.run(200)
    assert not bench.evse.held
    await bench.station.swipe("CARD")
    assert bench.evse.held
    await bench.run(800)
    assert bench.evse.held


async def test_free_charging():
    """Matrix C4.4: a session on plug-in, no Authorize, the configured token."""
    bench = Bench(FreevendEnabled=True, FreevendIdTag="EVERYBODY")
    await bench.run()
    bench.plug()
    await bench.run(1_000)
    assert bench.transaction.token == "EVERYBODY" and bench.backend.asked == []
    await bench.station.swipe("EVERYBODY")
    await bench.run(2_000)
    assert bench.transaction is None and bench.word == "done"  # and does not begin again by itself
    bench.unplug()
    await bench.run(200)
    bench.plug()
    await bench.run(1_000)
    assert bench.transaction


async def test_free_charging_waits_for_registration():
    """Matrix C3.2: never-accepted stations do not charge."""
    bench = Bench(FreevendEnabled=True, FreevendIdTag="EVERYBODY")
    bench.backend.may_start = False
    await bench.run()
    bench.plug()
    await bench.run(90_000)
    assert bench.transaction is None and bench.word == "waiting"
    assert await bench.station.swipe("CARD") == "refused" and not bench.station.remote_start("CARD")
    bench.backend.may_start = True
    await bench.run(1_000)
    assert bench.transaction


async def test_history_gets_a_row_and_cannot_disturb():
    bench = Bench()
    transaction = await bench.charging()
    assert bench.history == [("began", transaction)]
    await bench.station.swipe("CARD")
    await bench.run(1_000)
    assert bench.history[1:] == [("ended", transaction)] and transaction.end_t >= transaction.begin_t
    bench.history_works = False
    await bench.charging()
    await bench.station.swipe("CARD")
    await bench.run(1_000)
    assert len(bench.ends()) == 2 and bench.transaction is None


async def test_a_limit_below_6_amperes_is_said_in_the_status():
    """S2: a supply of 16 mA, or any other slot below what a pilot can signal, suspended without a word."""
    bench = Bench()
    await bench.charging()
    connector = bench.station.connector(1)
    for slot, milliamps in (("supply", 16), ("temperature", 5_900), ("station", 0)):
        bench.evse.limits.set(slot, milliamps)
        await bench.run(10_000)
        assert (connector.status.state, connector.status.info) == ("suspended by station", slot + " limit below 6 A")
        bench.evse.limits.set(slot, 32_000)
        await bench.run(10_000)
        assert (connector.status.state, connector.status.info) == ("charging", "")


async def test_unplugging_a_faulted_connector_is_no_news_of_its_fault():
    """Faulted stays Faulted, with the fault's own words."""
    bench = Bench()
    await bench.charging()
    told = []
    bench.evse.raise_fault("overtemperature")
    await bench.run(1_000)
    bench.station.status_changed.connect(lambda n, status: told.append((status.state, status.info)) if n else None)
    bench.unplug()
    await bench.run(5_000)
    assert told == [] and bench.transaction is None and bench.word == "faulted"


async def test_the_pause_after_a_fault_does_not_hide_what_the_fault_is():
    """V8: the pause is a limit, and its words would stand where those of the fault belong."""
    bench = Bench()
    await bench.charging()
    connector = bench.station.connector(1)
    bench.evse.limits.set("recovery", 0)
    bench.evse.raise_fault("diode")
    await bench.run(1_000)
    assert (connector.status.state, connector.status.info) == ("suspended by station", "")
    bench.evse.clear_fault("diode")
    await bench.run(1_000)
    assert (connector.status.state, connector.status.info) == ("suspended by station", "recovery limit below 6 A")
