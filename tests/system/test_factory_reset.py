"""A factory reset of a station in use, by its button and by its setting: what was charged is still delivered."""

import pytest
from waiting import until

_TAG = "04A1B2C3"


@pytest.fixture
def used(csms, start_charger):
    """A station that has charged while its back-end was out of reach."""
    keys = {"LogLevel": "warning", "MessageTimeout": "31", "AllowOfflineTxForUnknownId": "true"}
    charger = start_charger(csms.url, keys=keys)
    charger.wait_boot()
    charger.network(False)
    charger.plug()
    charger.swipe(_TAG)
    charger.draw(16)
    charger.wait_state(status="Charging")
    charger.swipe(_TAG)
    charger.command("cp", connector=1, state="B")
    charger.wait_state(tx=None)
    charger.unplug()
    until(lambda: charger.state()["queue"] >= 2, 10)
    return charger


def press(charger):
    charger.command("press", name="portal", ms=3_000)
    charger.command("press", name="factory", ms=10_500)


def set_key(charger):
    charger.command("set_key", key="FactoryReset", value="true")
    charger.command("reset")


@pytest.mark.parametrize("ask, code", [(press, 65), (set_key, 66)])
def test_transactions_that_are_not_delivered_survive_a_factory_reset(used, csms, ask, code):
    ask(used)
    assert used.wait_exit() == code
    used.restart()
    start = csms.expect("StartTransaction", idTag=_TAG)
    csms.expect("StopTransaction", transactionId=start.transaction_id)
    keys = csms.call("GetConfiguration", key=["LogLevel", "MessageTimeout", "FactoryReset"])["configurationKey"]
    assert {key["key"]: key["value"] for key in keys} == {
        "LogLevel": "info",
        "MessageTimeout": "30",
        "FactoryReset": "false",
    }
    until(lambda: used.state()["queue"] == 0, 10)
    assert csms.violations == []
