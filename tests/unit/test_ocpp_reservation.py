"""Reservations as the back-end sees them: OCPP 1.6 §4.8, §4.9, §5.1, §5.13; both sides of each call by the schema."""

from link_bench import LinkBench

from firmware.kernel.clock import iso8601
from firmware.ocpp.errors import CallError
from firmware.ocpp.v16.rules import Rules

SCHEMA = Rules().schema


async def status(bench, action, **payload):
    """Returns the status of the answer, or the code of the CALLERROR."""
    try:
        SCHEMA.accept(action, payload)
    except CallError as exc:
        return exc.code
    answer = await bench.ask(action, **payload)
    if isinstance(answer, dict):
        SCHEMA.validate(action, answer, True)
        answer = answer["status"]
    return answer


async def reserve(bench, connector=1, number=7, token="CARD", seconds=600, **more):
    expiry = iso8601(bench.clock.now() + seconds)
    fields = {"connectorId": connector, "reservationId": number, "idTag": token, "expiryDate": expiry}
    fields.update(more)
    return await status(bench, "ReserveNow", **fields)


def told(bench):
    """Returns the words that the back-end has got for connector 1."""
    return [p["status"] for p in bench.peer.payloads("StatusNotification") if p["connectorId"] == 1]


async def test_start_transaction_carries_the_reservation():
    # §4.8; trap 26
    bench = await LinkBench().accepted()
    assert await reserve(bench, number=-1) == "Accepted", "any integer is a number"
    bench.peer.script["Authorize"] = [{"idTagInfo": {"status": "Accepted"}}]
    await bench.charging.charging()
    await bench.run(500)
    (start,) = bench.peer.payloads("StartTransaction")
    assert start["reservationId"] == -1
    assert told(bench)[:3] == ["Reserved", "Preparing", "Charging"]
    assert await status(bench, "CancelReservation", reservationId=-1) == "Rejected"


async def test_a_stranger_is_refused_also_remotely():
    # trap 26
    bench = await LinkBench().accepted()
    await reserve(bench)
    assert await status(bench, "RemoteStartTransaction", idTag="OTHER", connectorId=1) == "Rejected"
    assert await status(bench, "RemoteStartTransaction", idTag="card") == "Accepted"


async def test_the_group_is_asked_for():
    # §5.13
    bench = await LinkBench().accepted()
    await reserve(bench, parentIdTag="GROUP")
    bench.peer.script["Authorize"] = [{"idTagInfo": {"status": "Accepted", "parentIdTag": "GROUP"}}]
    await bench.charging.charging("COUSIN")
    await bench.run(500)
    assert bench.peer.payloads("Authorize") == [{"idTag": "COUSIN"}]
    assert bench.peer.payloads("StartTransaction")[0]["reservationId"] == 7


async def test_expiry_is_told():
    # §5.13: a status notification says that the connector is available
    bench = await LinkBench().accepted()
    assert await reserve(bench, seconds=30) == "Accepted"
    await bench.run(32_000)
    assert told(bench) == ["Reserved", "Available"]


async def test_answers():
    bench = await LinkBench().accepted()
    assert await reserve(bench, 5) == "Rejected" and await reserve(bench, seconds=-60) == "Rejected"
    assert await reserve(bench, expiryDate="tomorrow") == "PropertyConstraintViolation"
    assert await reserve(bench) == "Accepted" and await reserve(bench, number=8) == "Occupied"
    assert await reserve(bench, token="OTHER") == "Accepted", "the same number replaces"
    assert await status(bench, "CancelReservation", reservationId=8) == "Rejected"
    assert await status(bench, "CancelReservation", reservationId=7) == "Accepted"
    assert told(bench) == ["Reserved", "Available"]
    assert await status(bench, "ChangeAvailability", connectorId=1, type="Inoperative") == "Accepted"
    assert await reserve(bench) == "Unavailable"


async def test_being_out_of_service_ends_it():
    # §5.13 (3), §4.9 G8
    bench = await LinkBench().accepted()
    await reserve(bench)
    assert await status(bench, "ChangeAvailability", connectorId=1, type="Inoperative") == "Accepted"
    assert await status(bench, "CancelReservation", reservationId=7) == "Rejected"
    assert told(bench) == ["Reserved", "Unavailable"]


async def test_switched_off():
    bench = await LinkBench(SupportedFeatureProfiles=["Core"]).accepted()
    assert await reserve(bench) == "Rejected"
    assert await status(bench, "CancelReservation", reservationId=7) == "NotSupported"
