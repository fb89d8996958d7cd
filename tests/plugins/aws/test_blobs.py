"""Blobs in S3."""

import os

from support import *
from test_values import objects, opened

PART = 8 << 20


def write(store, name, *pieces, commit=True):
    handle = store.call(do="blob_open", name=b64(name))["handle"]
    for piece in pieces:
        answer = store.call(do="blob_write", handle=handle, data=b64(piece))
        assert answer["code"] == 0, answer
    if commit:
        answer = store.call(do="blob_commit", handle=handle)
        assert answer["code"] == 0, answer
    return handle


def read(store, name, offset=0, size=1 << 40):
    answer = store.call(do="blob_get", name=b64(name), offset=offset, size=size)
    return unb64(answer["data"]) if answer["code"] == 0 else answer["code"]


def uploads(world, config, name):
    """Uploads of this blob under way. MinIO lists them by the whole key only."""
    key = config["bucket_prefix"] + "blobs/n/" + name.replace("/", "=2f")
    return world.boto("s3").list_multipart_uploads(Bucket="teal-test", Prefix=key).get("Uploads", [])


def test_small_and_empty(world, driver):
    store, config = opened(world, driver)
    assert read(store, "sid/none") == NOT_FOUND
    handle = write(store, "sid/a.b", b"one", b"", b"two", commit=False)
    assert read(store, "sid/a.b") == NOT_FOUND and objects(world, config) == {}
    assert store.call(do="blob_commit", handle=handle)["code"] == 0
    assert read(store, "sid/a.b") == b"onetwo"
    assert list(objects(world, config)) == [config["bucket_prefix"] + "blobs/n/sid=2fa=2eb"]
    assert [read(store, "sid/a.b", *r) for r in ((2, 2), (3, 100), (6, 5), (100, 5), (0, 0))] == [b"et", b"two", b"", b"", b""]
    assert read(store, "sid/none", 0, 0) == NOT_FOUND
    write(store, "sid/empty")
    assert read(store, "sid/empty") == b""
    write(store, "sid/a.b", b"other")  # what exists stays
    assert read(store, "sid/a.b") == b"onetwo"
    for name in (bytes(range(256)), b"x" * 1024, b"../..", b"."):
        write(store, name, name)
        assert read(store, name) == name
    assert store.call(do="blob_delete", name=b64("sid/a.b"))["code"] == 0
    assert read(store, "sid/a.b") == NOT_FOUND
    assert store.call(do="blob_delete", name=b64("sid/a.b"))["code"] == 0
    assert store.call(do="blob_open", name=b64("x" * 1025))["code"] == TOO_LARGE
    for what in ("blob_commit", "blob_write"):
        assert store.call(do=what, handle=handle, data="")["code"] == INVALID


def test_many_parts(world, driver):
    store, config = opened(world, driver)
    pieces = [os.urandom(3 << 20) for _ in range(7)]  # 21 MiB: three parts
    write(store, "sid/big", *pieces)
    assert uploads(world, config, "sid/big") == [] and list(objects(world, config).values()) == [21 << 20]
    assert read(store, "sid/big") == b"".join(pieces)
    assert read(store, "sid/big", PART - 3, 6) == b"".join(pieces)[PART - 3:PART + 3]
    write(store, "sid/exact", os.urandom(2 * PART))
    assert objects(world, config)[config["bucket_prefix"] + "blobs/n/sid=2fexact"] == 2 * PART
    write(store, "sid/big", os.urandom(PART), b"more")
    assert read(store, "sid/big", 0, 3 << 20) == pieces[0] and uploads(world, config, "sid/big") == []


def test_abandoned(world, driver):
    store, config = opened(world, driver)
    handle = write(store, "sid/one", os.urandom(PART + 1), commit=False)
    assert len(uploads(world, config, "sid/one")) == 1
    store.call(do="blob_abort", handle=handle)
    write(store, "sid/two", os.urandom(PART + 1), commit=False)
    assert len(uploads(world, config, "sid/two")) == 1
    assert store.call(do="close")["code"] == 0
    assert uploads(world, config, "sid/one") == uploads(world, config, "sid/two") == [] and objects(world, config) == {}


def test_faults(world, driver):
    store, config = opened(world, driver, attempts=4)
    data = os.urandom(PART + 1000)
    world.s3_proxy.rules({"action": "POST", "contains": "uploadId", "fault": "drop_after", "count": 1},
                         {"action": "PUT", "fault": "status", "status": 503, "count": 2},
                         {"action": "POST", "contains": "uploads", "fault": "status", "status": 500, "count": 1})
    write(store, "sid/big", data)
    world.s3_proxy.rules({"action": "PUT", "fault": "drop_after", "count": 1}, {"action": "GET", "fault": "cut", "count": 1})
    write(store, "sid/small", b"small")
    assert read(store, "sid/small") == b"small" and read(store, "sid/big") == data
    world.s3_proxy.rules({"action": "PUT", "fault": "status", "status": 500})
    handle = store.call(do="blob_open", name=b64("sid/lost"))["handle"]
    answer = store.call(do="blob_write", handle=handle, data=b64(os.urandom(2 * PART)))
    assert answer["code"] == UNAVAILABLE and "s3:PutObject" in answer["message"], answer
    world.s3_proxy.rules()
    assert store.call(do="blob_commit", handle=handle)["code"] == UNAVAILABLE
    assert read(store, "sid/lost") == NOT_FOUND and uploads(world, config, "sid/lost") == []


def test_wrong_keys_and_bucket(world, driver):
    store, config = opened(world, driver)
    other = Driver(world.build)
    try:
        wrong = {**config, "credentials": {"access_key_id": "tealroot", "secret_access_key": "wrong"}}
        assert other.open(wrong)["code"] == 0  # DynamoDB Local checks no signature
        answer = Store(other).call(do="blob_get", name=b64("x"), offset=0, size=1)
        assert answer["code"] == DENIED and "credentials" in answer["message"] and "wrong" not in answer["message"], answer
        assert other.open({**config, "bucket": "no-such-bucket"}, "b")["code"] == 0
        handle = Store(other, "b").call(do="blob_open", name=b64("x"))["handle"]
        answer = Store(other, "b").call(do="blob_commit", handle=handle)
        assert answer["code"] == UNAVAILABLE and "no-such-bucket" in answer["message"], answer
    finally:
        other.close()
