"""Simulated charger: the firmware on the MicroPython unix port above simulated hardware.

On the host this package starts and drives such chargers, in tests and from the command line (`python -m tools.sim`):

    with Charger(url="ws://127.0.0.1:9000", rate=10) as charger:
        charger.plug()
        charger.swipe("04A1B2C3")
        charger.expect("relay", on=True)

What runs inside MicroPython is `run.py` and all that it imports: `charger_process`, `config`, `control/` (the control
socket), `world/` (circuits and devices) and `device/` (the modules of the board).
"""


def __getattr__(name):
    # MicroPython imports this package too and does not have the modules that the host side needs.
    if name in ("Charger", "ControlClient", "CommandFailed", "free_port"):
        from tools.sim import charger, client

        return getattr(client if hasattr(client, name) else charger, name)
    raise AttributeError(name)
