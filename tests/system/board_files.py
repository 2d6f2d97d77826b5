"""The flash of a simulated board that is switched off: what lies on it is read and changed as with a programmer."""

import json
import subprocess
from pathlib import Path

from tools.sim.charger import ROOT, interpreter
from tools.sim.serial_board import FLASH_KIB

_SCRIPT = """
import sys
sys.path.insert(0, %(root)r)
import json, os, vfs
from tools.sim.world import flash
flash.mount(%(directory)r, %(kib)d, vfs, "/flash")

def make_directories(path):
    end = path.find("/", 1)
    while end > 0:
        try:
            os.mkdir("/flash" + path[:end])
        except OSError:
            pass
        end = path.find("/", end + 1)

with open(%(plan)r) as file:
    plan = json.load(file)
result = {}
for step, path, source in plan:
    if step == "put":
        make_directories(path)
        with open(source, "rb") as a:
            with open("/flash" + path, "wb") as b:
                b.write(a.read())
    elif step == "get":
        try:
            with open("/flash" + path, "rb") as file:
                result[path] = file.read().decode()
        except OSError:
            result[path] = None
    elif step == "list":
        result[path] = sorted(entry[0] for entry in os.ilistdir("/flash" + path))
    else:
        os.remove("/flash" + path)
vfs.umount("/flash")
print(json.dumps(result))
"""


class BoardFiles:
    """`directory` is that of the SerialBoard, which must not run."""

    def __init__(self, directory: Path, kib: int = FLASH_KIB):
        self.directory = directory
        self._kib = kib
        directory.mkdir(parents=True, exist_ok=True)

    def install(self, image: Path, slot: str, root: bool = False) -> None:
        """Copies an image into a slot; with `root` also what only a first flash writes."""
        plan = [("put", f"/{slot}/{path.relative_to(image)}", str(path)) for path in sorted(image.rglob("*"))]
        if root:
            plan += [("put", f"/{path.name}", str(path)) for path in sorted((image / "root").iterdir())]
        self._do([step for step in plan if Path(step[2]).is_file()])

    def write(self, path: str, text: str) -> None:
        source = self.directory / "put"
        source.write_text(text)
        self._do([("put", path, str(source))])

    def read(self, path: str):
        """Returns the text of a file, None when it is not there."""
        return self._do([("get", path, "")])[path]

    def list(self, path: str) -> list:
        return self._do([("list", path, "")])[path]

    def remove(self, path: str) -> None:
        self._do([("remove", path, "")])

    def _do(self, plan: list) -> dict:
        file = self.directory / "plan.json"
        file.write_text(json.dumps(plan))
        script = _SCRIPT % {"root": str(ROOT), "directory": str(self.directory), "kib": self._kib, "plan": str(file)}
        done = subprocess.run([*interpreter(), "-c", script], capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:
            raise RuntimeError(done.stdout + done.stderr)
        return json.loads(done.stdout.splitlines()[-1])
