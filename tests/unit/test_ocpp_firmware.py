"""Firmware management over a scripted maintenance layer: what is told when, and who may charge meanwhile."""

from harness import raises
from link_bench import LinkBench

from firmware.kernel.clock import iso8601
from firmware.ocpp.errors import CallError, LinkDown

PLACE = "ftp://files.example/x"


class Maintenance:
    """Transfers that fail `failures` times, then take `takes_ms`."""

    def __init__(self):
        self.clock = None
        self.failures = 0
        self.takes_ms = 2_000
        self.did = []
        self.name = "log.txt"
        self.valid = True
        self.outcome = None
        self.request = ""
        self.flash_works = True

    def after_power_cut(self):
        """Returns that of the next power-on, which only knows what was written."""
        other = Maintenance()
        other.clock, other.outcome, other.request = self.clock, self.outcome, self.request
        return other

    def remember(self, text):
        if not self.flash_works:
            raise OSError(28)
        self.request = text

    def diagnostics(self, start, stop):
        self.did.append(("diagnostics", start, stop))
        return self.name

    async def _transfer(self, *what):
        self.did.append(what)
        await self.clock.sleep_ms(self.takes_ms)
        if self.failures:
            self.failures -= 1
            raise OSError("550")

    async def upload(self, location, start, stop):
        await self._transfer("upload", location)

    async def download(self, location):
        await self._transfer("download", location)

    async def install(self):
        self.did.append(("install",))
        await self.clock.sleep_ms(self.takes_ms)
        if not self.valid:
            raise ValueError("signature")

    def outcome_told(self):
        self.outcome = None

    def times(self, what):
        return sum(1 for entry in self.did if entry[0] == what)


async def fitted(**arguments):
    bench = LinkBench(Maintenance(), **arguments)
    bench.maintenance.clock = bench.clock
    bench.resets = []
    bench.station.operation.reset_requested.connect(lambda hard, by: bench.resets.append((hard, by)))
    return await bench.accepted()


def firmware_statuses(bench):
    return [payload["status"] for payload in bench.peer.payloads("FirmwareStatusNotification")]


def diagnostics_statuses(bench):
    return [payload["status"] for payload in bench.peer.payloads("DiagnosticsStatusNotification")]


async def update(bench, **fields):
    fields.setdefault("retrieveDate", iso8601(bench.clock.now()))
    return await bench.ask("UpdateFirmware", location=PLACE, **fields)


async def trigger(bench, message):
    assert await bench.status_of("TriggerMessage", requestedMessage=message) == "Accepted"


async def test_without_maintenance_the_profile_is_not_offered():
    # trap 4, §3.3: what is not there is not advertised, and is NotSupported rather than NotImplemented
    bench = await LinkBench().accepted()
    assert "FirmwareManagement" not in bench.settings.get("SupportedFeatureProfiles")
    assert await update(bench) == "NotSupported"
    assert await bench.ask("GetDiagnostics", location=PLACE) == "NotSupported"
    answer = await bench.ask("GetConfiguration", key=["SupportedFileTransferProtocols"])
    assert answer["unknownKey"] == ["SupportedFileTransferProtocols"]


async def test_with_maintenance_it_is_offered():
    bench = await fitted()
    assert "FirmwareManagement" in bench.settings.get("SupportedFeatureProfiles")


async def test_a_profile_that_is_switched_off_tells_no_status():
    # trap 30
    bench = await fitted(SupportedFeatureProfiles=["Core", "RemoteTrigger"])
    for message in ("FirmwareStatusNotification", "DiagnosticsStatusNotification"):
        assert await bench.status_of("TriggerMessage", requestedMessage=message) == "NotImplemented"


async def test_diagnostics_are_uploaded_and_the_states_told():
    # §5.9, §4.4
    bench = await fitted()
    start = bench.clock.now() - 3600
    answer = await bench.ask("GetDiagnostics", location=PLACE, startTime=iso8601(start))
    assert answer == {"fileName": "log.txt"}
    await trigger(bench, "DiagnosticsStatusNotification")
    await bench.run(3_000)
    assert diagnostics_statuses(bench) == ["Uploading", "Uploading", "Uploaded"]
    assert bench.maintenance.did == [("diagnostics", start, None), ("upload", PLACE)]
    await trigger(bench, "DiagnosticsStatusNotification")
    assert diagnostics_statuses(bench)[-1] == "Idle"


async def test_no_diagnostics_no_file_name():
    # §5.9
    bench = await fitted()
    bench.maintenance.name = None
    assert await bench.ask("GetDiagnostics", location=PLACE) == {}
    await bench.run(3_000)
    assert diagnostics_statuses(bench) == []


async def test_retries_are_retries_not_attempts():
    # trap 32, errata 3.50
    bench = await fitted()
    bench.maintenance.failures = 9
    await bench.ask("GetDiagnostics", location=PLACE, retries=2, retryInterval=30)
    await bench.run(20_000)
    assert bench.maintenance.times("upload") == 1
    await bench.run(120_000)
    assert bench.maintenance.times("upload") == 3
    assert diagnostics_statuses(bench) == ["Uploading", "UploadFailed"]
    await bench.ask("GetDiagnostics", location=PLACE, retries=0)
    await bench.run(120_000)
    assert bench.maintenance.times("upload") == 4


async def test_a_second_request_takes_the_place_of_the_first():
    bench = await fitted()
    await bench.ask("GetDiagnostics", location=PLACE)
    await bench.ask("GetDiagnostics", location=PLACE + "2")
    await bench.run(5_000)
    assert diagnostics_statuses(bench) == ["Uploading", "Uploading", "Uploaded"]


async def test_an_update_is_retrieved_at_its_date_and_installed_at_once_when_idle():
    # §5.19, §4.5
    bench = await fitted()
    assert await update(bench, retrieveDate=iso8601(bench.clock.now() + 600)) == {}
    await bench.run(590_000)
    assert bench.maintenance.did == [] and firmware_statuses(bench) == []
    await trigger(bench, "FirmwareStatusNotification")
    await bench.run(30_000)
    assert firmware_statuses(bench) == ["Idle", "Downloading", "Downloaded", "Installing"]
    assert bench.resets == [(True, "update")]


async def test_an_update_that_was_accepted_survives_a_power_cut():
    # §5.19: it was answered, and is to be retrieved as soon as possible after its date
    bench = await fitted()
    await update(bench, retrieveDate=iso8601(bench.clock.now() + 600), retries=0)
    await bench.run(10_000)
    bench.maintenance = bench.maintenance.after_power_cut()
    bench.power_cut()
    await bench.accepted()
    await bench.run(500_000)
    assert bench.maintenance.did == []
    await bench.run(90_500)
    bench.connection.set(False)
    bench.connection.set(True)  # what goes on is not begun anew
    await bench.run(10_000)
    assert firmware_statuses(bench) == ["Downloading", "Downloaded", "Installing"]
    assert bench.maintenance.times("download") == 1 and bench.maintenance.request == ""


async def test_an_update_that_has_failed_is_forgotten():
    bench = await fitted()
    bench.maintenance.failures = 1
    await update(bench, retries=0)
    await bench.run(10_000)
    assert firmware_statuses(bench)[-1] == "DownloadFailed" and bench.maintenance.request == ""


async def test_a_flash_that_refuses_does_not_keep_the_update_back():
    bench = await fitted()
    bench.maintenance.flash_works = False
    await update(bench)
    await bench.run(10_000)
    assert firmware_statuses(bench)[-1] == "Installing"


async def test_a_date_that_is_none_is_refused():
    bench = await fitted()
    assert await update(bench, retrieveDate="tomorrow") in ("PropertyConstraintViolation", "FormationViolation")


async def test_the_installation_waits_for_the_transaction_and_nobody_else_begins():
    # trap 32, errata 3.49: connectors that are not in use become Unavailable
    bench = await fitted(connectors=2)
    charging = bench.charging
    bench.peer.script["Authorize"] = [{"idTagInfo": {"status": "Accepted"}}]
    charging.plug(1)
    await bench.station.swipe("CARD")
    charging.evse.set_state("C")
    await bench.run(3_000)
    assert bench.station.transaction(1)
    await update(bench)
    await bench.run(60_000)
    assert firmware_statuses(bench) == ["Downloading", "Downloaded"] and bench.maintenance.times("install") == 0
    assert bench.station.status(1).state == "charging" and bench.station.status(2).state == "out of service"
    assert await bench.station.swipe("OTHER", (2,)) == "refused"
    await bench.station.swipe("CARD")
    await bench.run(15_000)
    assert bench.maintenance.times("install") == 1 and bench.resets == [(True, "update")]
    bench.power_cut()
    assert bench.station.status(2).state == "free"  # it is no ChangeAvailability


async def test_a_download_that_fails_is_repeated_and_then_given_up():
    bench = await fitted()
    bench.maintenance.failures = 2
    await update(bench, retries=1, retryInterval=5)
    await bench.run(60_000)
    assert firmware_statuses(bench) == ["Downloading", "DownloadFailed"]
    assert bench.resets == [] and bench.station.status(1).state == "free"


async def test_an_installation_that_fails_gives_the_connectors_back():
    bench = await fitted()
    bench.maintenance.valid = False
    await update(bench)
    await bench.run(60_000)
    assert firmware_statuses(bench) == ["Downloading", "Downloaded", "Installing", "InstallationFailed"]
    assert bench.resets == [] and bench.station.status(1).state == "free"
    await trigger(bench, "FirmwareStatusNotification")
    assert firmware_statuses(bench)[-1] == "Idle"


async def test_installed_is_told_by_the_new_firmware_until_it_has_been_heard():
    # trap 32, errata 3.47
    bench = LinkBench(Maintenance())
    bench.maintenance.outcome = True
    bench.peer.script["FirmwareStatusNotification"] = [LinkDown()]
    await bench.accepted()
    assert bench.maintenance.outcome
    bench.connection.set(False)
    bench.connection.set(True)
    await bench.run(1_000)
    assert firmware_statuses(bench) == ["Installed"] and bench.maintenance.outcome is None


async def test_nothing_is_begun_while_firmware_is_being_installed():
    bench = await fitted()
    bench.maintenance.takes_ms = 5_000
    await update(bench)
    await bench.run(8_000)
    assert firmware_statuses(bench)[-1] == "Installing"
    with raises(CallError):
        bench.link.handle("UpdateFirmware", {"location": PLACE, "retrieveDate": iso8601(bench.clock.now())})
