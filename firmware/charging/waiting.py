"""Waiting for a plug or a card: ConnectionTimeOut, ReadinessTimeOut, free charging."""

from firmware.charging.usage import WAITING, Grant, in_service, is_faulted, is_startable, phase


class Waiting:
    """Watches one connector; `access` is the Access. `shared`: the reader serves other connectors, too."""

    def __init__(self, connector, access, services, shared):
        self._connector = connector
        self._access = access
        self._clock = services.clock
        self._log = services.log
        self._settings = services.settings
        self._shared = shared
        self._since_ms = None  # since when ConnectionTimeOut runs

    def step(self):
        """Does what is due; to be called several times a second."""
        usage = self._connector.usage
        waits = phase(usage) == WAITING
        if waits and usage.evse.connected and not usage.reserved and self._settings.get("FreevendEnabled"):
            self._since_ms = None
            self._begin_free(usage)
        elif not waits or (usage.reserved and usage.grant is None) or is_faulted(usage.evse) or not in_service(usage):
            self._since_ms = None  # that is not Preparing
        else:
            self._watch_time_out(usage, self._clock.ms())

    def _begin_free(self, usage):
        # Closing that fails again and again makes no row of empty transactions.
        if is_startable(usage) and not usage.evse.recovering and self._access.may_begin():
            if not self._access.claims.has(self._connector):
                get = self._settings.get
                self._connector.use(Grant(get("FreevendIdTag") or get("ChargePointSerialNumber")))

    def _watch_time_out(self, usage, now):
        """ConnectionTimeOut counts from Preparing (OCPP 1.6 errata 3.77, 3.89); 0: there is none.

        Where a reader serves several connectors, a vehicle without a user is ready for ReadinessTimeOut from its plug.
        """
        if self._since_ms is None:
            self._since_ms = now
        ready = self._shared and usage.grant is None
        limit = self._settings.get("ReadinessTimeOut" if ready else "ConnectionTimeOut") * 1000
        if limit and now - (usage.plugged_ms if ready else self._since_ms) >= limit:
            self._since_ms = None
            self._log.info(self._connector.session.area, "nothing happened for %d s", limit // 1000)
            self._connector.cancel()
