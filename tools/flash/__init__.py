"""Puts the firmware on a board (`make flash`): checks first, fills the free slot, waits until the station works."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from tools.archive import Image
from tools.flash import checks, install
from tools.flash.checks import FactoryError, Unfit, mistakes_in
from tools.serial_port import BoardError, PortError, SerialPort

__all__ = ("FactoryError", "Interrupted", "Unfit", "flash", "mistakes_in")


class Interrupted(RuntimeError):
    """The board has failed, or is gone, after something was written. The version before runs, if there was one."""


def flash(
    port: SerialPort | str,
    image: Image | Path,
    factory: Path | None = None,
    ask: Callable[[list[str]], bool] = lambda files: False,
    tell: Callable[[str], None] = lambda line: None,
    progress: install.Progress = lambda name, sent, total: None,
    boot: bool = False,
) -> install.Outcome:
    """Installs an image on the board at `port` and starts it; returns where it lies and what was copied.

    image      an Image, or the path of an archive or of the folder that it is made of
    factory    provisioning file of this one station; None: the one on the board stays
    ask        called with the files of an earlier project; False: they stay, and nothing is done
    tell       called with lines for a person; progress: with the file that is sent next
    boot       replaces boot.py, main.py and rescue.py, which only a first flash writes

    Raises FactoryError, Unfit, BoardError and PortError before anything is written, Interrupted afterwards.
    """
    mistakes = mistakes_in(factory) if factory else []
    if mistakes:
        raise FactoryError(mistakes)
    if isinstance(image, Path):
        image = Image.load(image)
    if isinstance(port, str):
        with SerialPort(port) as opened:
            return flash(opened, image, factory, ask, tell, progress, boot)
    try:
        port.interrupt()
        board = _checked(port, image, factory, ask, tell)
        try:
            outcome = _install(port, board, image, tell, progress)
            _write_root(port, board, image, tell, boot)
            if factory:
                install.write_factory(port, factory.read_text(encoding="utf-8"), checks.safe_pins(factory))
            if outcome.slot != board.active:
                install.try_slot(port, board, outcome.slot)
        except (BoardError, PortError) as error:
            raise Interrupted(str(error)) from None
        return outcome
    finally:
        port.reset()


def _checked(port, image, factory, ask, tell):
    """Returns the Board once it can take the image."""
    install.prepare(port)
    board = checks.look(port)
    tell(f"{board.machine}, MicroPython {'.'.join(map(str, board.version))}")
    reasons = checks.problems(board, image, factory)
    if reasons:
        raise Unfit(reasons)
    if board.code:
        if not ask(board.code):
            raise Unfit(["files of an earlier project would run instead of the station"])
        port.run(f"remove({board.code!r})")
        return checks.look(port)
    return board


def _install(port, board, image, tell, progress):
    version = image.head.version
    if install.is_there(port, board, image):
        install.keep_active(port, board)
        tell(f"slot {board.active} holds version {version} already: nothing is copied")
        return install.Outcome(board.active, [], 0)
    checks.check_room(board, image)
    tell(f"version {version} goes into slot {board.free_slot}")
    outcome = install.install(port, board, image, progress)
    copied, taken = len(outcome.copied), outcome.taken
    left = len(image.files) - copied - taken
    tell(f"{copied} files copied, {taken} taken from slot {board.active or '-'}, {left} were there; all verified")
    return outcome


def _write_root(port, board, image, tell, boot):
    """Writes what starts the slots where it is not complete; an update never does."""
    root = {name.removeprefix("root/"): data for name, data in image.files.items() if name.startswith("root/")}
    other = [name for name, data in root.items() if board.root.get(name) != hashlib.sha256(data).hexdigest()]
    lacking = [name for name in root if board.root.get(name) is None]
    if other and (boot or lacking or not board.active):
        install.write_root(port, root)
    elif other:
        tell(f"{', '.join(other)} on the board are of another version and stay (BOOT=1 replaces them)")
