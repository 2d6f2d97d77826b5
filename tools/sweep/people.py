"""Users of the station: drivers with vehicles, and an operator at the central system. They retry after failures."""

import asyncio

from tools.sim.world import circuit

_LOOK_S = 0.1
_VEHICLE_S = 0.5
_LOAD_MA = 16_000
_AGAIN_MS = 10_000  # wait before a retry
_PATIENCE_MS = 150_000  # a bit more than the longest pause of a connector after a fault


class Vehicle:
    """A vehicle that goes to C while current is offered and it needs energy."""

    def __init__(self, site, number):
        self._site = site
        self._outlet = site.outlets[number - 1]
        self.wants = False

    async def run(self):
        while True:
            await asyncio.sleep(_VEHICLE_S)
            self.look()

    def look(self):
        outlet = self._outlet
        if not outlet.vehicle.plugged:
            return
        offered = circuit.offered_ma(outlet.pilot.duty)
        state = "C" if offered and self.wants else "B"
        load = min(offered, _LOAD_MA)
        if outlet.vehicle.load_ma[0] != load:
            outlet.set_load((load,) * 3, 230_000)
        if outlet.vehicle.state != state:
            outlet.set_vehicle(state)


class Driver:
    """Uses one connector, with one vehicle after the other."""

    def __init__(self, site, number):
        self.site = site
        self.number = number
        self._outlet = site.outlets[number - 1]
        self.vehicle = Vehicle(site, number)
        self.served = 0

    @property
    def charging(self):
        return self._outlet.contactor.coil

    async def serve(self, card, seconds, end, remote=False, reserved=False, last=False):
        """One customer: plugs in, presents a card, charges for some seconds, ends the session as in `end`, unplugs."""
        site = self.site
        if site.injected_ms is not None and not last:
            return  # after a fault the next vehicle counts
        name = "connector %d, customer %s" % (self.number, card)
        if reserved:
            await self._reserve(card)
        async with site.reader_turn:  # one customer at a time at the reader of both connectors
            charging = await self.arrive(card, remote, name)
        if charging:
            self.served += 1
            await self._charge(seconds, name)
        await self._stop(card, end, name)
        await self.leave(name)

    async def arrive(self, card, remote, name):
        """Plugs in and presents a card, with retries; returns True once current flows."""
        site, central = self.site, self.site.central
        self.vehicle.wants = True
        end = site.loop.ms + _PATIENCE_MS
        while site.loop.ms < end:
            if remote and not self._transaction():
                await central.insist("RemoteStartTransaction", connectorId=self.number, idTag=card)
            await asyncio.sleep(1)
            if not self._outlet.vehicle.plugged:
                self._outlet.plug(32)
            if not remote and not self._transaction():
                site.reader.card.emit(card)
            if await self._until(lambda: self.charging, _AGAIN_MS):
                return True
            if not self._transaction():
                self._outlet.unplug()
                await asyncio.sleep(1)
        site.fail(name + " was not served: " + self._state())
        return False

    def _transaction(self):
        app = self.site.app
        return app and self.site.look(app.station.transaction, self.number)

    def _state(self):
        app = self.site.app
        if not app:
            return "no station"
        status = self.site.look(app.station.status, self.number)
        return "%s %s" % (status.state, [fault.name for fault in app.evses[self.number - 1].faults])

    async def _charge(self, seconds, name):
        """Charges; after an interruption waits for the current to return, if the fault was at this connector."""
        site = self.site
        left = int(seconds / _LOOK_S)
        began = site.loop.ms
        while left > 0:
            flowing = self.charging and self._outlet.vehicle.state == "C"
            site.expects[self.number] = flowing
            left -= flowing
            if not flowing and site.loop.ms - began > _PATIENCE_MS:
                if not self._transaction():
                    break  # the fault has ended the session
                site.fail(name + " was cut off for good: " + self._state())
                break
            if not flowing and not self._transaction():
                break
            await asyncio.sleep(_LOOK_S)
        site.expects[self.number] = False

    async def _stop(self, card, end, name):
        """Ends the session, unless it has ended already."""
        site, central = self.site, self.site.central
        for _ in range(4):
            if not self._transaction():
                break
            if end == "card":
                site.reader.card.emit(card)
            elif end == "remote":
                transaction = central.transaction_of(self.number)
                if transaction is not None:
                    await central.ask("RemoteStopTransaction", transactionId=transaction)
            elif end == "unlock" and site.socket:
                await central.ask("UnlockConnector", connectorId=self.number)
            elif end == "unplug":
                return
            else:
                self._outlet.press("stop")
            if await self._until(lambda: not self._transaction(), 12_000):
                break
        else:
            site.fail(name + " could not stop: " + self._state())

    async def leave(self, name):
        site = self.site
        if self._outlet.vehicle.state == "C":
            self.vehicle.wants = False
            self._outlet.unplug()
        else:
            lock = self._outlet.lock
            if lock and not await self._until(lambda: not lock.locked, 30_000):
                site.fail(name + " cannot take out the cable: " + self._state())
            self.vehicle.wants = False
            self._outlet.unplug()
        if not await self._until(lambda: not self.charging, 1_000):
            site.fail(name + " has left and the contactor is closed")
        await self._until(lambda: not self._transaction(), 15_000)
        await asyncio.sleep(1)

    async def _reserve(self, card):
        expiry = "2030-01-01T00:00:00Z"
        await self._until(lambda: self._free(), 20_000)
        if not await self.site.central.insist(
            "ReserveNow", connectorId=self.number, idTag=card, expiryDate=expiry, reservationId=self.number
        ):
            self.site.fail("connector %d: reservation refused: %s" % (self.number, self._state()))

    def _free(self):
        app = self.site.app
        return app and self.site.look(app.station.status, self.number).state == "free"

    async def _until(self, condition, wait_ms):
        end = self.site.loop.ms + wait_ms
        while not condition():
            if self.site.loop.ms >= end:
                return False
            await asyncio.sleep(_LOOK_S)
        return True


class Operator:
    """Operator at the central system, who changes settings and profiles while vehicles charge."""

    def __init__(self, site):
        self._site = site
        self.settings = {}  # name -> value that the station has accepted

    async def run(self):
        await asyncio.sleep(4)
        await self._set("MeterValueSampleInterval", "6")
        await self._do("SetChargingProfile", connectorId=0, csChargingProfiles=profile(10))
        await asyncio.sleep(3)
        await self._do("GetCompositeSchedule", connectorId=1, duration=60)
        has_values = ("Accepted",) if self._site.meter else ("Rejected",)
        await self._do("TriggerMessage", wanted=has_values, requestedMessage="MeterValues", connectorId=1)
        await self._set("StopTxnSampledData", "")
        self._site.central.set_reachable(False)
        await asyncio.sleep(6)
        self._site.central.set_reachable(True)  # also after a fault
        await asyncio.sleep(1)
        await self._do("SendLocalList", listVersion=1, updateType="Full", localAuthorizationList=[
            {"idTag": "LISTED", "idTagInfo": {"status": "Accepted"}},
        ])  # fmt: skip
        await self._do("GetLocalListVersion")
        await self._do("ClearChargingProfile", wanted=("Accepted", "Unknown"))  # the first attempt may have succeeded
        await self._set("LocalPreAuthorize", "true")
        await self._do("GetConfiguration", key=["MeterValueSampleInterval"])
        await self._do("ClearCache")

    async def _set(self, name, value):
        if await self._do("ChangeConfiguration", key=name, value=value):
            self.settings[name] = value

    async def _do(self, action, **payload):
        if self._site.injected_ms is not None:
            return False
        if await self._site.central.insist(action, **payload):
            return True
        if self._site.flash.has_room:
            self._site.fail("%s refused" % action)
        return False


def profile(amperes):
    """Returns a charging profile that limits the station to 2 * `amperes`."""
    return {
        "chargingProfileId": 1,
        "stackLevel": 0,
        "chargingProfilePurpose": "ChargePointMaxProfile",
        "chargingProfileKind": "Relative",
        "chargingSchedule": {
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": amperes * 2}],
        },
    }
