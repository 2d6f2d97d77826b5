"""Console of the central system: commands as typed lines."""

import json
import shlex

from tools.csms.records import CallFailed

HELP = """\
start [IDTAG] [CONNECTOR]      RemoteStartTransaction
stop [TRANSACTION]             RemoteStopTransaction, by default of the one that runs
get [KEY...]                   GetConfiguration
set KEY VALUE                  ChangeConfiguration
reset [Soft|Hard]              Reset
unlock [CONNECTOR]             UnlockConnector
trigger MESSAGE [CONNECTOR]    TriggerMessage
on|off [CONNECTOR]             ChangeAvailability, 0 is the whole station
call ACTION {JSON}             any CALL
quit"""


class Console:
    """Runs commands, one line each, on a CentralSystem; messages are shown by an observer of its frames."""

    def __init__(self, system):
        self._system = system

    def run(self, line):
        """Runs one line; returns the text to show, or None for the end."""
        try:
            name, *args = shlex.split(line, posix=not line.lstrip().startswith("call ")) or [""]
            if name in ("quit", "exit"):
                return None
            command = _COMMANDS.get(name)
            if command is None:
                return HELP if name in ("help", "?") else f"unknown command {name}, try help" if name else ""
            action, payload = command(self, *args)
            self._system.call(action, **payload)
            return ""
        except TypeError:
            return f"wrong arguments for {name}:\n{HELP}"
        except (ValueError, CallFailed, ConnectionError) as exc:
            return str(exc)
        except TimeoutError:
            return "no answer"

    def _start(self, tag="04A1B2C3", connector=None):
        return "RemoteStartTransaction", {"idTag": tag, **({"connectorId": int(connector)} if connector else {})}

    def _stop(self, transaction=None):
        running = self._system.ledger.running()
        if transaction is None and not running:
            raise ValueError("no transaction is running")
        return "RemoteStopTransaction", {"transactionId": int(transaction or running[-1].id)}

    def _get(self, *keys):
        return "GetConfiguration", {"key": list(keys)} if keys else {}

    def _set(self, key, value):
        return "ChangeConfiguration", {"key": key, "value": value}

    def _reset(self, kind="Soft"):
        return "Reset", {"type": kind.capitalize()}

    def _unlock(self, connector="1"):
        return "UnlockConnector", {"connectorId": int(connector)}

    def _trigger(self, message, connector=None):
        return "TriggerMessage", {"requestedMessage": message, **({"connectorId": int(connector)} if connector else {})}

    def _on(self, connector="0"):
        return "ChangeAvailability", {"connectorId": int(connector), "type": "Operative"}

    def _off(self, connector="0"):
        return "ChangeAvailability", {"connectorId": int(connector), "type": "Inoperative"}

    def _call(self, action, *text):
        return action, json.loads(" ".join(text) or "{}")


_COMMANDS = {
    "call": Console._call,
    "get": Console._get,
    "off": Console._off,
    "on": Console._on,
    "reset": Console._reset,
    "set": Console._set,
    "start": Console._start,
    "stop": Console._stop,
    "trigger": Console._trigger,
    "unlock": Console._unlock,
}
