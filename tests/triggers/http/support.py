"""A host with the trigger plugin `http`, and requests to it, byte by byte where that counts."""

import http.client
import json
import os
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SECONDS = 60  # of waiting for one thing


def check(good, what=""):
    if not good:
        raise AssertionError(what)


def same(found, wanted):
    check(found == wanted, f"found {found!r}\nwanted {wanted!r}")


class Host:
    """http_small_host with triggers: {id: section}."""

    def __init__(self, build, triggers, instance=None, limits=(), environment=None):
        self.folder = tempfile.TemporaryDirectory(prefix="teal-http-")
        settings = Path(self.folder.name) / "settings.json"
        settings.write_text(json.dumps({"plugin": str(build / "lib/teal/plugins/http.teal-plugin.json"), "instance": instance or {},
                                        "triggers": triggers}), encoding="utf-8")
        command = [build / "http_small_host", self.folder.name, settings]
        for limit in limits:
            command += ["--limit", limit]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        env={**os.environ, **(environment or {})})
        self.started = 0
        line = self.process.stdout.readline()
        if not line.startswith("ready "):
            raise AssertionError(f"no host: {line}{self.process.stderr.read()}")
        self.port = int(line.strip().rsplit(":", 1)[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        rest, errors = self.process.communicate(timeout=SECONDS)
        self.started += rest.count("started ")
        code = self.process.returncode
        self.folder.cleanup()
        check(code == 0, f"the host ended with {code}: {errors}")

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS)

    def ask(self, method, target, body=None, headers=None):
        """(status, headers in lower case, body) of one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        connection.request(method, target, body=body, headers=headers or {})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        # Repeated ones: joined by a line feed, which no value holds.
        found = {}
        for name, value in answer.getheaders():
            found[name.lower()] = found[name.lower()] + "\n" + value if name.lower() in found else value
        return answer.status, found, body

    def json(self, *arguments, status=200, **options):
        found, headers, body = self.ask(*arguments, **options)
        check(found == status, f"{arguments[:2]}: {found} {headers} {body[:500]!r}")
        return json.loads(body)

    def refused(self, status, kind, *arguments, **options):
        found, headers, body = self.ask(*arguments, **options)
        check(found == status, f"{arguments[:2]}: {found}, wanted {status}: {body[:500]!r}")
        if arguments[0] != "HEAD":
            same(json.loads(body)["error"]["kind"], kind)
        return headers

    def raw(self, data):
        """Everything that comes until the host closes."""
        with self.connect() as connection:
            try:
                connection.sendall(data)
            except (BrokenPipeError, ConnectionResetError):
                pass
            return read_all(connection)


def read_all(connection):
    data = b""
    try:
        while True:
            part = connection.recv(65536)
            if not part:
                return data
            data += part
    except ConnectionResetError:
        return data
