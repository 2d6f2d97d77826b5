# interpreters: cpython
"""The tables of docs/ are those of the code, and leave nothing out."""

from tools.docs.pages import pages


def test_every_generated_table_is_current():
    for path, before, text in pages():
        assert before == text, f"{path}: python -m tools.docs"


def test_every_trap_has_a_test():
    from tools.docs.ocpp_traps import TRAPS, tests_of_traps

    assert {number for number, _ in TRAPS} == set(tests_of_traps())


def test_every_supported_message_has_a_test():
    from tools.docs.ocpp_tables import _answered, _sent, _tests

    tests = _tests()
    assert [message for message in _answered() | _sent() if not tests[message]] == []


def test_every_message_of_ocpp_16_is_in_the_conformance_table():
    from tools.docs.ocpp_tables import _SENT, known_messages, received

    assert known_messages() == set(received()) | set(_SENT)
