# What the firmware does, as events and as a snapshot. MIT license.
"""Events and snapshot of the firmware for the control socket, from its signals and state. Changes nothing."""

import gc

from micropython import const

from firmware.kernel.clock import iso8601
from firmware.kernel.log import format_line
from firmware.ocpp.v16.status import error_code
from firmware.ocpp.v16.words import REASONS, STATES, VERDICTS

_LOG_LINES = const(20)  # log lines in the snapshot
_LEVELS = {10: "debug", 20: "info", 30: "warning", 40: "error"}


class Bridge:
    """`emit(name, fields)` sends an event. `app` is None until the firmware has been built. `collector` counts garbage
    collections, None: nothing does."""

    def __init__(self, world, clock, emit, version="", collector=None):
        self._world = world
        self._clock = clock
        self._emit = emit
        self._version = version
        self._collector = collector
        if collector:
            collector.closed = lambda: any(outlet.contactor.coil for outlet in world.outlets)
        self._lines = []  # newest log lines
        self.app = None

    def attach(self, app):
        self.app = app
        station, link = app.station, app.link
        station.status_changed.connect(self._status)
        station.transaction_changed.connect(self._transaction)
        station.authoriser.checked.connect(self._token)
        station.operation.reset_requested.connect(self._reset)
        app.clock.changed.connect(self._time)
        link.connection.link_changed.connect(self._link)
        link.registered.connect(self._registered)
        link.queue_changed.connect(self._queue_changed)
        for evse in app.evses:
            evse.limit_changed.connect(self._limit)
            evse.fault_changed.connect(self._fault)

    # Events.

    def _status(self, number, status):
        fault = status.fault
        fields = {"connector": number, "status": STATES[status.state], "error": error_code(status)}
        fields["info"] = status.info or (fault.text if fault else "")
        self._emit("status", fields)

    def _transaction(self, event, transaction):
        fields = {"connector": transaction.connector_id, "event": event, "tag": transaction.token}
        fields["id"] = self.app.link.transaction_id(transaction.number)
        fields["number"] = transaction.number
        fields["reason"] = REASONS.get(transaction.reason)
        self._emit("tx", fields)

    def _token(self, token, result, source):
        self._emit("auth", {"token": token, "result": VERDICTS[result], "source": source})

    def _reset(self, hard, by):
        self._emit("reset", {"kind": "hard" if hard else "soft", "by": by})

    def _time(self, delta, source):
        self._emit("clock", {"unix": self.app.clock.now(), "source": source})

    def _link(self, state, url, error):
        self._emit("ws", {"state": state, "url": url, "error": str(error) if error else None})

    def _registered(self, status, interval):
        self._emit("boot", {"status": status, "interval": interval})

    def _limit(self, evse, milliamps, slot):
        self._emit("limit", {"connector": evse.number, "amps": milliamps / 1000, "source": slot})

    def _fault(self, evse, fault, on):
        self._emit("fault", {"connector": evse.number, "name": fault.name, "on": on})

    def _queue_changed(self, *_):
        self._emit("queue", {"len": self.app.link.queue_length})

    def logged(self, line, tell):
        """Takes a line of the log; `tell`: also emit it as an event."""
        self._lines.append(line)
        if len(self._lines) > _LOG_LINES:
            self._lines.pop(0)
        if tell:
            _, level, area, text = line
            self._emit("log", {"level": _LEVELS[level], "area": area, "text": text})

    def look_at_collections(self):
        if self._collector:
            self._collector.look()

    # Snapshot.

    def _collections(self):
        """Returns the figures of garbage collection."""
        if not self._collector:
            return None
        self._collector.look()
        return self._collector.figures()

    def _holds(self):
        """Returns the lateness of the control task: 99.9 % of its periods, and the maximum."""
        gaps = self.app.supervisor.gaps
        return {"p999_ms": gaps.p999_ms, "max_ms": gaps.max_ms}

    def snapshot(self):
        """Returns the whole state; before the firmware runs, only that of the hardware."""
        app = self.app
        return {
            "boot": str(app.link.registration) if app else "None",
            "ws": "up" if app and app.link.connected else "down",
            "queue": app.link.queue_length if app else 0,
            "time": app.clock.now() if app else self._clock.unix(),
            "heap_free": gc.mem_free(),
            "version": self._version,
            "gc": self._collections(),
            "holds": self._holds() if app else None,
            "log": [format_line(line, iso8601) for line in self._lines],
            "net": None,
            "portal": None,
            "portal_dns": None,
            "slot": app.slots.running if app else None,
            "connectors": [self._connector(outlet) for outlet in self._world.outlets],
        }

    def _connector(self, outlet):
        outlet.count_energy()
        pilot, contactor = outlet.pilot, outlet.contactor
        fields = {
            "status": None,
            "cp": pilot.state,
            "cable_a": outlet.cable_a,
            "duty": pilot.duty / 100,
            "amps": outlet.offered_a(),
            "drawn_a": [milliamps / 1000 for milliamps in outlet.currents_ma()],
            "relay": contactor.coil,
            "phases": contactor.phases,
            "lock": outlet.lock.locked if outlet.lock else None,
            "tx": None,
            "wh": outlet.register.wh,
            "faults": [],
        }
        app = self.app
        if app:
            fields["status"] = STATES[app.station.status(outlet.number).state]
            fields["faults"] = [fault.name for fault in app.evses[outlet.number - 1].faults]
            transaction = app.station.transaction(outlet.number)
            if transaction:
                fields["tx"] = {
                    "id": app.link.transaction_id(transaction.number),
                    "number": transaction.number,
                    "tag": transaction.token,
                    "start_wh": transaction.begin_wh,
                }
        return fields
