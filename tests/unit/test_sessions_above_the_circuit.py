"""Sessions above the simulated circuit, with the real EVSE: what plug, lock and cable mean for a transaction."""

from folder import fresh_folder

from tools.sim.bench import CARD, Bench

OTHER = "04D5E6F7"


def station(connectors=1, socket=True, **settings):
    return Bench(fresh_folder(), connectors, socket=socket, AuthorizeRemoteTxRequests=False, **settings)


def plug(bench, n=1):
    outlet = bench.outlets[n - 1]
    outlet.plug(32 if outlet.lock else None)


def begins(bench):
    return len(bench.books()[0])


def reports(bench):
    """Returns the list that all statuses are added to from now on, as (connector, word, name of the worst fault)."""
    told = []
    bench.station.status_changed.connect(
        lambda n, status: told.append((n, status.state, status.fault.name if status.fault else None))
    )
    return told


def start(bench, how, n):
    """Begins a usage of connector n. Returns when the plug is in and the user known."""
    if how == "plug, card":
        plug(bench, n)
        bench.run(300)
        bench.swipe()
    elif how == "card, plug":
        bench.swipe()
        bench.run(3_500)
        plug(bench, n)
    elif how == "plug, remote":
        plug(bench, n)
        bench.run(300)
        assert bench.station.remote_start(CARD, n)
    elif how == "remote, plug":
        assert bench.station.remote_start(CARD, n)
        bench.run(300)
        plug(bench, n)
    elif how == "reserved":
        expiry = bench.clock.now() + 3_600
        assert bench.station.reservations.reserve(7, n, CARD, None, expiry) == "accepted"
        plug(bench, n)
        bench.run(300)
        assert bench.swipe() == "start"
    else:
        plug(bench, n)


WAYS = ("plug, card", "card, plug", "plug, remote", "remote, plug", "reserved", "free")


def way_settings(how):
    return {"FreevendEnabled": True, "FreevendIdTag": "EVERYBODY"} if how == "free" else {}


def test_v10_the_transaction_begins_when_the_plug_is_locked():
    """V10: the lock is confirmed first, and the pilot still offers current within a second."""
    for how in WAYS:
        for early in (True, False) if how == "plug, card" else (True,):
            bench = station(LockEarly=early, **way_settings(how))
            locked = []
            bench.station.transaction_changed.connect(
                lambda event, tx, bench=bench, locked=locked: locked.append(bench.evses[0].locked)
            )
            start(bench, how, 1)
            assert bench.until(lambda bench=bench: bench.evses[0].offered_ma, 1_000) is not None, (early, how)
            assert locked == [True], (early, how)


def test_v10_a_fixed_cable_needs_no_lock():
    """V10: nothing changes where there is none."""
    for how in ("plug, card", "card, plug", "free"):
        bench = station(socket=False, **way_settings(how))
        start(bench, how, 1)
        assert bench.until(lambda bench=bench: bench.evses[0].offered_ma, 1_000) is not None, how


def test_v10_a_lock_that_fails_begins_no_transaction():
    """V10: Preparing, then Faulted with ConnectorLockFailure within 5 s; no begin record, so no StartTransaction."""
    cases = [(1, True, how) for how in WAYS] + [
        (1, False, "plug, card"),
        (1, False, "card, plug"),
        (2, True, "card, plug"),
    ]
    for case in cases:
        connectors, early, how = case
        bench = station(connectors, LockEarly=early, **way_settings(how))
        bench.outlets[0].set_fault("lock_fail", True)
        told = reports(bench)
        start(bench, how, 1)
        assert bench.until(lambda bench=bench: bench.word() == "faulted", 5_000) is not None, case
        bench.run(1_000)
        words = [row[1:] for row in told if row[0] == 1 and row[1] != "reserved"]
        assert words[0] == ("waiting", None) and words[-1] == ("faulted", "lock_failed"), (case, words)
        assert {word for word, _ in words} == {"waiting", "faulted"}, (case, words)
        assert bench.report()["errorCode"] == "ConnectorLockFailure"
        assert begins(bench) == 0 and not bench.outlets[0].lock.locked, case


def test_v10_the_next_attempt_works_and_nobody_inherits_the_last_one():
    """V10: after the fault a stranger's vehicle gets nothing, its user's card everything."""
    # The plug is taken out again before the lock has given up, and after that.
    for how, stays_ms in (("plug, card", 6_000), ("card, plug", 1_000), ("remote, plug", 6_000), ("reserved", 1_000)):
        bench = station()
        outlet = bench.outlets[0]
        outlet.set_fault("lock_fail", True)
        start(bench, how, 1)
        bench.run(stays_ms)
        outlet.unplug()
        outlet.set_fault("lock_fail", False)
        bench.run(3_500)
        assert bench.word() in ("free", "reserved"), (how, stays_ms)
        plug(bench)
        bench.run(1_500)
        assert begins(bench) == 0 and bench.word() in ("waiting", "reserved"), (how, stays_ms)
        assert bench.swipe() == "start"
        bench.run(800)
        assert begins(bench) == 1 and bench.evses[0].offered_ma, (how, stays_ms)


def test_v10_free_charging_goes_on_with_the_next_plug():
    bench = station(**way_settings("free"))
    bench.outlets[0].set_fault("lock_fail", True)
    plug(bench, 1)
    bench.run(5_000)
    bench.outlets[0].unplug()
    bench.outlets[0].set_fault("lock_fail", False)
    bench.run(2_000)
    plug(bench, 1)
    bench.run(2_000)
    assert begins(bench) == 1


def test_v10_unlocking_is_another_attempt():
    """V10: the back-end frees the plug, the lock works again, the card is shown again: no need to take the plug out."""
    bench = station()
    bench.outlets[0].set_fault("lock_fail", True)
    start(bench, "plug, card", 1)
    bench.run(5_000)
    assert bench.word() == "faulted"
    bench.outlets[0].set_fault("lock_fail", False)
    bench.station.connector(1).release_plug()
    bench.run(3_000)
    assert bench.word() == "waiting" and begins(bench) == 0
    assert bench.swipe() == "start"
    assert bench.until(lambda: bench.evses[0].offered_ma, 1_000) is not None
    assert begins(bench) == 1


def test_v10_a_lock_that_works_at_the_second_try_begins_then():
    bench = station()
    bench.outlets[0].set_fault("lock_fail", True)
    start(bench, "plug, card", 1)
    bench.run(1_500)
    bench.outlets[0].set_fault("lock_fail", False)
    assert bench.until(lambda: bench.evses[0].offered_ma, 3_000) is not None
    assert begins(bench) == 1 and bench.word() == "waiting"


def test_v10_the_card_of_a_plug_that_does_not_lock_is_good_for_the_other_connector():
    bench = station(2)
    bench.outlets[0].set_fault("lock_fail", True)
    start(bench, "plug, card", 1)
    bench.run(5_000)
    plug(bench, 2)
    bench.run(300)
    assert bench.swipe() == "start"
    bench.run(800)
    assert bench.station.transaction(2)
    bench.outlets[0].unplug()
    bench.outlets[0].set_fault("lock_fail", False)
    bench.run(2_000)
    plug(bench, 1)
    bench.run(5_000)
    assert begins(bench) == 1


def leave(bench, how, n=1):
    """The vehicle goes: its driver takes the cable out of the vehicle ("vehicle") or out of the socket ("socket")."""
    if how == "vehicle":
        bench.outlets[n - 1].set_vehicle("A")
    else:
        bench.outlets[n - 1].unplug()


def test_v11_a_cable_that_is_taken_out_here_ends_the_transaction():
    """V11: whatever StopTransactionOnEVSideDisconnect says; another cable gets nothing on the first card."""
    for connectors in (1, 2):
        for steps in (("socket",), ("vehicle", "socket")):
            bench = station(connectors, StopTransactionOnEVSideDisconnect=False)
            plug(bench)
            bench.session()
            for how in steps:
                leave(bench, how)
                bench.run(1_000)
            bench.run(4_000)
            ends = bench.books()[1]
            assert [reason for _, reason in ends.values()] == ["unplugged"], steps
            assert bench.word() == "free", steps
            plug(bench)
            bench.outlets[0].set_vehicle("C")
            bench.run(3_000)
            assert begins(bench) == 1 and not bench.closed() and bench.word() == "waiting", steps


def test_v11_unplugging_at_the_vehicle_keeps_it():
    """V11, OCPP 1.6 §4.10: energy again after reconnecting; with a fixed cable for any vehicle, as the clause says."""
    for socket in (True, False):
        bench = station(socket=socket, StopTransactionOnEVSideDisconnect=False)
        plug(bench)
        bench.session()
        leave(bench, "vehicle")
        bench.run(5_000)
        assert bench.books()[1] == {} and bench.word() == "suspended by vehicle", socket
        assert bench.station.status(1).info == "EV side disconnected"
        bench.outlets[0].set_vehicle("B")
        bench.run(1_000)
        bench.outlets[0].set_vehicle("C")
        assert bench.until(lambda bench=bench: bench.closed(), 8_000) is not None, socket


def out_of_service(bench, n, ms=3_000):
    assert bench.station.availability.change(n, False) == "accepted"
    bench.run(ms)


def test_v12_a_vehicle_that_left_while_out_of_service_is_not_reported():
    """V12: Unavailable, then Available, with nothing between; connector 0 is all of them."""
    for connectors, socket in ((1, True), (1, False), (2, True), (2, False)):
        for n in (1, 0):
            for used in (False, True) if n else (False,):
                bench = station(connectors, socket)
                plug(bench)
                bench.run(500)
                if used:
                    bench.swipe()
                    bench.run(4_000)
                    bench.swipe()
                    bench.run(3_000)
                    assert bench.word() == "done"
                out_of_service(bench, n, 1_000)
                leave(bench, "socket")
                bench.run(1_000)
                told = reports(bench)
                assert bench.station.availability.change(n, True) == "accepted"
                bench.run(2_000)
                words = [word for number, word, _ in told if number == 1]
                assert words == ["free"], (connectors, socket, n, used, words)
                assert bench.outlets[0].lock is None or not bench.outlets[0].lock.locked


def test_v12_a_vehicle_that_is_still_there_is_reported_at_once():
    for socket in (True, False):
        bench = station(socket=socket)
        plug(bench)
        bench.run(500)
        out_of_service(bench, 1)
        told = reports(bench)
        bench.station.availability.change(1, True)
        assert bench.until(lambda bench=bench: bench.word() == "waiting", 500) is not None
        assert [word for number, word, _ in told if number == 1] == ["waiting"]
        assert bench.swipe() == "start"
        assert bench.until(lambda bench=bench: bench.evses[0].offered_ma, 1_000) is not None


def test_v12_nothing_of_the_time_before_is_left():
    """V12: another vehicle came meanwhile: its time counts from now, and no card that was shown before is for it."""
    bench = station(2, ReadinessTimeOut=20)
    plug(bench, 1)
    bench.run(15_000)
    out_of_service(bench, 1)
    leave(bench, "socket")
    bench.run(1_000)
    plug(bench, 1)
    bench.run(5_000)
    bench.swipe()  # for the plug that is about to come to connector 2
    bench.station.availability.change(1, True)
    bench.run(10_000)
    assert bench.word(1) == "waiting" and begins(bench) == 0
    plug(bench, 2)
    bench.run(1_000)
    assert bench.station.transaction(2) and begins(bench) == 1
    bench.run(10_000)
    assert bench.word(1) == "done"


def test_v12_free_charging_does_not_begin_for_a_vehicle_that_left():
    bench = station(socket=False, ConnectionTimeOut=0, **way_settings("free"))
    bench.settings.set("FreevendEnabled", False, "system")
    plug(bench)
    bench.run(500)
    out_of_service(bench, 1)
    leave(bench, "socket")
    bench.settings.set("FreevendEnabled", True, "system")
    bench.station.availability.change(1, True)
    bench.run(2_000)
    assert begins(bench) == 0 and bench.word() == "free"
