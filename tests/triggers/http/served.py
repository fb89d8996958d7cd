"""The same plugin in `teal serve`: real sessions, durable ones."""

import concurrent.futures
import hashlib
import hmac
import http.client
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from support import ROOT, SECONDS, check, same

PROGRAM = """
fn orders(request) { {"id": request.params.id, "got": request.json, "who": request.principal} }
fn waits(request) {
  answer = await event("go")
  {"statusCode": 201, "headers": {"x-answer": answer}, "body": request.request_id}
}
fn broken(request) { raise("custom", "inside", request.headers) }
fn background(request) { request.body }
fn on_http(method, path, event) { [method, path, event.query] }
"""

CONFIG = """name: shop
main: service.tl
keys: {alice: "${env:ALICE_KEY}"}
functions:
  orders: {events: [{http: "POST /orders/{id}"}]}
  waits: {events: [{http: {path: /waits, auth: anonymous}}, {http: {path: /waits/short, auth: anonymous, timeout: 100ms}}]}
  broken: {events: [{http: {path: /broken, auth: anonymous}}]}
  background: {events: [{http: {path: /background, auth: anonymous, mode: async}}]}
  on_http: {events: [{http: {path: "/old/{rest+}", auth: anonymous}}]}
"""


class Served:
    """A project's host: of the program above, or of a copy of an example."""

    def __init__(self, build, folder, example=None):
        self.build, self.folder = build, Path(folder)
        (self.folder / "service.tl").write_text(PROGRAM, encoding="utf-8")
        (self.folder / "teal.yaml").write_text(CONFIG, encoding="utf-8")
        if example:
            shutil.copytree(ROOT / "examples" / example, folder, dirs_exist_ok=True)
        self.begin()

    def begin(self):
        self.log = open(self.folder / "host.log", "ab")
        environment = {**os.environ, "HOME": str(self.folder), "TEAL_PLUGIN_PATH": "", "ALICE_KEY": "sesame",
                       "HOOK_SECRET": "hush", "SHOP_KEY": "till"}
        self.process = subprocess.Popen([self.build / "teal", "serve", "--port", "0"], cwd=self.folder, env=environment,
                                        stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        check(line.startswith("ready "), f"no host: {line!r}\n{(self.folder / 'host.log').read_text()[-2000:]}")
        self.address = line.split()[1].split("//")[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:  # the case failed
            self.end(signal.SIGKILL)

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        code = self.process.wait(SECONDS)
        self.process.stdout.close()
        self.log.close()
        return code

    def ask(self, method, target, body=None, headers=None):
        connection = http.client.HTTPConnection(self.address, timeout=SECONDS)
        try:
            connection.request(method, target, body=body, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def api(self, method, path, body=None):
        key = (self.folder / ".teal/key").read_text(encoding="ascii").strip()
        status, _, answer = self.ask(method, "/teal/v1" + path, body=body, headers={"x-teal-key": key})
        check(status < 300, f"{method} {path}: {status} {answer[:500]}")
        return json.loads(answer) if answer else None

    def sessions(self, trigger):
        return self.api("GET", f"/sessions?label=teal.trigger:{trigger}")["sessions"]

    def repeated(self):
        """How many requests found their session."""
        for line in self.ask("GET", "/teal/v1/metrics")[2].decode().splitlines():
            if line.startswith("teal_trigger_outcomes_total{") and 'kind="http"' in line and 'outcome="repeated"' in line:
                return int(line.split()[-1])
        return 0

    def until(self, condition, what):
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            if (found := condition()):
                return found
            time.sleep(0.05)
        raise AssertionError(f"it does not come: {what}\n{(self.folder / 'host.log').read_text()[-2000:]}")


def requests_start_sessions(build):
    with tempfile.TemporaryDirectory(prefix="teal-http-") as folder, Served(build, folder) as host:
        same(host.ask("POST", "/orders/7", b"{}")[0], 401)
        same(host.sessions("orders.http"), [])
        status, _, body = host.ask("POST", "/orders/7", b'{"n": [1]}', {"X-Teal-Key": "sesame", "Content-Type": "application/json"})
        same((status, json.loads(body)), (200, {"id": "7", "got": {"n": [1]}, "who": "alice"}))
        same(len(host.sessions("orders.http")), 1)
        status, _, body = host.ask("GET", "/old/a/b?x=1")
        same((status, json.loads(body)), (200, ["GET", "/old/a/b", {"x": "1"}]))
        # An error tells where to look, and nothing of the inside.
        status, _, body = host.ask("GET", "/broken")
        same((status, json.loads(body)["sid"]), (500, host.sessions("broken.http")[0]["sid"]))
        check(b"inside" not in body and b"custom" not in body, body)
        # Its task can be asked for by who has the answer, with no key.
        status, headers, body = host.ask("POST", "/background", b"hello")
        same(status, 202)
        done = host.until(lambda: (got := json.loads(host.ask("GET", headers["location"])[2])).get("status") == "done" and got, "the task's end")
        same((done["sid"], done["result"]), (json.loads(body)["sid"], "hello"))
        # One that takes longer than its caller waits.
        status, headers, body = host.ask("GET", "/waits/short")
        same((status, headers["retry-after"]), (202, "1"))
        host.api("POST", f"/sessions/{json.loads(body)['sid']}/events/go", b'"now"')
        host.until(lambda: json.loads(host.ask("GET", headers["location"])[2])["status"] == "done", "its end")
        same(host.end(), 0)


def a_repeat_finds_its_session(build):
    """Also while the first runs, by many at once, and after the host was killed in the middle."""
    with tempfile.TemporaryDirectory(prefix="teal-http-") as folder, Served(build, folder) as host:
        key = {"Idempotency-Key": "once"}
        with concurrent.futures.ThreadPoolExecutor(9) as pool:
            asked = [pool.submit(host.ask, "POST", "/waits", b"x", key) for _ in range(8)]
            sid = host.until(lambda: host.sessions("waits.http.1"), "the session")[0]["sid"]
            same(host.ask("POST", "/waits", b"y", key)[0], 422)
            host.until(lambda: len(host.api("GET", f"/sessions/{sid}/threads")["items"]) > 0, "its thread")
            host.end(signal.SIGKILL)
            for one in asked:  # none was told that nothing happened
                try:
                    check(one.result()[0] not in range(200, 300), one.result())
                except (http.client.HTTPException, ConnectionError):
                    pass
            host.begin()
            asked = [pool.submit(host.ask, "POST", "/waits", b"x", key) for _ in range(8)]
            host.until(lambda: host.repeated() == 8, "the repeats find it")
            same([one["sid"] for one in host.sessions("waits.http.1")], [sid])
            host.api("POST", f"/sessions/{sid}/events/go", b'"now"')
            answers = {(status, headers["x-answer"], body) for status, headers, body in (one.result() for one in asked)}
            same(len(answers), 1)
            same(answers.pop()[:2], (201, "now"))
        same(host.ask("POST", "/waits", b"x", key)[0], 201)  # long after it ended
        same([one["sid"] for one in host.sessions("waits.http.1")], [sid])
        # A host that stops lets nobody wait in vain, and keeps the session.
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            asked = pool.submit(host.ask, "POST", "/waits", b"x", {"Idempotency-Key": "again"})
            host.until(lambda: len(host.sessions("waits.http.1")) == 2, "the session")
            same(host.end(), 0)
            check(asked.result()[0] in (202, 503), asked.result())
        host.begin()
        same(len(host.sessions("waits.http.1")), 2)
        same(host.end(), 0)


def the_example_webhook(build):
    with tempfile.TemporaryDirectory(prefix="teal-http-") as folder, Served(build, folder, "webhook") as host:
        commits = [{"author": {"name": name}} for name in ("Ann", "Ben", "Ann")]
        push = json.dumps({"ref": "refs/heads/main", "repository": {"full_name": "a/b"}, "commits": commits}).encode()

        def deliver(kind, body, secret="hush"):
            signature = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
            return host.ask("POST", "/github", body, {"Content-Type": "application/json", "X-GitHub-Event": kind, "X-Hub-Signature-256": signature})

        same(deliver("ping", b'{"zen": "Keep it logically awesome."}')[2], b"pong")
        for _ in range(2):  # the second is a repeat
            status, _, body = deliver("push", push)
            same((status, json.loads(body)), (200, {"repository": "a/b", "ref": "refs/heads/main", "commits": 3, "authors": {"Ann": 2, "Ben": 1}}))
        same(deliver("star", b"{}")[0], 202)
        same(deliver("push", push, "guessed")[0], 403)
        same(len(host.sessions("github.http")), 3)
        same(host.end(), 0)


def the_example_orders(build):
    with tempfile.TemporaryDirectory(prefix="teal-http-") as folder, Served(build, folder, "orders") as host:

        def order(total, card="good", answer=None):
            """What became of it."""
            body = json.dumps({"item": "chair", "count": 2, "total": total, "card": card}).encode()
            status, headers, text = host.ask("POST", "/orders", body, {"Content-Type": "application/json", "X-Teal-Key": "till"})
            same(status, 202)
            sid = json.loads(text)["sid"]
            if answer is not None:
                host.api("POST", f"/sessions/{sid}/events/approval", json.dumps(answer).encode())
            ended = host.until(lambda: (got := json.loads(host.ask("GET", headers["location"])[2]))["status"] == "done" and got, "its end")
            return ended["result"]["state"], ended["result"].get("why")

        same(order(100), ("paid", None))
        same(order(100, "stolen"), ("undone", "the card was declined"))
        same(order(5000, answer={"by": "Ann", "approved": True}), ("paid", None))
        same(order(5000, answer={"by": "Ann", "approved": False}), ("undone", "Ann did not approve"))
        same(host.end(), 0)


CASES = [the_example_webhook, the_example_orders, requests_start_sessions, a_repeat_finds_its_session]
