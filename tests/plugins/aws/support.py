"""What the tests of the AWS plugin share: peers, the driver, and a table of their own."""

import base64
import itertools
import json
import os
import subprocess
import threading
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent.parent
PEERS = ROOT / "tests/peers"

CONFLICT, NOT_FOUND, INVALID, TOO_LARGE, THROTTLED, UNAVAILABLE, TIMEOUT, CANCELLED, DENIED, CORRUPT, CLOSED = 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12
ABSENT = base64.b64encode(bytes(32)).decode()


def b64(data):
    return base64.b64encode(data.encode() if isinstance(data, str) else data).decode()


def unb64(text):
    return base64.b64decode(text)


class Peer:
    """A server of tests/peers, running."""

    def __init__(self, name, directory, *options):
        self.command = str(PEERS / name)
        self.directory = str(directory)
        run = subprocess.run([self.command, "start", self.directory, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if run.returncode != 0:
            raise RuntimeError(f"{name}: {run.stderr.strip()}")
        self.facts = json.loads(run.stdout)
        self.endpoint = self.facts["endpoint"]
        self.port = self.facts["port"]

    def stop(self):
        subprocess.run([self.command, "stop", self.directory], check=False)


class Proxy(Peer):
    def __init__(self, directory, upstream_port):
        super().__init__("faultproxy", directory, "--upstream", f"127.0.0.1:{upstream_port}")

    def tell(self, what, body):
        request = urllib.request.Request(f"{self.endpoint}/__proxy__/{what}", json.dumps(body).encode() if body is not None else None)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def rules(self, *rules, seed=1):
        self.tell("rules", {"seed": seed, "rules": list(rules)})

    def record(self, path):
        self.tell("record", {"path": str(path) if path else None})

    def facts_since(self):
        """Requests, faults and actions since the last time this was asked."""
        return self.tell("facts", None)


class Driver:
    """A process that has the plugin open. Calls may be made from many threads."""

    def __init__(self, build, environment=None):
        clean = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        clean["AWS_EC2_METADATA_DISABLED"] = "true"
        self.process = subprocess.Popen(
            [f"{build}/aws_driver", f"{build}/lib/teal/plugins/teal_aws.so", f"{build}/lib/teal/libteal_http.so"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**clean, **(environment or {})})
        self.ids = itertools.count(1)
        self.answers = {}
        self.logs = []
        self.changed = threading.Condition()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            told = json.loads(line)
            with self.changed:
                if "log" in told:
                    self.logs.append(told["log"])
                else:
                    self.answers[told["id"]] = told
                self.changed.notify_all()
        with self.changed:
            self.answers[None] = True
            self.changed.notify_all()

    def begin(self, **command):
        with self.changed:
            number = next(self.ids)
            self.process.stdin.write(json.dumps({"id": number, **command}) + "\n")
            self.process.stdin.flush()
        return number

    def end(self, number, seconds=90):
        with self.changed:
            if not self.changed.wait_for(lambda: number in self.answers or None in self.answers, seconds):
                raise AssertionError(f"no answer in {seconds} s")
            if number not in self.answers:
                raise AssertionError(f"the driver ended with {self.process.wait()}")
            return self.answers.pop(number)

    def call(self, **command):
        return self.end(self.begin(**command))

    def open(self, config, name="a"):
        return self.call(do="open", **{"as": name}, config=config)

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=60)


class Store:
    """An open instance with the calls in plain words; keys and values as bytes or text."""

    def __init__(self, driver, name="a"):
        self.driver = driver
        self.name = name

    def call(self, **command):
        return self.driver.call(on=self.name, **command)

    def commit(self, *ops, key="", **more):
        return self.call(do="commit", ops=list(ops), key=b64(key), **more)

    def put(self, p, s, v, condition="any", **more):
        key = more.pop("key", "")
        times = {name: more.pop(name) for name in ("due", "exp") if name in more}
        return self.commit(put(p, s, v, condition, **times), key=key, **more)

    def get(self, p, s):
        answer = self.call(do="get", keys=[[b64(p), b64(s)]])
        assert answer["code"] == 0, answer
        return answer["records"][0] if answer["records"] else None

    def scan(self, p, prefix="", limit=100, cursor=""):
        return self.call(do="scan", p=b64(p), prefix=b64(prefix), limit=limit, cursor=cursor)

    def due(self, shard, shards, until, limit=100, cursor=""):
        return self.call(do="due", shard=shard, shards=shards, until=until, limit=limit, cursor=cursor)


def put(p, s, v, condition="any", **times):
    return {"do": "put", "if": condition, "p": b64(p), "s": b64(s), "v": b64(v), **times}


def delete(p, s, condition="any"):
    return {"do": "delete", "if": condition, "p": b64(p), "s": b64(s)}


def check(p, s, condition):
    return {"do": "check", "if": condition, "p": b64(p), "s": b64(s)}


def now_ns():
    return time.time_ns()


_names = itertools.count(1)


class World:
    """The peers of a run, and a fresh table for each test."""

    def __init__(self, build, directory):
        self.build = build
        self.directory = Path(directory)
        self.peers = []
        self.dynamodb = self.start(Peer, "dynamodb", self.directory / "dynamodb")
        self.proxy = self.start(Proxy, self.directory / "proxy", self.dynamodb.port)
        self.minio = None
        self.s3_proxy = None
        self.minio_missing = ""
        try:
            self.minio = self.start(Peer, "minio", self.directory / "minio")
            self.s3_proxy = self.start(Proxy, self.directory / "s3proxy", self.minio.port)
        except RuntimeError as error:
            self.minio_missing = str(error)
        self.requests = {"dynamodb": self.directory / "dynamodb.jsonl", "s3": self.directory / "s3.jsonl"}
        self.proxy.record(self.requests["dynamodb"])
        if self.s3_proxy:
            self.s3_proxy.record(self.requests["s3"])

    def start(self, kind, *arguments):
        peer = kind(*arguments)
        self.peers.append(peer)
        return peer

    def stop(self):
        for peer in reversed(self.peers):
            peer.stop()

    def config(self, bucket=False, **more):
        out = {"table": f"teal-test-{os.getpid()}-{next(_names)}", "region": "us-east-1", "create_table": True,
               "credentials": {"access_key_id": "teal", "secret_access_key": "teal"},
               "endpoints": {"dynamodb": self.proxy.endpoint}, "timeout_ms": 20000, "request_timeout_ms": 2000}
        if bucket:
            out["bucket"] = "teal-test"
            out["path_style"] = True
            out["endpoints"]["s3"] = self.s3_proxy.endpoint
            out["credentials"] = {"access_key_id": self.minio.facts["access_key_id"],
                                  "secret_access_key": self.minio.facts["secret_access_key"]}
        out.update(more)
        return out

    def boto(self, service):
        import boto3
        import botocore.config
        peer = self.minio if service == "s3" else self.dynamodb
        return boto3.client(service, endpoint_url=peer.endpoint, region_name="us-east-1",
                            aws_access_key_id=peer.facts["access_key_id"], aws_secret_access_key=peer.facts["secret_access_key"],
                            config=botocore.config.Config(max_pool_connections=64, read_timeout=20, retries={"max_attempts": 1}, s3={"addressing_style": "path"},
                                                          request_checksum_calculation="when_required"))

    def items(self, table):
        """Every item of the table, read from outside."""
        pages = self.boto("dynamodb").get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
        return {(item["pk"]["B"], item["sk"]["B"]): item for page in pages for item in page["Items"]}
