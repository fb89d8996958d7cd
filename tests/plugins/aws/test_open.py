"""What `open` refuses, and in which words; tables that are not there, not ready or of another shape."""

from support import *


def refused(driver, config, code, *words):
    answer = driver.open(config)
    assert answer["code"] == code, answer
    for word in words:
        assert word in answer["message"], answer


def test_wrong_sections(world, driver):
    good = world.config()
    refused(driver, "no json", INVALID, "JSON")
    refused(driver, "[]", INVALID, "JSON")
    refused(driver, {}, INVALID, "table")
    for change, word in (({"tabel": "x"}, "tabel"), ({"table": 7}, "table"), ({"table": "a b"}, "table"), ({"region": ""}, "region"),
                         ({"create_table": "yes"}, "create_table"), ({"timeout_ms": 1}, "timeout_ms"), ({"attempts": 0}, "attempts"),
                         ({"attempts": 1.5}, "attempts"), ({"endpoints": {"dynamodb": "ftp://x"}}, "endpoints.dynamodb"),
                         ({"endpoints": {"dynamo": "http://x"}}, "endpoints.dynamo"), ({"endpoints": []}, "endpoints"),
                         ({"credentials": {"access_key_id": "x"}}, "credentials"), ({"credentials": {"secret": "x"}}, "credentials.secret"),
                         ({"bucket": "a/b"}, "bucket"), ({"bucket_prefix": "x/"}, "bucket")):
        refused(driver, {**good, **change}, INVALID, word)


def test_no_server(world, driver):
    refused(driver, world.config(endpoints={"dynamodb": "http://127.0.0.1:1"}, attempts=2), UNAVAILABLE, "dynamodb:DescribeTable")


def test_missing_table(world, driver):
    refused(driver, world.config(create_table=False), UNAVAILABLE, "does not exist", "create_table")


def test_table_is_made_once_by_racing_openers(world, driver):
    config = world.config()
    drivers = [Driver(world.build) for _ in range(3)]
    try:
        numbers = [d.begin(do="open", **{"as": "a"}, config=config) for d in drivers]
        assert [d.end(n)["code"] for d, n in zip(drivers, numbers)] == [0, 0, 0]
    finally:
        for d in drivers:
            d.close()
    table = world.boto("dynamodb").describe_table(TableName=config["table"])["Table"]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert table["GlobalSecondaryIndexes"][0]["Projection"] == {"ProjectionType": "KEYS_ONLY"}
    ttl = world.boto("dynamodb").describe_time_to_live(TableName=config["table"])["TimeToLiveDescription"]
    assert ttl["TimeToLiveStatus"] in ("ENABLED", "ENABLING") and ttl["AttributeName"] == "ttl", ttl


def make_table(world, config, key=("pk", "sk"), kinds="BB", index=("due", "part", "due")):
    attributes = {key[0]: kinds[0], key[1]: kinds[1]}
    more = {}
    if index:
        attributes.update({index[1]: "N", index[2]: "N"})
        more["GlobalSecondaryIndexes"] = [{"IndexName": index[0], "Projection": {"ProjectionType": "KEYS_ONLY"}, "KeySchema": [
            {"AttributeName": index[1], "KeyType": "HASH"}, {"AttributeName": index[2], "KeyType": "RANGE"}]}]
    world.boto("dynamodb").create_table(
        TableName=config["table"], BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": t} for n, t in attributes.items()],
        KeySchema=[{"AttributeName": key[0], "KeyType": "HASH"}, {"AttributeName": key[1], "KeyType": "RANGE"}], **more)


def test_other_shapes(world, driver):
    for change, words in (({"key": ("id", "sk")}, ["another shape", "id B HASH"]), ({"kinds": "SB"}, ["another shape", "pk S HASH"]),
                          ({"index": None}, ["another shape", "lacks the global index"]),
                          ({"index": ("due", "other", "due")}, ["another shape", "other N HASH"])):
        config = world.config()
        make_table(world, config, **change)
        refused(driver, config, INVALID, *words)


def test_expiry_is_offered_only_where_the_table_has_it(world, driver):
    config = world.config(create_table=False)
    make_table(world, config)
    assert driver.open(config)["code"] == 0
    assert Store(driver).call(do="caps")["features"] & 8 == 0
    other = world.config()
    make_table(world, other)
    world.boto("dynamodb").update_time_to_live(TableName=other["table"], TimeToLiveSpecification={"Enabled": True, "AttributeName": "old"})
    refused(driver, other, INVALID, "time to live", "old")


def test_waits_for_a_table_that_is_being_made(world, driver):
    config = world.config()
    creating = {"Table": {"TableName": config["table"], "TableStatus": "CREATING", "KeySchema": [
        {"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}], "AttributeDefinitions": [
        {"AttributeName": n, "AttributeType": t} for n, t in (("pk", "B"), ("sk", "B"), ("part", "N"), ("due", "N"))],
        "GlobalSecondaryIndexes": [{"IndexName": "due", "IndexStatus": "CREATING", "KeySchema": [
            {"AttributeName": "part", "KeyType": "HASH"}, {"AttributeName": "due", "KeyType": "RANGE"}]}]}}
    make_table(world, config)
    world.proxy.rules({"action": "DescribeTable", "fault": "status", "status": 200, "type": "none", "more": creating, "count": 2})
    world.proxy.facts_since()
    assert driver.open(config)["code"] == 0
    assert world.proxy.facts_since()["actions"]["DescribeTable"] == 3


def test_an_item_of_somebody_else(world, driver):
    config = world.config()
    assert driver.open(config)["code"] == 0
    world.boto("dynamodb").put_item(TableName=config["table"], Item={"pk": {"B": b"p"}, "sk": {"B": b"s"}, "hello": {"S": "x"}})
    store = Store(driver)
    answer = store.call(do="get", keys=[[b64("p"), b64("s")]])
    assert answer["code"] == CORRUPT and "nothing else may write" in answer["message"], answer
    assert store.scan("p")["code"] == CORRUPT
