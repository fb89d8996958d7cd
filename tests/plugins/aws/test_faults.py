"""What is true of a commit when answers are lost, late, refused or cut. Counted from outside, in the table itself."""

import random
import threading

from support import *


def opened(world, driver, **more):
    config = world.config(**more)
    answer = driver.open(config)
    assert answer["code"] == 0, answer
    world.proxy.facts_since()
    return Store(driver), config


def requests(world, action):
    return world.proxy.facts_since()["actions"].get(action, 0)


def test_lost_answer_of_a_put_on_a_version(world, driver):
    """The request is sent again; its condition fails on what the first wrote; the own version tells."""
    store, config = opened(world, driver)
    version = store.put("p", "s", "one")["versions"][0]
    for fault in ("drop_after", "cut", "status_after"):
        world.proxy.rules({"action": "PutItem", "fault": fault, "count": 1})
        answer = store.put("p", "s", fault, version, key="commit-" + fault)
        assert answer["code"] == 0, (fault, answer)
        record = store.get("p", "s")
        assert unb64(record["v"]) == fault.encode() and record["ver"] == answer["versions"][0], (fault, record)
        version = record["ver"]


def test_lost_answer_of_a_create(world, driver):
    """Not sent again (it could be applied twice); a look at the record tells."""
    store, config = opened(world, driver)
    world.proxy.rules({"action": "PutItem", "fault": "drop_after"})
    answer = store.put("p", "s", "one", "absent")
    assert answer["code"] == 0 and requests(world, "PutItem") == 1, answer
    assert store.get("p", "s")["ver"] == answer["versions"][0]
    blind = store.put("p", "s", "two")
    assert blind["code"] == 0 and requests(world, "PutItem") == 1, blind
    world.proxy.rules({"action": "PutItem", "fault": "drop_before"})
    lost = store.put("p", "t", "one", "absent")
    assert lost["code"] == UNAVAILABLE and lost["unknown"] and store.get("p", "t") is None, lost


def test_never_a_false_conflict(world, driver):
    """The first request was applied and then replaced by another: nobody can say CONFLICT, and the host's repeat cannot either."""
    store, config = opened(world, driver)
    version = store.put("p", "s", "one")["versions"][0]
    other = Driver(world.build)
    try:
        direct = {**config, "endpoints": {"dynamodb": world.dynamodb.endpoint}}
        assert other.open(direct)["code"] == 0
        world.proxy.rules({"action": "PutItem", "fault": "delay_after", "ms": 1500, "count": 1}, {"action": "PutItem", "fault": "drop_before", "count": 0})
        number = driver.begin(do="commit", on="a", key=b64("commit-1"), ops=[put("p", "s", "mine", version)], deadline_ms=1000)
        deadline = time.time() + 5
        while unb64(Store(other).get("p", "s")["v"]) != b"mine":
            assert time.time() < deadline
        mine = Store(other).get("p", "s")
        assert Store(other).put("p", "s", "theirs", mine["ver"])["code"] == 0
        answer = driver.end(number)
        assert answer["code"] == TIMEOUT and answer["unknown"], answer
        world.proxy.rules()
        repeat = store.put("p", "s", "mine", version, key="commit-1")
        assert repeat["code"] != CONFLICT and repeat["code"] != 0 and repeat["unknown"], repeat
        assert unb64(store.get("p", "s")["v"]) == b"theirs"
        fresh = store.put("p", "s", "new", version, key="commit-2")
        assert fresh["code"] == CONFLICT and not fresh["unknown"], fresh
    finally:
        other.close()


def test_repeat_by_the_host_finds_its_own(world, driver):
    store, config = opened(world, driver)
    version = store.put("p", "s", "one")["versions"][0]
    world.proxy.rules({"action": "PutItem", "fault": "drop_after"}, {"action": "GetItem", "fault": "drop_before"})
    lost = store.put("p", "s", "two", version, key="k", deadline_ms=1500)
    assert lost["unknown"], lost
    world.proxy.rules()
    repeat = store.put("p", "s", "two", version, key="k")
    assert repeat["code"] == 0 and repeat["versions"] == [store.get("p", "s")["ver"]], repeat


def test_lost_answer_of_a_delete(world, driver):
    """Nothing is left that could prove whose delete it was."""
    store, config = opened(world, driver)
    version = store.put("p", "s", "one")["versions"][0]
    world.proxy.rules({"action": "DeleteItem", "fault": "drop_after", "count": 1})
    answer = store.commit(delete("p", "s", version), key="d")
    assert answer["code"] == UNAVAILABLE and answer["unknown"], answer
    assert store.get("p", "s") is None
    repeat = store.commit(delete("p", "s", version), key="d")
    assert repeat["unknown"] and repeat["code"] != CONFLICT, repeat


def test_lost_answer_of_a_transaction(world, driver):
    """Sent again under its token: applied once, and a success."""
    store, config = opened(world, driver)
    for fault in ("drop_after", "cut", "status_after"):
        world.proxy.rules({"action": "TransactWriteItems", "fault": fault, "count": 2})
        answer = store.commit(put("p", fault, "v", "absent"), put("q", fault, "v"), key=fault)
        assert answer["code"] == 0 and requests(world, "TransactWriteItems") == 3, (fault, answer)
        assert store.get("p", fault)["ver"] == answer["versions"][0] and store.get("q", fault)["ver"] == answer["versions"][1]


def test_repeat_of_a_transaction_by_the_host(world, driver):
    store, config = opened(world, driver)
    world.proxy.rules({"action": "TransactWriteItems", "fault": "drop_after"}, {"action": "GetItem", "fault": "drop_before"})
    lost = store.commit(put("p", "s", "v"), put("q", "s", "v"), key="k", deadline_ms=1500)
    assert lost["unknown"], lost
    world.proxy.rules()
    version = store.get("p", "s")["ver"]
    assert store.commit(delete("p", "s", version))["code"] == 0
    repeat = store.commit(put("p", "s", "v"), put("q", "s", "v"), key="k")
    assert repeat["code"] == 0, repeat
    assert store.get("p", "s") is None, "a transaction was applied twice"


def test_throttling_is_waited_out(world, driver):
    store, config = opened(world, driver)
    types = ["ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded", "TransactionConflictException"]
    for type_name in types:
        world.proxy.rules({"action": "PutItem", "fault": "status", "status": 400, "type": type_name, "count": 2})
        assert store.put("p", type_name, "v", "absent")["code"] == 0
        assert requests(world, "PutItem") == 3
    cancelled = {"CancellationReasons": [{"Code": "TransactionConflict"}, {"Code": "None"}]}
    world.proxy.rules({"action": "TransactWriteItems", "fault": "status", "status": 400, "type": "TransactionCanceledException",
                       "more": cancelled, "count": 1},
                      {"action": "TransactWriteItems", "fault": "status", "status": 400, "type": "TransactionInProgressException", "count": 1})
    assert store.commit(put("p", "a", "v", "absent"), put("p", "b", "v", "absent"))["code"] == 0
    world.proxy.rules({"fault": "status", "status": 400, "type": "ThrottlingException", "count": 3})
    assert store.get("p", "a") and store.scan("p")["code"] == 0


def test_throttling_that_lasts(world, driver):
    store, config = opened(world, driver, attempts=3)
    for action, call in (("PutItem", lambda: store.put("p", "s", "v")), ("Query", lambda: store.scan("p"))):
        world.proxy.rules({"action": action, "fault": "status", "status": 400, "type": "ProvisionedThroughputExceededException"})
        answer = call()
        assert answer["code"] == THROTTLED and not answer["unknown"] and "capacity" in answer["message"], answer
        assert requests(world, action) == 3
    assert store.get("p", "s") is None


def test_retry_after_is_honoured(world, driver):
    store, config = opened(world, driver)
    world.proxy.rules({"action": "GetItem", "fault": "status", "status": 503, "retry_after": 2, "count": 1})
    begun = time.monotonic()
    assert store.get("p", "s") is None
    assert time.monotonic() - begun >= 2
    world.proxy.rules({"action": "GetItem", "fault": "status", "status": 429, "retry_after": 60})
    begun = time.monotonic()
    answer = store.call(do="get", keys=[[b64("p"), b64("s")]])
    assert answer["code"] == THROTTLED and answer["retry_after_ns"] == 60_000_000_000 and time.monotonic() - begun < 2, answer


def test_denied_names_the_action(world, driver):
    store, config = opened(world, driver)
    world.proxy.rules({"action": "PutItem", "fault": "status", "status": 400, "type": "AccessDeniedException"})
    answer = store.put("p", "s", "v")
    assert answer["code"] == DENIED and "dynamodb:PutItem" in answer["message"] and not answer["unknown"], answer
    assert requests(world, "PutItem") == 1


def test_lagging_index(world, driver):
    """Late, never lost: what the index holds back comes once it has caught up."""
    store, config = opened(world, driver)
    world.proxy.rules({"fault": "stale_index", "ms": 1500})
    for i in range(10):
        store.put("p", str(i), "v", due=5)
    assert store.due(0, 1, 10)["records"] == []
    time.sleep(1.6)
    assert len(store.due(0, 1, 10)["records"]) == 10


def test_goes_away_and_comes_back(world, driver):
    store, config = opened(world, driver, attempts=2)
    store.put("p", "s", "v")
    world.proxy.rules({"fault": "drop_before"})
    answer = store.call(do="get", keys=[[b64("p"), b64("s")]])
    assert answer["code"] == UNAVAILABLE and "dynamodb:GetItem" in answer["message"], answer
    world.proxy.rules()
    assert unb64(store.get("p", "s")["v"]) == b"v"


def test_counting_under_faults(world, driver):
    """Eight callers add to counters while a third of all requests fails one way or another. Each success stands once; each
    failure that says `not applied` stands not at all. Compared with the table, read from outside."""
    store, config = opened(world, driver, attempts=4)
    third = [{"fault": fault, "probability": 0.05, **more} for fault, more in (
        ("drop_before", {}), ("drop_after", {}), ("cut", {}), ("status", {"status": 500, "type": "InternalServerError"}),
        ("status_after", {"status": 500}), ("status", {"status": 400, "type": "ThrottlingException"}))]
    for i in range(4):
        store.put("p", f"c{i}", "")
    world.proxy.rules(*third, seed=7)
    sure, maybe, refused = set(), set(), set()
    lock = threading.Lock()

    def add(n):
        rng = random.Random(n)
        for i in range(25):
            token = f"{n}.{i};"
            sort = f"c{rng.randrange(4)}"
            answer = store.call(do="get", keys=[[b64("p"), b64(sort)]])
            if answer["code"] != 0:
                continue
            record = answer["records"][0]
            written = store.put("p", sort, unb64(record["v"]) + token.encode(), record["ver"], key=token)
            with lock:
                (sure if written["code"] == 0 else maybe if written["unknown"] else refused).add(token)
            assert written["code"] != CONFLICT or not written["unknown"]

    threads = [threading.Thread(target=add, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    world.proxy.rules()
    counted = [t + ";" for item in world.items(config["table"]).values() for t in item["val"]["B"].decode().split(";") if t]
    assert len(counted) == len(set(counted)), "something stands twice"
    assert sure <= set(counted), f"acknowledged and gone: {sure - set(counted)}"
    assert not refused & set(counted), f"said to be not applied, yet there: {refused & set(counted)}"
    assert set(counted) <= sure | maybe
    assert len(sure) > 30 and len(counted) > 30, (len(sure), len(maybe), len(refused))
