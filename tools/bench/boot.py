"""Cold boot time of the simulated charger: from the start of its process to the pilot and to BootNotification."""

import json
import os
import statistics
import subprocess
import time

from tools.bench import probes
from tools.bench.report import Row, Section, seconds
from tools.csms import CentralSystem
from tools.image import ROOT
from tools.sim import Charger, free_port
from tools.sim.charger import interpreter

COMMAND = "python -m tools.bench boot"
_ROUNDS = 7
_WAIT_S = 10


def measure(scratch):
    pilot, notified = [], []
    for _ in range(_ROUNDS + 1):
        with CentralSystem() as csms:
            one, other = power_on(csms, scratch)
        pilot.append(one)
        notified.append(other)
    note = f"median of {_ROUNDS}, longest %s; %s with the flash to be formatted first"
    return Section(
        [
            Row(
                "cold boot to a pilot under control",
                statistics.median(pilot[1:]),
                0.3,
                seconds,
                note=note % (seconds(max(pilot[1:])), seconds(pilot[0])),
                command=COMMAND,
            ),
            Row(
                "cold boot to BootNotification",
                statistics.median(notified[1:]),
                1.5,
                seconds,
                note=note % (seconds(max(notified[1:])), seconds(notified[0])),
                command=COMMAND,
            ),
        ]
    )


def power_on(csms, scratch):
    """Returns the seconds until the pilot is driven and until BootNotification has arrived."""
    stamp = scratch / "stamp"
    stamp.unlink(missing_ok=True)
    config = scratch / "boot.json"
    config.write_text(json.dumps(Charger(csms.url, directory=scratch).config))
    command = [*interpreter(), str(probes.HERE / "cold_boot.py"), str(stamp), "--config", str(config)]
    command += ["--state", str(scratch / "boot"), "--control", f"127.0.0.1:{free_port()}"]
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
