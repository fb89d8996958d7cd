"""Values too large for an item, in S3."""

import os
import threading

from support import *

BIG = 350 * 1024 + 1


def opened(world, driver, **more):
    s3 = world.boto("s3")
    if "teal-test" not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]:
        s3.create_bucket(Bucket="teal-test")
    config = world.config(bucket=True, bucket_prefix=f"run{os.urandom(4).hex()}/", **more)
    answer = driver.open(config)
    assert answer["code"] == 0, answer
    return Store(driver), config


def objects(world, config):
    answer = world.boto("s3").list_objects_v2(Bucket="teal-test", Prefix=config["bucket_prefix"])
    return {item["Key"]: item["Size"] for item in answer.get("Contents", [])}


def test_one_large_value(world, driver):
    store, config = opened(world, driver)
    caps = store.call(do="caps")
    assert caps["value_bytes_max"] == 8 << 20 and caps["features"] & 2, caps
    value = os.urandom(BIG)
    first = store.put("p", "s", value, "absent")
    assert first["code"] == 0, first
    record = store.get("p", "s")
    assert unb64(record["v"]) == value and record["ver"] == first["versions"][0]
    assert list(objects(world, config).values()) == [BIG] and "val" not in world.items(config["table"])[b"p", b"s"]
    conflict = store.put("p", "s", value, "absent")
    assert conflict["code"] == CONFLICT and unb64(conflict["found"]["v"]) == value, conflict["message"]
    assert len(objects(world, config)) == 1, "the loser's object is left over"
    second = store.put("p", "s", os.urandom(8 << 20), first["versions"][0])
    assert second["code"] == 0 and list(objects(world, config).values()) == [8 << 20]
    third = store.put("p", "s", "small")
    assert third["code"] == 0 and objects(world, config) == {}
    assert store.put("p", "s", value)["code"] == 0 and len(objects(world, config)) == 1
    assert store.commit(delete("p", "s"))["code"] == 0 and objects(world, config) == {}
    assert store.put("p", "s", os.urandom((8 << 20) + 1))["code"] == TOO_LARGE


def test_large_values_in_a_transaction(world, driver):
    store, config = opened(world, driver)
    values = [os.urandom(size) for size in (BIG, 10, 2_000_000)]
    first = store.commit(*[put("p", str(i), value) for i, value in enumerate(values)])
    assert first["code"] == 0, first
    assert [unb64(r["v"]) == v for r, v in zip(store.scan("p")["records"], values)] == [True] * 3
    assert [r["ver"] for r in store.scan("p")["records"]] == first["versions"]
    answer = store.call(do="get", keys=[[b64("p"), b64(str(i))] for i in range(3)])
    assert [unb64(r["v"]) for r in answer["records"]] == values
    many = store.commit(*[put("q", f"{i:03}", os.urandom(100_000)) for i in range(100)])  # 10 MB: over a transaction's 4
    assert many["code"] == 0, many
    assert len(store.scan("q")["records"]) + len(objects(world, config)) > 0
    second = store.commit(put("p", "0", "x"), delete("p", "2", first["versions"][2]))
    assert second["code"] == 0
    left = [size for size in objects(world, config).values() if size != 100_000]
    assert left == [], left


def test_lost_answers_with_large_values(world, driver):
    store, config = opened(world, driver)
    version = store.put("p", "s", os.urandom(BIG))["versions"][0]
    value = os.urandom(BIG)
    world.proxy.rules({"action": "PutItem", "fault": "drop_after", "count": 1})
    answer = store.put("p", "s", value, version)
    assert answer["code"] == 0 and unb64(store.get("p", "s")["v"]) == value
    assert len(objects(world, config)) == 1
    world.s3_proxy.rules({"action": "PUT", "fault": "status", "status": 503, "count": 2}, {"action": "GET", "fault": "cut", "count": 2})
    assert store.put("p", "s", value, answer["versions"][0])["code"] == 0 and unb64(store.get("p", "s")["v"]) == value
    world.s3_proxy.rules({"action": "PUT", "fault": "drop_before"})
    lost = store.put("p", "s", value)
    assert lost["code"] == UNAVAILABLE and not lost["unknown"] and "s3:PutObject" in lost["message"], lost


def test_readers_while_a_large_value_changes(world, driver):
    store, config = opened(world, driver)
    store.put("p", "s", bytes([0]) * BIG)
    stop = threading.Event()
    wrong = []

    def read():
        while not stop.is_set():
            for answer in (store.call(do="get", keys=[[b64("p"), b64("s")]]), store.scan("p")):
                values = [unb64(r["v"]) for r in answer.get("records", [])]
                if answer["code"] != 0 or len(values) != 1 or len(set(values[0])) != 1:
                    wrong.append((answer["code"], answer.get("message")))

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for i in range(1, 30):
            answer = store.put("p", "s", bytes([i]) * BIG)
            assert answer["code"] == 0, answer
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert wrong == [], wrong[:3]


def test_damaged_and_missing_objects(world, driver):
    store, config = opened(world, driver)
    store.put("p", "s", os.urandom(BIG))
    key = next(iter(objects(world, config)))
    world.boto("s3").put_object(Bucket="teal-test", Key=key, Body=b"other")
    answer = store.call(do="get", keys=[[b64("p"), b64("s")]])
    assert answer["code"] == CORRUPT and key in answer["message"], answer
    world.boto("s3").delete_object(Bucket="teal-test", Key=key)
    answer = store.scan("p")
    assert answer["code"] == CORRUPT and key in answer["message"], answer
    assert store.put("p", "s", "fine again")["code"] == 0
