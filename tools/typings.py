"""Type stubs of the ESP32-S3 for mypy, made usable as its typeshed: `python -m tools.typings DIR`.

mypy does not use a typeshed from site-packages, where the stub packages are installed. This copies their modules to one
`stdlib` directory with a VERSIONS file. mypy reports no errors inside a typeshed; the stubs have some.
"""

import argparse
import shutil
from importlib.metadata import files
from pathlib import Path

PACKAGES = ("micropython-stdlib-stubs", "micropython-esp32-esp32-generic-s3-stubs")  # the board's modules win


def build(target):
    """Writes a typeshed to the directory `target`, which is replaced."""
    shutil.rmtree(target, ignore_errors=True)
    stdlib = target / "stdlib"
    for package in PACKAGES:
        for file in files(package):
            if file.suffix == ".pyi":
                copy = (target if file.parts[0] in ("stdlib", "stubs") else stdlib) / file
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file.locate(), copy)
    modules = sorted({path.relative_to(stdlib).parts[0].removesuffix(".pyi") for path in stdlib.rglob("*.pyi")})
    (stdlib / "VERSIONS").write_text("".join(f"{module}: 3.0-\n" for module in modules))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tools.typings", description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path, help="directory to write, which is replaced")
    build(parser.parse_args().directory)
