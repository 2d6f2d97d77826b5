"""Cold boot time of the simulated charger: from the start of its process to the pilot and to BootNotification."""

import json
import os
import statistics
import subprocess
import time

from tools.bench import probes
from tools.bench.report import Row, Section, seconds
from tools.csms import CentralSystem
from tools.image import ROOT, build
from tools.sim import Charger, free_port
from tools.sim.charger import interpreter

COMMAND = "python -m tools.bench boot"
_ROUNDS = 7
_WAIT_S = 10


def measure(scratch):
    rows = []
    build(scratch / "image")
    for name, sim in (
        ("cold boot", {}),
        ("cold boot from a slot of the flash", {"boot": "flash", "image": str(scratch / "image"), "flash_kib": 6144}),
    ):
        pilot, notified = [], []
        with CentralSystem() as csms:  # whose address lies on the flash
            for _ in range(_ROUNDS + 1):
                one, other = power_on(csms, scratch, name, sim)
                pilot.append(one)
                notified.append(other)
        for what, times, budget in (("a pilot under control", pilot, 0.3), ("BootNotification", notified, 1.5)):
            note = f"median of {_ROUNDS}, longest {seconds(max(times[1:]))}; {seconds(times[0])} with an empty flash"
            median = statistics.median(times[1:])
            rows.append(Row(f"{name} to {what}", median, budget, seconds, note=note, command=COMMAND))
    return Section(rows)


def power_on(csms, scratch, name, sim):
    """Returns the seconds until the pilot is driven and until BootNotification has arrived."""
    stamp = scratch / "stamp"
    stamp.unlink(missing_ok=True)
    config = scratch / "boot.json"
    config.write_text(json.dumps(Charger(csms.url, directory=scratch, config={"sim": sim}).config))
    command = [*interpreter(), str(probes.HERE / "cold_boot.py"), str(stamp), "--config", str(config)]
    command += ["--state", str(scratch / name), "--control", f"127.0.0.1:{free_port()}"]
    begun = time.time()
    with open(os.devnull, "w") as nowhere:
        process = subprocess.Popen(
            command, cwd=ROOT, env=probes.environment(), stdin=subprocess.DEVNULL, stdout=nowhere, stderr=nowhere
        )
    try:
        boot = csms.expect("BootNotification", timeout=_WAIT_S)
        return int(stamp.read_text()) / 1000 - begun, boot.t - begun
    finally:
        process.kill()
        process.wait()
