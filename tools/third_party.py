"""Device code of others: taken from its installed package when the image is built, with its licence."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution
from pathlib import Path

_RULE = "\n" + "=" * 80 + "\n\n"


@dataclass(frozen=True)
class Package:
    """A package of PyPI, pinned in requirements.txt, and those of its files that the station needs."""

    name: str
    files: tuple[str, ...]  # as they are installed, such as microdot/websocket.py


PACKAGES: tuple[Package, ...] = ()


def files() -> Iterator[tuple[Path, Path]]:
    """Yields (installed file, its path below lib/). Raises FileNotFoundError, PackageNotFoundError."""
    for package in PACKAGES:
        installed = distribution(package.name)
        known = {file.as_posix() for file in installed.files or ()}
        for name in package.files:
            if name not in known:
                raise FileNotFoundError(f"{package.name} {installed.version} has no file {name}")
            yield Path(str(installed.locate_file(name))), Path(name)


def licences(own: Path) -> str:
    """Returns the licences of all that is in the image: ours, in the file `own`, and those of the packages."""
    texts = [f"micropython-wallbox\n\n{own.read_text()}"]
    for package in PACKAGES:
        installed = distribution(package.name)
        text = "\n".join(_licence_files(installed))
        if not text:
            raise FileNotFoundError(f"{package.name} {installed.version} has no licence file")
        texts.append(f"{package.name} {installed.version}\n\n{text}")
    return _RULE.join(texts)


def _licence_files(installed: Distribution) -> Iterator[str]:
    for file in installed.files or ():
        in_metadata = file.parts[0].endswith((".dist-info", ".egg-info"))
        if in_metadata and file.name.upper().startswith(("LICENSE", "LICENCE", "COPYING", "NOTICE")):
            yield Path(str(installed.locate_file(file))).read_text()
