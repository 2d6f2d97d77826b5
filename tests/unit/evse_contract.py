"""What the layers above an EVSE rely on. The real Evse and the scripted one both keep it, with any set of parts.

Each function takes a Rig: an EVSE in A, two seconds after power-on.
"""

from harness import raises

_TICK_MS = 20


class Rig:
    """`evse` is a SiteEvse or a ScriptedEvse; `told` are the signals that it has emitted: (name, values)."""

    def __init__(self, evse, clock, socket):
        self.evse = evse
        self.clock = clock
        self.socket = socket
        self.told = []
        for name in ("state_changed", "contactor_changed", "lock_changed", "pilot_changed", "limit_changed"):
            self._listen(name)
        evse.fault_changed.connect(lambda evse, fault, on: self.told.append((fault.name, on)))
        evse.stop_pressed.connect(lambda evse: self.told.append(("stop_pressed",)))
        self.run(2_000)

    def _listen(self, name):
        getattr(self.evse, name).connect(lambda evse, *values: self.told.append((name,) + values))

    def run(self, ms):
        for _ in range(ms // _TICK_MS):
            self.clock.advance(_TICK_MS)
            self.evse.tick()

    def charge(self):
        self.evse.wishes.permitted = True
        self.evse.wishes.hold_plug = True
        self.evse.plug_in()
        self.run(2_000)
        self.evse.set_state("C")
        self.run(3_000)
        assert self.evse.charging


def it_rests_without_vehicle(rig):
    evse = rig.evse
    assert (evse.state, evse.connected, evse.vehicle_ready, evse.charging) == ("A", False, False, False)
    assert (evse.offered_ma, evse.cable_ma, evse.faults, evse.waking) == (0, None, (), False)
    assert evse.locked is (False if rig.socket else None)


def a_vehicle_is_seen_and_its_cable_where_there_is_a_socket(rig):
    evse = rig.evse
    evse.plug_in()
    rig.run(500)
    assert (evse.state, evse.connected, evse.vehicle_ready, evse.offered_ma) == ("B", True, False, 0)
    assert evse.cable_ma == (32_000 if rig.socket else None)
    assert ("state_changed", "B") in rig.told
    evse.pull_out()
    rig.run(500)
    assert (evse.state, evse.connected, evse.cable_ma) == ("A", False, None)
    assert ("state_changed", "A") in rig.told


def the_plug_is_held_and_given_back(rig):
    evse = rig.evse
    evse.plug_in()
    evse.wishes.hold_plug = True
    rig.run(1_000)
    assert evse.locked is (True if rig.socket else None)
    evse.wishes.hold_plug = False
    rig.run(1_000)
    assert evse.locked is (False if rig.socket else None)


def current_flows_once_it_is_permitted_and_wanted(rig):
    evse = rig.evse
    evse.plug_in()
    evse.set_state("C")
    rig.run(3_000)
    assert evse.vehicle_ready and not evse.charging and evse.offered_ma == 0
    evse.wishes.permitted = True
    rig.run(3_000)
    assert evse.charging and evse.offered_ma == evse.limit[0] == 32_000
    assert rig.told.count(("contactor_changed", True)) == 1 and ("pilot_changed",) in rig.told
    evse.wishes.permitted = False
    rig.run(500)
    assert evse.offered_ma == 0
    evse.set_state("B")
    rig.run(500)
    assert not evse.charging and ("contactor_changed", False) in rig.told


def no_energy_while_it_is_out_of_service(rig):
    rig.evse.wishes.available = False
    rig.evse.wishes.permitted = True
    rig.evse.plug_in()
    rig.run(3_000)
    assert rig.evse.offered_ma == 0 and not rig.evse.charging


def a_fault_ends_energy_and_its_end_is_told(rig):
    evse = rig.evse
    rig.charge()
    evse.raise_fault("other", "VENDOR 1", "told by somebody")
    rig.run(100)
    assert not evse.charging and [fault.code for fault in evse.faults] == ["VENDOR 1"]
    assert ("other", True) in rig.told and evse.connected
    evse.clear_fault("other")
    rig.run(100)
    assert evse.faults == () and ("other", False) in rig.told
    with raises(KeyError):
        evse.raise_fault("gremlins")


def a_warning_ends_nothing(rig):
    rig.charge()
    rig.evse.raise_fault("meter_lost")
    rig.run(1_000)
    assert rig.evse.charging and rig.evse.faults[0].name == "meter_lost"


def an_emergency_ends_energy_until_it_is_over(rig):
    evse = rig.evse
    rig.charge()
    evse.emergency(True)
    rig.run(100)
    assert not evse.charging and evse.faults[0].name == "emergency_stop"
    evse.emergency(False)
    evse.pull_out()
    rig.run(500)
    assert evse.faults == ()


def the_stop_button_withdraws_the_permission_and_is_told(rig):
    rig.charge()
    rig.evse.press_stop()
    rig.run(100)
    assert rig.evse.offered_ma == 0 and ("stop_pressed",) in rig.told


def a_vehicle_that_goes_ends_energy_at_once(rig):
    """V1: with a fixed cable this was the end of the control task."""
    evse = rig.evse
    rig.charge()
    evse.pull_out()
    rig.run(100)
    assert not evse.charging
    rig.run(500)
    assert (evse.state, evse.connected, evse.vehicle_ready, evse.faults) == ("A", False, False, ())
    evse.wishes.permitted = False
    evse.wishes.hold_plug = False
    rig.run(2_000)
    rig.charge()  # and the next one comes


def a_lock_can_be_tried_again_also_where_there_is_none(rig):
    rig.evse.retry_lock()
    rig.run(100)
    assert rig.evse.faults == ()


def limits_are_followed(rig):
    evse = rig.evse
    rig.charge()
    evse.limits.set("ocpp", 10_000)
    rig.run(6_000)
    assert evse.offered_ma == 10_000 and evse.limit == (10_000, "ocpp")
    evse.limits.set("ocpp", 0)
    rig.run(1_000)
    assert evse.offered_ma == 0


CONTRACT = (
    it_rests_without_vehicle,
    a_vehicle_is_seen_and_its_cable_where_there_is_a_socket,
    the_plug_is_held_and_given_back,
    current_flows_once_it_is_permitted_and_wanted,
    no_energy_while_it_is_out_of_service,
    a_fault_ends_energy_and_its_end_is_told,
    a_warning_ends_nothing,
    an_emergency_ends_energy_until_it_is_over,
    the_stop_button_withdraws_the_permission_and_is_told,
    a_vehicle_that_goes_ends_energy_at_once,
    a_lock_can_be_tried_again_also_where_there_is_none,
    limits_are_followed,
)
