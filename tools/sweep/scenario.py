"""Scenarios of the sweep: the sessions during which faults are injected, from power-on to the final checks."""

import asyncio

from tools.sweep import books
from tools.sweep.people import Driver, Operator, profile

_LONGEST_S = 900
_DRAIN_S = 30

NAMES = ("socket", "fixed", "no-meter", "restart")


async def live(site, name):
    """Runs a scenario to its end; violations are in `site.broken`."""
    drivers = [Driver(site, 1), Driver(site, 2)]
    for driver in drivers:
        asyncio.create_task(driver.vehicle.run())
    operator = Operator(site)
    if name == "restart":
        await _power_lost(site, drivers[0])
    site.watch()
    running = await _power_on(site)
    if name == "restart":
        people = [_after_power_loss(drivers[0]), _next(drivers[1])]
    else:
        people = [_first(drivers[0]), _second(drivers[1]), operator.run()]
    try:
        await asyncio.wait_for(_all(site, people, running), _LONGEST_S)
    except asyncio.TimeoutError:
        site.fail("the sessions came to no end")
    if not site.broken:
        await _drained(site)
        await _stop(site, running)
        books.check(site, operator)


async def _all(site, people, running):
    tasks = [asyncio.create_task(person) for person in people]
    while not all(task.done() for task in tasks):
        if running.done():
            site.fail("the station ended: %r" % site.ended)
            return
        await asyncio.sleep(0.5)
    for task in tasks:
        task.result()


async def _power_on(site):
    """Starts the station; starts it again if that fails, as the watchdog would."""
    try:
        site.boot()
    except Exception as exc:
        if site.injected_ms is None:
            raise
        site.ended_at_start = exc
        site.restart_outputs()
        site.flash = site.flash.power_cut()
        site.flash.mount()
        site.boot()
    return asyncio.create_task(site.run())


async def _power_lost(site, driver):
    """A session, a reservation and a profile, all known to the central system; then the power is lost.

    This happens in the middle of the session, after a while without a link, and the time is lost, too.
    """
    site.boot()
    others = asyncio.all_tasks()
    asyncio.create_task(site.run())
    await asyncio.sleep(3)
    asked = (
        ("ReserveNow", {"connectorId": 2, "idTag": "NEXT2", "expiryDate": "2030-01-01T00:00:00Z", "reservationId": 2}),
        ("SetChargingProfile", {"connectorId": 0, "csChargingProfiles": profile(10)}),
    )
    for action, payload in asked:
        if not await site.central.insist(action, **payload):
            site.fail("%s refused" % action)
    await driver.arrive("CARD1", False, "before the power cut")
    await asyncio.sleep(4)
    site.central.set_reachable(False)
    await asyncio.sleep(9)
    following = site.flash.power_cut()
    for task in asyncio.all_tasks() - others:
        task.cancel()
    await asyncio.sleep(3)
    site.restart_outputs()
    site.flash = following
    site.flash.mount()
    site.clock_known = False
    site.app = site.ended = None


async def _after_power_loss(driver):
    await asyncio.sleep(2)
    await driver.leave("CARD1")
    driver.site.central.set_reachable(True)
    await _next(driver)


async def _first(driver):
    await driver.serve("CARD1", 8, "card")
    await driver.serve("CARD2", 6, "remote", remote=True)
    await driver.serve("CARD3", 5, "unplug", reserved=True)
    await _next(driver)


async def _second(driver):
    await asyncio.sleep(1.5)
    await driver.serve("CARD5", 22, "button")
    await driver.serve("CARD6", 6, "unlock")
    await _next(driver)


async def _next(driver):
    await driver.serve("NEXT%d" % driver.number, 4, "card", last=True)


async def _drained(site):
    for _ in range(_DRAIN_S):
        if not site.app.link.queue_length:
            return
        await asyncio.sleep(1)
    site.fail("%d records are not delivered" % site.app.link.queue_length)


async def _stop(site, running):
    site.app.reset_requested(False, "sweep")
    try:
        await asyncio.wait_for(asyncio.shield(running), 30)
    except asyncio.TimeoutError:
        site.fail("the station does not end")
        return
    if site.ended != "soft" and site.injected_ms is None:
        site.fail("the station ended: %r" % site.ended)
    site.make_safe()
    for outlet in site.outlets:
        if outlet.contactor.coil:
            site.fail("connector %d: contactor closed at the end" % outlet.number)
