"""OCPP-J's messages as events and texts, without a socket, a task or a clock (OCPP-J 1.6 §4 with errata)."""

import json

from harness import raises

from firmware.ocpp.errors import GENERIC_ERROR, NOT_IMPLEMENTED, OCCURRENCE_VIOLATION, CallError, InvalidAnswer
from firmware.ocpp.protocol import Answer, Call, Ignored, LongAnswer, Protocol, Refused
from firmware.ocpp.v16.rules import Rules


class OtherRules(Rules):
    """Those of a version that answers what it cannot read, and takes null as it is."""

    unreadable = "RpcFrameworkError"
    unknown_type = "MessageTypeNotSupported"
    names = {"FormationViolation": "FormatViolation"}

    def payload(self, value):
        return value


def protocol(rules=None):
    return Protocol(rules or Rules(), lambda: "ours")


def test_a_call_becomes_an_event_and_its_result_text():
    p = protocol()
    call = p.receive('[2,"1","ClearCache",null]')
    assert type(call) is Call and (call.message_id, call.action, call.payload) == ("1", "ClearCache", {})
    p.accept(call.action, call.payload)
    assert json.loads(p.result(call, {"status": "Accepted"})) == [3, "1", {"status": "Accepted"}]
    with raises(CallError):
        p.result(call, {"status": "Perhaps"})


def test_an_id_is_in_use_until_its_call_is_done():
    p = protocol()
    call = p.receive('[2,"1","ClearCache",{}]')
    again = p.receive('[2,"1","ClearCache",{}]')
    assert type(again) is Refused and json.loads(again.text)[:3] == [4, "1", "ProtocolError"]
    p.done(call)
    assert type(p.receive('[2,"1","ClearCache",{}]')) is Call


def test_a_call_of_ours_and_what_comes_back():
    p = protocol()
    message_id, text = p.call("Heartbeat", {})
    assert message_id == "ours" and json.loads(text) == [2, "ours", "Heartbeat", {}]
    answer = p.receive('[3,"ours",{"currentTime":"2026-11-21T01:02:03Z","more":1}]')
    assert type(answer) is Answer and answer.message_id == "ours" and answer.error is None
    assert p.read("Heartbeat", answer.payload) == [] and "more" not in answer.payload
    assert p.receive('[4,"ours","NotImplemented"]').error.code == NOT_IMPLEMENTED
    assert isinstance(p.receive('[3,"ours"]').error, InvalidAnswer)
    with raises(InvalidAnswer):
        p.read("Heartbeat", [])
    with raises(CallError):
        p.call("Authorize", {})


def test_what_is_no_message_is_what_the_rules_make_of_it():
    for text in ("nonsense", "{}", '[2,null,"A",{}]'):
        assert protocol().receive(text).broken, text
    for text in ('[7,"1",{}]', "[]"):
        event = protocol().receive(text)
        assert type(event) is Ignored and not event.broken, text
    other = protocol(OtherRules())
    assert json.loads(other.receive("nonsense").text)[:3] == [4, "-1", "RpcFrameworkError"]
    assert json.loads(other.receive('[7,"1",{}]').text)[:3] == [4, "1", "MessageTypeNotSupported"]
    assert type(other.receive("[7]")) is Ignored
    assert other.receive('[2,"1","ClearCache",null]').payload is None


def test_error_codes_are_spelled_by_the_rules():
    error = CallError(OCCURRENCE_VIOLATION, "x" * 300)
    assert json.loads(protocol().error("1", error)) == [4, "1", "OccurenceConstraintViolation", "x" * 255, {}]
    assert json.loads(protocol(OtherRules()).error("1", error))[2] == "OccurrenceConstraintViolation"
    assert json.loads(protocol(OtherRules()).receive('[2,"1"]').text)[2] == "FormatViolation"


def test_a_message_of_which_only_the_head_is_there():
    p = protocol()
    error = CallError(GENERIC_ERROR, "too large")
    assert json.loads(p.receive_unread(b'[2,"1","Reset",{"ty', error).text)[2:4] == ["GenericError", "too large"]
    assert p.receive_unread(b'[3,"ours",{"a', error).message_id == "ours"
    assert type(p.receive_unread(b"[", error)) is Ignored
    assert p.receive_head(b'[2,"2","SendLocalList",{"li').action == "SendLocalList"


def test_a_long_result_gives_turns_before_its_text():
    p = protocol()
    call = p.receive('[2,"1","GetConfiguration",{}]')
    items = [{"key": "K", "readonly": True}] * 3
    *turns, text = p.long_result(call, LongAnswer({"configurationKey": []}, "configurationKey", lambda: iter(items)))
    assert turns == [None, None] and json.loads(text) == [3, "1", {"configurationKey": items}]
