"""Records over DynamoDB Local, without faults."""

import os
import threading

from support import *


def opened(world, driver, **more):
    config = world.config(**more)
    answer = driver.open(config)
    assert answer["code"] == 0, answer
    return Store(driver), config


def test_caps(world, driver):
    store, _ = opened(world, driver)
    caps = store.call(do="caps")
    assert caps["commit_ops_max"] == 100 and caps["value_bytes_max"] == 350 * 1024 and caps["blob_bytes_max"] == 0, caps
    assert caps["features"] == 4 | 8 | 16, caps  # durable, expiry, shared


def test_put_get_and_conditions(world, driver):
    store, config = opened(world, driver)
    first = store.put("p", "s", b"one\x00\xff", due=12345678901234567890, exp=9_000_000_000_000_000_001)
    assert first["code"] == 0, first
    record = store.get("p", "s")
    assert (unb64(record["v"]), record["ver"], record["due"], record["exp"]) == (
        b"one\x00\xff", first["versions"][0], 12345678901234567890, 9_000_000_000_000_000_001), record
    item = world.items(config["table"])[b"p", b"s"]
    assert item["ttl"]["N"] == "9000000001" and item["due"]["N"] == "12345678901234567890", item

    conflict = store.put("p", "s", "two", "absent")
    assert conflict["code"] == CONFLICT and not conflict["unknown"] and conflict["found"] == record, conflict
    second = store.put("p", "s", "two", first["versions"][0])
    assert second["code"] == 0 and second["versions"] != first["versions"], second
    stale = store.put("p", "s", "three", first["versions"][0])
    assert stale["code"] == CONFLICT and unb64(stale["found"]["v"]) == b"two", stale
    gone = store.put("p", "other", "x", first["versions"][0])
    assert gone["code"] == CONFLICT and "found" not in gone, gone
    assert store.get("p", "s")["due"] == 0


def test_delete_and_check(world, driver):
    store, config = opened(world, driver)
    version = store.put("p", "s", "one")["versions"][0]
    assert store.commit(check("p", "s", version))["versions"] == [version]
    assert store.commit(check("p", "s", "absent"))["found"]["ver"] == version
    assert store.commit(check("p", "none", "absent"))["versions"] == [ABSENT]
    assert store.commit(delete("p", "s", ABSENT))["code"] == CONFLICT
    deleted = store.commit(delete("p", "s", version))
    assert deleted["code"] == 0 and deleted["versions"] == [ABSENT], deleted
    assert store.commit(delete("p", "s"))["code"] == 0
    again = store.put("p", "s", "one", "absent")
    assert again["versions"] != [version]
    assert store.commit(delete("p", "s", version))["code"] == CONFLICT
    assert len(world.items(config["table"])) == 1


def test_empty_value_and_odd_keys(world, driver):
    store, _ = opened(world, driver)
    keys = [(bytes(range(256)), bytes(range(255, -1, -1))), (b"ab", b"c"), (b"a", b"bc"), (b"x" * 1024, b"y" * 1024)]
    for p, s in keys:
        assert store.put(p, s, b"", "absent")["code"] == 0
    answer = store.call(do="get", keys=[[b64(p), b64(s)] for p, s in reversed(keys)])
    assert [(unb64(r["p"]), unb64(r["s"])) for r in answer["records"]] == list(reversed(keys)), answer
    assert all(r["v"] == "" for r in answer["records"])


def test_limits(world, driver):
    store, config = opened(world, driver)
    for wrong in (store.put("p" * 1025, "s", "v"), store.put("p", "s" * 1025, "v"), store.put("p", "s", b"v" * (350 * 1024 + 1)),
                  store.commit(*[put("p", str(i), "v") for i in range(101)]),
                  store.commit(*[put("p", str(i), b"v" * 340_000) for i in range(11)])):
        assert wrong["code"] == TOO_LARGE and not wrong["unknown"], wrong
    assert store.put("p" * 1024, "s" * 1024, b"v" * (350 * 1024))["code"] == 0
    rest = (3_500_000 - 100 * 5) // 100
    assert store.commit(*[put("p", f"{i:04}", b"v" * rest) for i in range(100)])["code"] == 0
    assert len(world.items(config["table"])) == 101


def test_transaction(world, driver):
    store, config = opened(world, driver)
    first = store.commit(put("a", "1", "x", "absent"), put("b", "2", "y", "absent"), check("c", "3", "absent"))
    assert first["code"] == 0 and first["versions"][2] == ABSENT and first["versions"][0] == store.get("a", "1")["ver"], first
    failed = store.commit(put("a", "1", "X", first["versions"][0]), put("b", "2", "Y", "absent"), put("d", "4", "Z"))
    assert failed["code"] == CONFLICT and failed["failed_op"] == 1 and unb64(failed["found"]["v"]) == b"y", failed
    assert unb64(store.get("a", "1")["v"]) == b"x" and store.get("d", "4") is None
    second = store.commit(put("a", "1", "X", first["versions"][0]), delete("b", "2", first["versions"][1]), check("a", "z", "absent"), delete("q", "q"))
    assert second["code"] == 0 and second["versions"][1:] == [ABSENT] * 3, second
    assert set(world.items(config["table"])) == {(b"a", b"1")}
    checked = store.commit(check("a", "1", second["versions"][0]), check("b", "2", "absent"))
    assert checked["code"] == 0 and checked["versions"] == [second["versions"][0], ABSENT], checked


def test_get_of_many(world, driver):
    store, _ = opened(world, driver)
    for begin in range(0, 100, 50):
        assert store.commit(*[put("p", f"{i:03}", b"v" * 60_000) for i in range(begin, begin + 50)])["code"] == 0
    world.proxy.rules({"action": "BatchGetItem", "fault": "unprocessed", "count": 2})
    wanted = [[b64("p"), b64(f"{i:03}")] for i in range(99, -1, -1)]
    wanted[50] = [b64("p"), b64("none")]
    answer = store.call(do="get", keys=wanted)
    world.proxy.rules()
    assert [unb64(r["s"]).decode() for r in answer["records"]] == [f"{i:03}" for i in range(99, -1, -1) if i != 49], answer


def test_scan(world, driver):
    store, _ = opened(world, driver)
    sorts = sorted([b"t/" + bytes([i]) for i in range(256)] + [b"s", b"t", b"u/1"])
    for begin in range(0, len(sorts), 100):
        store.commit(*[put("p", s, s) for s in sorts[begin:begin + 100]])
    store.put("q", "t/other", "x")
    for prefix, limit in ((b"t/", 7), (b"", 100), (b"t/\xff", 5), (b"none", 5)):
        seen, cursor, pages = [], "", 0
        while True:
            page = store.scan("p", prefix, limit, cursor)
            assert page["code"] == 0 and len(page["records"]) <= limit, page
            seen += [unb64(r["s"]) for r in page["records"]]
            pages += 1
            if not page["more"]:
                break
            cursor = page["next"]
            assert len(unb64(cursor)) <= 4096
        assert seen == [s for s in sorts if s.startswith(prefix)], (prefix, seen)
    assert store.scan("p", "", 5, b64("nonsense"))["code"] == INVALID
    big = [f"{i:02}" for i in range(8)]
    for s in big:
        store.put("big", s, b"v" * 340_000)
    page = store.scan("big")  # a page of DynamoDB ends at 1 MB
    assert page["more"] and 0 < len(page["records"]) < 8, len(page["records"])
    rest = store.scan("big", cursor=page["next"])
    assert [unb64(r["s"]).decode() for r in page["records"] + rest["records"]][:6] == big[:6]


def walk(store, shard, shards, until, limit):
    seen, cursor = [], ""
    while True:
        page = store.due(shard, shards, until, limit, cursor)
        assert page["code"] == 0, page
        times = [r["due"] for r in page["records"]]
        assert times == sorted(times) and len(times) <= limit and all(r["v"] == "" and r["ver"] == ABSENT for r in page["records"])
        seen += [(unb64(r["p"]), unb64(r["s"]), r["due"]) for r in page["records"]]
        if not page["more"]:
            return seen
        cursor = page["next"]


def test_due(world, driver):
    store, _ = opened(world, driver)
    records = {(f"p{i % 7}".encode(), f"s{i}".encode()): 1000 + i // 3 for i in range(300)}
    items = [put(p, s, "v", due=due) for (p, s), due in records.items()]
    for begin in range(0, 300, 100):
        assert store.commit(*items[begin:begin + 100])["code"] == 0
    store.put("p", "never", "v")
    wanted = {(p, s, due) for (p, s), due in records.items() if due <= 1080}
    for shards in (1, 3, 64, 100, 1024):
        parts = [set(walk(store, shard, shards, 1080, 1000)) for shard in range(shards)] if shards < 1024 else [
            set(walk(store, shard, shards, 1080, 1000)) for shard in range(0, 1024, 64)]
        if shards == 1024:  # all shards of index part 0
            assert set().union(*parts) == set(walk(store, 0, 64, 1080, 1000))
        else:
            assert set().union(*parts) == wanted, shards
        assert sum(map(len, parts)) == len(set().union(*parts)), "a key is in two shards"
    first = store.due(0, 1, 1080, 10)
    assert [r["due"] for r in first["records"]] == [1000] * 3 + [1001] * 3 + [1002] * 3 + [1003] and first["more"]
    for limit in (1, 10):
        assert set(walk(store, 5, 8, 1080, limit)) == set(walk(store, 5, 8, 1080, 1000)) != set()
    assert store.due(1, 64, 1080, 10, first["next"])["code"] == INVALID
    p, s = next(iter(records))
    store.put(p, s, "v")
    assert (p, s) not in {(a, b) for a, b, _ in walk(store, 0, 1, 1080, 1000)}


def test_races(world, driver):
    """One winner a round, counted from outside; two processes."""
    store, config = opened(world, driver)
    other = Driver(world.build)
    try:
        assert other.open(config)["code"] == 0
        stores = [store, Store(other)]
        store.put("p", "counter", "0")
        won = [0] * 8

        def add(n):
            mine = stores[n % 2]
            while won[n] < 10:
                record = mine.get("p", "counter")
                answer = mine.put("p", "counter", str(int(unb64(record["v"])) + 1), record["ver"])
                assert answer["code"] in (0, CONFLICT), answer
                won[n] += answer["code"] == 0

        threads = [threading.Thread(target=add, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert world.items(config["table"])[b"p", b"counter"]["val"]["B"] == b"80"
    finally:
        other.close()


def test_cancel_deadline_close(world, driver):
    store, config = opened(world, driver)
    world.proxy.rules({"action": "PutItem", "fault": "delay", "ms": 1500})
    number = driver.begin(do="commit", on="a", op_id=77, ops=[put("p", "s", "v")])
    time.sleep(0.3)
    assert driver.call(do="cancel", on="a", op_id=77)["code"] == 0
    answer = driver.end(number)
    assert answer["code"] == CANCELLED and answer["unknown"], answer
    begun = time.monotonic()
    late = store.put("p", "t", "v", "absent", deadline_ms=400)
    assert late["code"] == TIMEOUT and late["unknown"] and time.monotonic() - begun < 1.2, late
    number = driver.begin(do="commit", on="a", ops=[put("p", "u", "v")])
    time.sleep(0.3)
    closing = driver.begin(do="close", on="a")
    assert driver.end(number)["code"] == CLOSED
    assert driver.end(closing)["code"] == 0
    world.proxy.rules()
