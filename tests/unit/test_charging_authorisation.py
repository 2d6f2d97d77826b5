"""Who may charge: list, cache, back-end, and what is allowed without one (OCPP 1.6 §3.5)."""

from charging_bench import Bench

from firmware.store.tokens import TokenInfo, same_token, valid_token


async def verdict(bench, token="CARD"):
    """Returns (status, source) of one check."""
    del bench.checks[:]
    await bench.station.authoriser.check(token)
    ((checked, status, source),) = bench.checks
    assert checked == token
    return status, source


def test_tokens():
    assert same_token("04aB", "04Ab") and not same_token(None, None) and not same_token("A", None)
    assert valid_token("x") and valid_token("x" * 36)
    for bad in ("", "x" * 37, "\u00e4", None, 5, b"x"):
        assert not valid_token(bad)


async def test_online_the_back_end_decides():
    """§4.1: without LocalPreAuthorize every token is asked about."""
    bench = Bench()
    bench.tags.put("CARD", TokenInfo("accepted"))
    assert await verdict(bench) == ("accepted", "csms")
    bench.backend.tokens["CARD"] = TokenInfo("blocked")
    assert await verdict(bench) == ("blocked", "csms")


async def test_local_pre_authorize_takes_list_and_cache():
    bench = Bench(LocalPreAuthorize=True)
    bench.cache.put("CARD", TokenInfo("accepted"))
    assert await verdict(bench) == ("accepted", "cache")
    bench.tags.put("CARD", TokenInfo("concurrent"))
    assert await verdict(bench) == ("accepted", "list")  # §3.5.2: ConcurrentTx stands for valid
    assert bench.backend.asked == []


async def test_known_as_invalid_is_asked_again():
    """§3.5.1, matrix C20.2."""
    bench = Bench(LocalPreAuthorize=True)
    bench.cache.put("CARD", TokenInfo("blocked"))
    assert await verdict(bench) == ("accepted", "csms")
    assert bench.cache.get("CARD").status == "accepted"


async def test_expired_entries_are_not_valid():
    bench = Bench(LocalPreAuthorize=True, AllowOfflineTxForUnknownId=True)
    bench.cache.put("CARD", TokenInfo("accepted", bench.clock.now() + 10))
    assert await verdict(bench) == ("accepted", "cache")
    bench.clock.unix += 10
    bench.backend.online = False
    assert await verdict(bench) == ("expired", "cache")  # §3.5.4: also where unknown ones are allowed


async def test_offline_list_and_cache():
    bench = Bench()
    bench.backend.online = False
    assert await verdict(bench) == ("invalid", "offline")
    bench.cache.put("CARD", TokenInfo("accepted"))
    assert await verdict(bench) == ("accepted", "cache")
    bench.tags.put("CARD", TokenInfo("blocked"))
    assert await verdict(bench) == ("blocked", "list")  # §3.5.3: the list has priority
    bench.settings.set("LocalAuthListEnabled", False, "system")
    assert await verdict(bench) == ("accepted", "cache")
    bench.settings.set("AuthorizationCacheEnabled", False, "system")
    assert await verdict(bench) == ("invalid", "offline")


async def test_local_authorize_offline_switched_off():
    bench = Bench(LocalAuthorizeOffline=False)
    bench.backend.online = False
    bench.tags.put("CARD", TokenInfo("accepted"))
    assert await verdict(bench) == ("invalid", "offline")


async def test_unknown_tokens_offline():
    """§3.5.4: unknown ones may be allowed, listed ones that are not valid never."""
    # trap 29
    bench = Bench(AllowOfflineTxForUnknownId=True, LocalAuthorizeOffline=False)
    bench.backend.online = False
    assert await verdict(bench, "STRANGER") == ("accepted", "offline")
    for status in ("blocked", "expired", "invalid"):
        bench.tags.put("STRANGER", TokenInfo(status))
        assert await verdict(bench, "stranger") == (status, "list")


async def test_back_end_that_does_not_answer_counts_as_offline():
    bench = Bench()
    bench.backend.reachable = False
    bench.cache.put("CARD", TokenInfo("accepted"))
    assert await verdict(bench) == ("accepted", "cache")
    assert bench.backend.asked == ["CARD"]


async def test_verdicts_fill_the_cache_but_not_for_listed_tokens():
    """§3.5.1, §3.5.3."""
    # trap 28
    bench = Bench()
    await verdict(bench, "STRANGER")
    assert bench.cache.get("stranger").status == "invalid"
    bench.tags.put("CARD", TokenInfo("accepted"))
    await verdict(bench)
    assert bench.cache.get("CARD") is None
    bench.settings.set("AuthorizationCacheEnabled", False, "system")
    await verdict(bench, "OTHER")
    assert bench.cache.get("OTHER") is None


async def test_conflict_with_the_list_is_told():
    """§3.5.2: LocalListConflict."""
    # trap 28
    bench = Bench()
    conflicts = []
    bench.station.authoriser.conflict.connect(conflicts.append)
    bench.tags.put("CARD", TokenInfo("concurrent"))
    await verdict(bench)
    assert conflicts == []
    bench.backend.tokens["CARD"] = TokenInfo("invalid")
    await verdict(bench)
    assert conflicts == ["CARD"]
    bench.tags.put("CARD", TokenInfo("accepted", bench.clock.now() - 1))  # expired, so both say no
    await verdict(bench)
    assert conflicts == ["CARD"]


async def test_clear_cache():
    """§5.4; erratum 3.23: Rejected when there is none."""
    bench = Bench()
    bench.cache.put("CARD", TokenInfo("accepted"))
    assert bench.station.authoriser.clear_cache() and bench.cache.get("CARD") is None
    bench.settings.set("AuthorizationCacheEnabled", False, "system")
    assert not bench.station.authoriser.clear_cache()


async def test_concurrent_tx_from_the_back_end_starts_nothing():
    """§7.2."""
    bench = Bench()
    await bench.run()
    bench.plug()
    bench.backend.tokens["CARD"] = TokenInfo("concurrent")
    assert await bench.station.swipe("CARD") == "refused"


async def test_list_that_cannot_be_read_is_no_list():
    bench = Bench()

    def fail(token):
        raise OSError(5)

    bench.tags.get = fail
    assert await verdict(bench) == ("accepted", "csms")
    bench.backend.online = False
    assert await verdict(bench) == ("accepted", "cache")
