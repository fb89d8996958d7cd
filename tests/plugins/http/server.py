"""The peers of tests/plugins/http: an HTTP server on http.server that does what its paths say, a raw one that breaks off
where HTTP servers do not, a proxy, and a CA of our own."""

import http.server
import os
import socket
import ssl
import struct
import subprocess
import threading
import time
import urllib.parse


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self):
        parts = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(parts.query))
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        server = self.server
        with server.lock:
            server.seen.append({"method": self.command, "path": self.path, "headers": list(self.headers.items()),
                                "body": body, "peer": self.client_address[1]})
            server.counts[parts.path] = count = server.counts.get(parts.path, 0) + 1
        status, headers, answer = 200, [], b"hello"
        if "sleep" in query:
            time.sleep(float(query["sleep"]))
        if "size" in query:
            answer = b"x" * int(query["size"])
        if "status" in query and count <= int(query.get("times", "1000000")):
            status = int(query["status"])
            answer = b"told to"
            if "retry_after" in query:
                headers.append(("Retry-After", query["retry_after"]))
        if parts.path == "/echo":
            answer = body
        if parts.path == "/redirect":
            status, headers = 302, [("Location", "/elsewhere")]
        self.send_response(status)
        self.send_header("X-Name", "Value")
        for header in headers:
            self.send_header(*header)
        length = len(answer)
        if "cut" in query:
            answer = answer[:int(query["cut"])]
        self.send_header("Content-Length", str(length))
        if "cut" in query or "close" in query:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_PATCH = answer

    def do_CONNECT(self):
        self.send_error(405)


class Server(http.server.ThreadingHTTPServer):
    """On a port of the system's choice. `seen` are the requests, in order."""
    request_queue_size = 256
    daemon_threads = True

    def __init__(self, certificate=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.seen = []
        self.counts = {}
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def handle_error(self, *_):
        pass


class RawServer:
    """Gives each connection to `behave(connection, number)`."""

    def __init__(self, behave):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.connections = 0
        self.behave = behave
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            connection, _ = self.listener.accept()
            self.connections += 1
            threading.Thread(target=self.one, args=(connection, self.connections), daemon=True).start()

    def one(self, connection, number):
        try:
            self.behave(connection, number)
        except OSError:
            pass


def read_request(connection):
    """The bytes of one request with its body."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return data
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    while len(body) < length:
        body += connection.recv(65536)
    return data


def reset(connection):
    """Closes with RST instead of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def make_certificates(folder):
    """A CA, and a certificate of it for 127.0.0.1: (ca, (certificate, key))."""
    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=A CA of our own")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "s.key",
            "-out", "s.csr", "-subj", "/CN=127.0.0.1")
    with open(os.path.join(folder, "s.ext"), "w", encoding="utf-8") as file:
        file.write("subjectAltName=IP:127.0.0.1\n")
    openssl("x509", "-req", "-in", "s.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
            "-extfile", "s.ext", "-out", "s.pem")
    return os.path.join(folder, "ca.pem"), (os.path.join(folder, "s.pem"), os.path.join(folder, "s.key"))
