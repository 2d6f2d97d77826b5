"""Local authorisation list: block reads of a look-up, heap and time of a SendLocalList of maximum size."""

import json
import time

from tools.bench import heap, probes, wasm
from tools.bench.report import Row, Section, count, kb, ms, seconds
from tools.csms import CentralSystem
from tools.image import build
from tools.sim import Charger

COMMAND = "python -m tools.bench list"
_TOKENS = 9_000
_WAIT_S = 60
_EVERY = 10  # the heap is measured after every 10th turn
_UPDATE_MS = 3_000  # virtual time, which only passes while sleeping


def measure(scratch):
    found = probes.run("tag_list")
    extra, code = heap_of_update(scratch)
    taken_s, size, gaps = update()
    return Section(
        [
            Row(
                "look-up in a local list of 10 000, block reads",
                found["most_reads"],
                20,
                count,
                anchor="10 000 tags: ABL manual",
                note=f"the dearest of {found['lookups']}, half of them unknown; mean {found['reads']:.1f}",
                command=COMMAND,
            ),
            Row(
                "one SendLocalList of 9 000, extra heap, 32-bit",
                extra,
                32 * 1024,
                kb,
                anchor="ABL manual",
                note=f"over the idle station, without {kb(code)} of code that is loaded for it; "
                f"one in {_EVERY} turns looked at",
                command=COMMAND,
            ),
            Row(
                "one SendLocalList of 9 000, time until the answer",
                taken_s,
                unit=seconds,
                note=f"{kb(size)}, once; longest scheduler hold meanwhile {ms(gaps['max'])}, p99.9 {ms(gaps['p999'])}",
                command=COMMAND,
            ),
        ]
    )


def heap_of_update(scratch):
    """Returns the bytes that a full update takes on the 32-bit build, at most, and those of code loaded for it."""
    build(scratch / "image")
    steps = [
        {"name": "built", "run": "app = build_app(build_board())\nstart(app.run())\nturns.wait(1000)", "turns": 50},
        {"name": "idle", "run": "connect(app)\nturns.wait(3000)", "turns": 50},
        {"name": "update", "run": f"backend.send_local_list({_TOKENS})\nturns.wait({_UPDATE_MS})", "turns": _EVERY},
        {"name": "end", "run": "print(json.dumps([len(app.stores.tags), backend.answers]))"},
    ]
    extra = []
    for before in (heap.everything_loaded(scratch), wasm.paths() + heap.SOURCE):
        result = wasm.run(scratch, steps, before)
        if json.loads(result["output"][-1])[0] != _TOKENS:
            raise RuntimeError(f"the list was not accepted: {result['output']}")
        used = {step["name"]: step for step in result["steps"]}
        extra.append(used["update"]["most"] - used["idle"]["used"])
    return extra[0], extra[1] - extra[0]


def update():
    """Sends the list to a real charger; returns the seconds it took, the bytes sent and the loop gaps meanwhile."""
    entries = [
        {"idTag": f"{n * 40503 % 65536:04X}{n:04X}", "idTagInfo": {"status": "Accepted"}} for n in range(_TOKENS)
    ]
    payload = {"listVersion": 1, "updateType": "Full", "localAuthorizationList": entries}
    text = json.dumps([2, "list", "SendLocalList", payload])
    with CentralSystem() as csms, Charger(csms.url) as charger:
        charger.wait_boot()
        charger.command("gaps", reset=True)
        begun = time.monotonic()
        csms.send_text(text)
        while not (answer := answer_to("list", csms)):
            if time.monotonic() - begun > _WAIT_S:
                raise RuntimeError("no answer to SendLocalList\n" + charger.output())
            time.sleep(0.01)
        taken_s = time.monotonic() - begun
        if answer != [3, "list", {"status": "Accepted"}]:
            raise RuntimeError(f"the list was not accepted: {answer}")
        return taken_s, len(text), charger.command("gaps")


def answer_to(number, csms):
    for frame in csms.frames:
        message = json.loads(frame.text)
        if message[0] != 2 and message[1] == number:
            return message
    return None
