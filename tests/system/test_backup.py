"""Backup and restore of a board through its serial port, as a person does it."""

import json

import pytest

from tools.backup import restore, save
from tools.flash import flash
from tools.image import build
from tools.sim.serial_board import SerialBoard

_PASSPHRASE = "correct horse"


def test_what_was_set_up_comes_back_on_another_board(tmp_path, csms):
    image = tmp_path / "image"
    build(image)
    factory = tmp_path / "factory.json"
    settings = {"CentralSystemUrl": csms.url, "ChargePointId": "saved", "ReconnectMin": "1"}
    factory.write_text(json.dumps({"board": "simulated", "hw": {"connectors": 1}, "settings": settings}))
    with SerialBoard() as board:
        flash(board.port, image, factory)
        csms.expect("BootNotification", timeout=30)
        csms.call("ChangeConfiguration", key="ConnectionTimeOut", value="77")
        tag = {"idTag": "CARD", "idTagInfo": {"status": "Accepted"}}
        csms.call("SendLocalList", listVersion=4, updateType="Full", localAuthorizationList=[tag])
        csms.call("ChangeConfiguration", key="AuthorizationKey", value="00112233445566778899aabbccddeeff")
        document = save(board.port, _PASSPHRASE, with_list=True)
        assert json.loads(document)["settings"]["ConnectionTimeOut"] == "77"
        assert "00112233" not in document
        csms.expect("BootNotification", timeout=30)
        csms.call("ChangeConfiguration", key="ConnectionTimeOut", value="99")
        csms.call("SendLocalList", listVersion=5, updateType="Full", localAuthorizationList=[])
        with pytest.raises(RuntimeError, match="passphrase"):
            restore(board.port, document, "wrong passphrase")
        csms.expect("BootNotification", timeout=30)
        assert csms.call("GetLocalListVersion") == {"listVersion": 0}
        restore(board.port, document, _PASSPHRASE)
        csms.expect("BootNotification", timeout=30)
        assert csms.call("GetLocalListVersion") == {"listVersion": 4}
        (known,) = csms.call("GetConfiguration", key=["ConnectionTimeOut"])["configurationKey"]
        assert known["value"] == "77"
