"""Answers of a back-end that does not keep to the schema: what can be read counts (rows O7 and O8)."""

from harness import raises
from link_bench import LinkBench

from firmware.kernel.clock import iso8601
from firmware.kernel.log import WARNING
from firmware.ocpp.errors import CallError
from firmware.ocpp.v16.rules import Rules

SCHEMA = Rules().schema


def read(action, payload):
    """Returns (what is left of an answer, remarks about it)."""
    remarks = SCHEMA.read(action, payload)
    return payload, remarks


def warnings(bench):
    return [line[3] for line in bench.charging.log.lines(WARNING)]


# -- the reader


def test_what_is_clear_is_read_without_a_remark():
    # O7
    for action, sent, meant in (
        ("StartTransaction", {"transactionId": "112200"}, {"transactionId": 112200}),
        ("StartTransaction", {"transactionId": " -5 "}, {"transactionId": -5}),
        ("StartTransaction", {"transactionId": 7.0}, {"transactionId": 7}),
        ("StartTransaction", {"transactionId": "7.00"}, {"transactionId": 7}),
        ("BootNotification", {"interval": "300", "status": "ACCEPTED"}, {"interval": 300, "status": "Accepted"}),
        ("BootNotification", {"status": " pending"}, {"status": "Pending"}),
        ("DataTransfer", {"status": "unknownvendorid"}, {"status": "UnknownVendorId"}),
        ("DataTransfer", {"status": "Accepted", "data": 5}, {"status": "Accepted", "data": "5"}),
        (
            "Authorize",
            {"idTagInfo": {"status": "concurrentTX", "parentIdTag": 1234}, "more": [1]},
            {"idTagInfo": {"status": "ConcurrentTx", "parentIdTag": "1234"}},
        ),
        (
            "Authorize",
            {"idTagInfo": {"status": "Blocked", "expiryDate": None, "parentIdTag": None}},
            {"idTagInfo": {"status": "Blocked"}},
        ),
        ("Heartbeat", {"currentTime": "20261121T010203Z"}, {"currentTime": "20261121T010203Z"}),
        ("StatusNotification", {"status": "Accepted"}, {}),
    ):
        left, remarks = read(action, sent)
        assert left == meant, (action, left)
        assert [r for r in remarks if "missing" not in r] == []


def test_what_makes_no_sense_costs_only_itself():
    # O7, O8: None stands for a field that is there and cannot be read
    for value in ("", "x", "1e3", "0x10", "--5", "1.5", 1.5, True, [], {}, "9" * 33):
        left, remarks = read("StartTransaction", {"transactionId": value, "idTagInfo": {"status": "Accepted"}})
        assert left == {"transactionId": None, "idTagInfo": {"status": "Accepted"}} and len(remarks) == 1, value
    for field, value in (
        ("expiryDate", ""),
        ("expiryDate", "never"),
        ("expiryDate", True),
        ("parentIdTag", "x" * 21),
        ("parentIdTag", ["x"]),
    ):
        info = {"status": "Accepted", field: value}
        left, remarks = read("StartTransaction", {"transactionId": 1, "idTagInfo": info})
        assert left == {"transactionId": 1, "idTagInfo": {"status": "Accepted", field: None}}
        assert len(remarks) == 1 and remarks[0].startswith("idTagInfo." + field), remarks
    for info in ("Accepted", [], 5, True):
        assert read("Authorize", {"idTagInfo": info})[0] == {"idTagInfo": None}
    left, remarks = read("BootNotification", {"status": "Accepted", "interval": None, "currentTime": "now"})
    assert left == {"status": "Accepted", "currentTime": None}
    assert len(remarks) == 2 and "interval is missing" in remarks


def test_an_answer_that_is_no_object_is_none():
    for payload in (None, [], "Accepted", 5, True):
        with raises(CallError):
            SCHEMA.read("Heartbeat", payload)


# -- what comes of it


async def started(answer):
    """A card has begun to charge; returns the bench, after the back-end's `answer` to StartTransaction."""
    bench = await LinkBench().accepted()
    SCHEMA.read("StartTransaction", answer)
    bench.peer.script["Authorize"] = [{"idTagInfo": {"status": "Accepted"}}]
    bench.peer.script["StartTransaction"] = [answer]
    bench.charging.plug()
    await bench.station.swipe("CARD")
    await bench.run(1_000)
    bench.charging.evse.set_state("C")
    await bench.run(1_000)
    return bench


async def test_the_transaction_id_counts_whenever_it_can_be_read():
    # O7: whatever else is in the answer
    for info in (
        {"status": "Accepted", "expiryDate": ""},
        {"status": "accepted"},
        {"status": "ACCEPTED", "expiryDate": "2099-01-01", "parentIdTag": "x" * 30},
        {"expiryDate": "2099-01-01T00:00:00Z"},
        {},
        None,
    ):
        bench = await started({"transactionId": "112200", "idTagInfo": info})
        assert bench.peer.actions().count("StartTransaction") == 1
        assert bench.link.local_transaction(112200) is not None and bench.station.connector(1).transaction
        await bench.ask("RemoteStopTransaction", transactionId=112200)
        await bench.run(5_000)
        assert bench.peer.payloads("StopTransaction")[0]["transactionId"] == 112200


async def test_without_an_id_tag_info_the_session_goes_on():
    # O7: the token was accepted before it began
    bench = await started({"transactionId": 5})
    assert bench.station.connector(1).transaction and bench.link.local_transaction(5) is not None


async def test_a_refusal_in_any_spelling_is_one():
    # O7: a word that nobody knows is not Accepted, nor is something else in the place of the word
    for info in ({"status": "blocked"}, {"status": "Denied"}, {"status": ""}, {"status": 1}, "Accepted", []):
        bench = await started({"transactionId": 5, "idTagInfo": info})
        await bench.run(5_000)
        assert [p["reason"] for p in bench.peer.payloads("StopTransaction")] == ["DeAuthorized"], info


async def test_authorize_without_a_verdict_refuses_and_is_not_remembered():
    # O7: not even a station that is open to unknown tokens without a link takes the card
    for answer, starts in (
        ({"idTagInfo": {"status": "accepted"}}, True),
        ({"idTagInfo": {"status": "Accepted", "expiryDate": "", "parentIdTag": ""}}, True),
        ({"idTagInfo": {"status": "Allowed"}}, False),
        ({"idTagInfo": {}}, False),
        ({"idTagInfo": "Accepted"}, False),
        ({"status": "Accepted"}, False),
        ({}, False),
    ):
        bench = await LinkBench(AllowOfflineTxForUnknownId=True).accepted()
        SCHEMA.read("Authorize", answer)
        bench.peer.script["Authorize"] = [answer]
        bench.charging.plug()
        await bench.station.swipe("CARD")
        await bench.run(2_000)
        assert ("StartTransaction" in bench.peer.actions()) == starts, answer
        if not starts:
            assert bench.charging.cache.entries == {} and any("cannot be read" in text for text in warnings(bench))


async def test_an_empty_parent_makes_no_group():
    # O7: "" in the place of no parent would let all who have it stop each other
    bench = await LinkBench().accepted()
    bench.peer.script["Authorize"] = [{"idTagInfo": {"status": "Accepted", "parentIdTag": ""}}]
    info = await bench.link.authorize("CARD")
    assert info.accepted and info.parent is None


async def boot(answer):
    bench = LinkBench()
    SCHEMA.read("BootNotification", answer)
    bench.peer.script["BootNotification"] = [answer]
    await bench.run(100)
    bench.connection.set(True)
    await bench.run(2_000)
    return bench


async def test_an_accepted_station_is_registered_whatever_the_time_looks_like():
    # O8: the clock is left alone
    for answer in (
        {"status": "Accepted", "interval": 300, "currentTime": "21.11.2026 01:02"},
        {"status": "accepted", "interval": "300", "currentTime": None},
        {"status": "Accepted", "interval": [], "currentTime": {}},
        {"status": "Accepted", "interval": 300, "currentTime": 5},  # 1970
        {"status": "Accepted"},
    ):
        bench = await boot(answer)
        assert bench.link.registration == "Accepted" and bench.clock.source != "ocpp", answer
        assert "StatusNotification" in bench.peer.actions()
        bench.peer.calls = []
        await bench.run(301_000)
        assert "Heartbeat" in bench.peer.actions() and "BootNotification" not in bench.peer.actions()


async def test_a_time_in_another_form_sets_the_clock():
    # O8
    for form in ("%s", "basic", "epoch", "milliseconds", "offset"):
        bench = LinkBench()
        unix = bench.clock.now() + 86_400
        text = iso8601(unix)
        value = {
            "%s": text[:-1],
            "basic": text.replace("-", "").replace(":", ""),
            "epoch": unix,
            "milliseconds": unix * 1000 + 20,
            "offset": text[:-1] + ".123456+00:00",
        }[form]
        answer = {"status": "Accepted", "interval": 300, "currentTime": value}
        assert SCHEMA.read("BootNotification", answer) == []
        bench.peer.script["BootNotification"] = [answer]
        await bench.run(100)
        bench.connection.set(True)
        await bench.run(1_000)
        assert bench.clock.source == "ocpp" and 0 <= bench.clock.now() - unix <= 2, form


async def test_a_boot_without_a_status_is_tried_again():
    # O7: nothing says that the station is accepted
    bench = await boot({"status": "OK", "interval": 300, "currentTime": "2026-11-21T01:02:03Z"})
    assert bench.link.registration == "None"
    await bench.run(12_000)
    assert bench.link.registration == "Accepted" and bench.peer.actions().count("BootNotification") == 2


async def test_a_heartbeat_that_cannot_be_read_is_no_trouble():
    # O8
    bench = await LinkBench().accepted()
    before = bench.clock.now()
    bench.peer.script["Heartbeat"] = [{}, {"currentTime": None}]
    await bench.run(700_000)
    assert len(bench.peer.payloads("Heartbeat")) == 2 and abs(bench.clock.now() - before - 700) <= 1
