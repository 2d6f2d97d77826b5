"""The `ocpp` package as central system: its own routing and schema checks, in both directions, for every message."""

import asyncio
import json
import time

from ocpp.exceptions import OCPPError
from ocpp.routing import on
from ocpp.v16 import ChargePoint, call, call_result
from ocpp.v16.datatypes import IdTagInfo
from websockets.asyncio.server import serve

from tools.csms.moments import iso8601
from tools.sim import Charger

TAG = "04A1B2C3"


class Station(ChargePoint):
    """The station as the package sees it. `refused` are the CALLERRORs with which the package answers."""

    def __init__(self, identity, socket):
        super().__init__(identity, socket)
        self.got = []
        self.refused = []
        self.transactions = 0
        self.news = asyncio.Event()

    async def _send(self, message):
        if json.loads(message)[0] == 4:
            self.refused.append(message)
        await super()._send(message)

    def _note(self, action, payload):
        self.got.append((action, payload))
        self.news.set()

    async def expect(self, action, **fields):
        """Waits for a message of that action with these fields, whenever it came."""
        async with asyncio.timeout(10):
            while True:
                for name, payload in self.got:
                    if name == action and all(payload.get(key) == value for key, value in fields.items()):
                        return payload
                self.news.clear()
                await self.news.wait()

    @on("BootNotification")
    def on_boot(self, **payload):
        self._note("BootNotification", payload)
        return call_result.BootNotification(current_time=iso8601(time.time()), interval=300, status="Accepted")

    @on("Heartbeat")
    def on_heartbeat(self, **payload):
        self._note("Heartbeat", payload)
        return call_result.Heartbeat(current_time=iso8601(time.time()))

    @on("StatusNotification")
    def on_status(self, **payload):
        self._note("StatusNotification", payload)
        return call_result.StatusNotification()

    @on("Authorize")
    def on_authorize(self, **payload):
        self._note("Authorize", payload)
        return call_result.Authorize(id_tag_info=IdTagInfo(status="Accepted"))

    @on("StartTransaction")
    def on_start(self, **payload):
        self._note("StartTransaction", payload)
        self.transactions += 1
        return call_result.StartTransaction(self.transactions, IdTagInfo(status="Accepted"))

    @on("StopTransaction")
    def on_stop(self, **payload):
        self._note("StopTransaction", payload)
        return call_result.StopTransaction()

    @on("MeterValues")
    def on_meter_values(self, **payload):
        self._note("MeterValues", payload)
        return call_result.MeterValues()

    @on("FirmwareStatusNotification")
    def on_firmware(self, **payload):
        self._note("FirmwareStatusNotification", payload)
        return call_result.FirmwareStatusNotification()

    @on("DiagnosticsStatusNotification")
    def on_diagnostics(self, **payload):
        self._note("DiagnosticsStatusNotification", payload)
        return call_result.DiagnosticsStatusNotification()


async def the_whole_conversation(station, charger):
    def do(method, *arguments, **named):
        return asyncio.get_running_loop().run_in_executor(None, lambda: method(*arguments, **named))

    async def ask(request):
        return await station.call(request, suppress=False)

    await station.expect("StatusNotification", connector_id=1, status="Available")
    configuration = await ask(call.GetConfiguration())
    assert len(configuration.configuration_key) > 35
    assert (await ask(call.GetConfiguration(key=["Nothing"]))).unknown_key == ["Nothing"]
    for key, value, status in (
        ("MeterValueSampleInterval", "5", "Accepted"),
        ("NumberOfConnectors", "7", "Rejected"),
        ("Nothing", "7", "NotSupported"),
    ):
        assert (await ask(call.ChangeConfiguration(key=key, value=value))).status == status
    assert (await ask(call.GetLocalListVersion())).list_version == 0
    entries = [{"idTag": "LISTED", "idTagInfo": {"status": "Accepted", "expiryDate": "2035-01-01T00:00:00Z"}}]
    sent = call.SendLocalList(list_version=1, update_type="Full", local_authorization_list=entries)
    assert (await ask(sent)).status == "Accepted"
    assert (await ask(call.ClearCache())).status == "Accepted"
    assert (await ask(call.DataTransfer(vendor_id="nobody"))).status == "UnknownVendorId"
    for message in ("Heartbeat", "StatusNotification", "FirmwareStatusNotification", "DiagnosticsStatusNotification"):
        assert (await ask(call.TriggerMessage(requested_message=message))).status == "Accepted"
        await station.expect(message)
    assert (await ask(call.TriggerMessage(requested_message="BootNotification"))).status == "Rejected"
    reserve = call.ReserveNow(connector_id=1, expiry_date="2035-01-01T00:00:00Z", id_tag=TAG, reservation_id=4)
    assert (await ask(reserve)).status == "Accepted"
    await station.expect("StatusNotification", connector_id=1, status="Reserved")
    assert (await ask(call.CancelReservation(reservation_id=4))).status == "Accepted"
    schedule = {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 10.0}]}
    profile = {
        "chargingProfileId": 1,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Relative",
        "chargingSchedule": schedule,
    }
    assert (await ask(call.SetChargingProfile(connector_id=1, cs_charging_profiles=profile))).status == "Accepted"
    composite = await ask(call.GetCompositeSchedule(connector_id=1, duration=60))
    assert composite.charging_schedule["charging_schedule_period"][0]["limit"] == 10.0
    assert (await ask(call.ClearChargingProfile(id=1))).status == "Accepted"

    await do(charger.plug)
    assert (await ask(call.RemoteStartTransaction(id_tag=TAG, connector_id=1))).status == "Accepted"
    await station.expect("Authorize", id_tag=TAG)
    await station.expect("StartTransaction", id_tag=TAG)
    await do(charger.draw, 16)
    await station.expect("StatusNotification", status="Charging")
    await station.expect("MeterValues", transaction_id=1)
    change = call.ChangeAvailability(connector_id=1, type="Inoperative")
    assert (await ask(change)).status == "Scheduled"
    assert (await ask(call.RemoteStopTransaction(transaction_id=1))).status == "Accepted"
    await station.expect("StopTransaction", transaction_id=1, reason="Remote")
    await station.expect("StatusNotification", connector_id=1, status="Unavailable")
    change = call.ChangeAvailability(connector_id=1, type="Operative")
    assert (await ask(change)).status == "Accepted"
    assert (await ask(call.UnlockConnector(connector_id=1))).status == "Unlocked"
    for request in (
        call.GetDiagnostics(location="ftp://files.example/"),
        call.UpdateFirmware(location="ftp://files.example/x", retrieve_date=iso8601(time.time())),
    ):
        try:
            await ask(request)
            raise AssertionError("a profile that is not offered has answered")
        except OCPPError as error:
            assert error.code == "NotSupported"
    assert (await ask(call.Reset(type="Soft"))).status == "Accepted"


async def conversation():
    stations = asyncio.Queue()

    async def served(socket):
        station = Station("cp001", socket)
        stations.put_nowait(station)
        await station.start()

    async with serve(served, "127.0.0.1", 0, subprotocols=["ocpp1.6"], close_timeout=1) as server:
        charger = Charger("ws://127.0.0.1:%d" % server.sockets[0].getsockname()[1], rate=10)
        try:
            await asyncio.to_thread(charger.start)
            station = await asyncio.wait_for(stations.get(), 10)
            await the_whole_conversation(station, charger)
            assert await asyncio.to_thread(charger.wait_exit) == 64
        finally:
            await asyncio.to_thread(charger.close)
    assert station.refused == []


def test_every_message_passes_the_checks_of_the_ocpp_package():
    asyncio.run(conversation())
