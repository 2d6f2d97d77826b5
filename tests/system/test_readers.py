"""Card readers on a tty: one for 125 kHz tags (EM4100), whose frames become a session, and one that is not there."""

import os
import select
import threading
import tty

import pytest

FRAME = b"\x020400D50A4B90\x03"  # 04 ^ 00 ^ d5 ^ 0a ^ 4b = 90
TAG = "0400D50A4B"
OTHER_FRAME = b"\x020400D50A4C97\x03"
OTHER_TAG = "0400D50A4C"
DAMAGED = FRAME.replace(b"4B", b"4A")


@pytest.fixture
def line():
    """What a reader writes to, and the path of the charger's tty."""
    reader, charger = os.openpty()
    tty.setraw(charger)
    yield reader, os.ttyname(charger)
    os.close(reader)
    os.close(charger)


def test_a_125_khz_tag_starts_and_stops_a_session(start_charger, csms, line):
    reader, path = line
    charger = start_charger(csms.url, keys={"ReaderModel": "em4100"}, config={"hw": {"uart": {"rfid": path}}})
    charger.wait_boot()
    charger.plug()
    csms.expect("StatusNotification", connectorId=1, status="Preparing")
    os.write(reader, DAMAGED + FRAME[:5])
    os.write(reader, FRAME[5:] + FRAME * 3)  # repeated for as long as the tag stays
    csms.expect("StartTransaction", idTag=TAG)
    charger.draw(16)
    charger.wait_state(relay=True, status="Charging")
    os.write(reader, OTHER_FRAME)
    csms.expect("Authorize", idTag=OTHER_TAG)
    os.write(reader, FRAME)
    charger.wait_state(amps=0)
    charger.cp("B")
    csms.expect("StopTransaction", idTag=TAG, reason="Local")
    assert csms.violations == []


def test_a_reader_that_never_answered_is_reported_as_not_present(start_charger, csms, line):
    start_charger(csms.url, rate=5, config={"hw": {"uart": {"rfid": line[1]}}})
    report = csms.expect("StatusNotification", connectorId=0, errorCode="ReaderFailure")
    assert (report["status"], report["vendorErrorCode"]) == ("Available", "AUTHENTICATOR NOT_PRESENT")
    assert csms.violations == []


ACK = b"\x00\x00\xff\x00\xff\x00"
NACK = b"\x00\x00\xff\xff\x00\x00"
CONFIGURED = b"\x00\x00\xff\x02\xfe\xd5\x15\x16\x00"
RETRIES_SET = b"\x00\x00\xff\x02\xfe\xd5\x33\xf8\x00"
VERSION_OF_A_PN533 = b"\x00\x00\xff\x06\xfa\xd5\x03\x33\x02\x07\x07\xe5\x00"


def _answer(reader, answers, enough):
    """Answers the PN532 commands that come, by their code, until `enough` is set."""
    while not enough.is_set():
        if select.select([reader], [], [], 0.05)[0]:
            asked = os.read(reader, 256)
            for code, answer in answers.items():
                if b"\xd4" + bytes((code,)) in asked:
                    os.write(reader, answer)


@pytest.mark.parametrize(
    "word, answers",
    [
        ("FAULTED", {0x14: NACK}),
        ("INCOMPATIBLE", {0x14: ACK + CONFIGURED, 0x02: ACK + VERSION_OF_A_PN533, 0x32: ACK + RETRIES_SET}),
    ],
)
def test_a_reader_that_answers_wrongly_says_so(start_charger, csms, line, word, answers):
    enough = threading.Event()
    chip = threading.Thread(target=_answer, args=(line[0], answers, enough))
    chip.start()
    try:
        start_charger(csms.url, rate=5, config={"hw": {"uart": {"rfid": line[1]}}})
        report = csms.expect("StatusNotification", connectorId=0, errorCode="ReaderFailure")
    finally:
        enough.set()
        chip.join()
    assert (report["status"], report["vendorErrorCode"]) == ("Available", "AUTHENTICATOR " + word)
    assert report["info"] == "Card reader answers wrongly"
    assert csms.violations == []
