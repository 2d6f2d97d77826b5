"""Charger of the demonstration: restarted when it ends, shown in the view."""

import threading

from tools.sim import Charger, CommandFailed
from tools.terminal import reason

_LOOK_S = 0.1
_AGAIN_S = 1  # wait before a restart

_SAYS = {
    "relay": lambda e: f"contactor {'closed, phases: ' + str(e['phases']) if e['on'] else 'open'}",
    "lock": lambda e: f"plug {'locked' if e['on'] else 'unlocked'}",
    "auth": lambda e: f"card {e['token']}: {e['result']}",
    "fault": lambda e: f"fault {e['name']} {'' if e['on'] else 'is over'}",
    "ws": lambda e: f"link {e['state']}",
    "reset": lambda e: f"{e['kind']} reset by {e['by']}",
}


class Station:
    """A Charger that is restarted after a power loss or a reset.

    `rate`: how many times faster than real time it runs. Raises RuntimeError when it does not start.
    """

    def __init__(self, url, view, rate, keys):
        self._view = view
        self._rate = rate
        self.charger = Charger(url, "demo", rate, keys=keys, on_event=self._show_event)
        self._leaving = threading.Event()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._keep_running, self._watch)]

    def __enter__(self):
        self.charger.start()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc_info):
        self._leaving.set()
        if self.charger.running:
            self.charger.stop()
        for thread in self._threads:
            thread.join()
        self.charger.close()

    def _show_event(self, event):
        says = _SAYS.get(event["ev"])
        if says:
            self._view.line(f"  · {says(event)}")

    def _keep_running(self):
        while not self._leaving.is_set():
            code = self.charger.wait_exit(timeout=None)
            while not (self._leaving.is_set() or self.charger.running):
                self._view.line(f"  · the station has ended ({code}) and starts again")
                self._leaving.wait(_AGAIN_S)
                try:
                    self.charger.start()
                except (OSError, RuntimeError) as exc:
                    self._view.line(reason(exc))

    def _watch(self):
        while not self._leaving.wait(_LOOK_S):
            try:
                state = self.charger.state()
            except (ConnectionError, TimeoutError, CommandFailed):
                self._view.panel("Station without power")
                continue
            heading = f"Station {self.charger.config['ocpp']['id']}, time x {self._rate}: link {state['ws']}, "
            connectors = state["connectors"]
            self._view.panel(f"{heading}registration {state['boot']}", connectors[0] if connectors else None)
