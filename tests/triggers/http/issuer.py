"""An OIDC issuer over https, with certificates of its own, and tokens signed by the openssl command."""

import base64
import http.server
import json
import ssl
import subprocess
import threading
import time
from pathlib import Path


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def openssl(*words, data=None):
    return subprocess.run(["openssl", *map(str, words)], input=data, capture_output=True, check=True).stdout


class Key:
    """A private key of a kind: RS256, ES256, EdDSA, or one that no issuer should use."""

    def __init__(self, folder, kind, key_id, bits=2048):
        self.kind, self.key_id, self.file = kind, key_id, Path(folder) / f"{key_id}.pem"
        how = {"RS256": ["-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{bits}"],
               "ES256": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], "EdDSA": ["-algorithm", "ED25519"]}[kind]
        openssl("genpkey", *how, "-out", self.file)

    def jwk(self):
        if self.kind == "RS256":
            modulus = openssl("rsa", "-in", self.file, "-noout", "-modulus").decode().strip().split("=")[1]
            return {"kty": "RSA", "kid": self.key_id, "use": "sig", "alg": "RS256", "n": b64(bytes.fromhex(modulus)), "e": "AQAB"}
        public = openssl("pkey", "-in", self.file, "-pubout", "-outform", "DER")
        if self.kind == "EdDSA":
            return {"kty": "OKP", "kid": self.key_id, "crv": "Ed25519", "x": b64(public[-32:])}
        return {"kty": "EC", "kid": self.key_id, "crv": "P-256", "x": b64(public[-64:-32]), "y": b64(public[-32:])}

    def sign(self, claims, header=None):
        head = {"alg": self.kind, "typ": "JWT", "kid": self.key_id, **(header or {})}
        text = f"{b64(json.dumps(head).encode())}.{b64(json.dumps(claims).encode())}"
        return f"{text}.{b64(self.signature(text.encode()))}"

    def signature(self, text):
        if self.kind == "EdDSA":
            data = self.file.with_suffix(".data")  # this command reads it from a file only
            data.write_bytes(text)
            return openssl("pkeyutl", "-sign", "-inkey", self.file, "-rawin", "-in", data)
        signature = openssl("dgst", "-sha256", "-sign", self.file, data=text)
        return self.raw(signature) if self.kind == "ES256" else signature

    @staticmethod
    def raw(der):
        """r and s side by side, of SEQUENCE { INTEGER r, INTEGER s }."""
        at, numbers = 2, []
        for _ in range(2):
            size = der[at + 1]
            numbers.append(int.from_bytes(der[at + 2:at + 2 + size], "big"))
            at += 2 + size
        return b"".join(number.to_bytes(32, "big") for number in numbers)


class Issuer:
    """https://localhost:PORT/tenant; `keys` may change while it runs, `asked` counts requests for them."""

    def __init__(self, folder, keys):
        folder = Path(folder)
        self.keys, self.asked, self.answers = keys, 0, True
        self.other_host = False
        self.authority = folder / "authority.pem"
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test authority", "-keyout", folder / "authority.key",
                "-out", self.authority)
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout", folder / "server.key", "-out", folder / "server.csr")
        (folder / "names").write_text("subjectAltName=DNS:localhost")
        openssl("x509", "-req", "-in", folder / "server.csr", "-CA", self.authority, "-CAkey", folder / "authority.key", "-CAcreateserial", "-days", "2",
                "-extfile", folder / "names", "-out", folder / "server.pem")
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                if self.path == "/tenant/.well-known/openid-configuration":
                    url = "https://elsewhere.example/keys" if outer.other_host else f"{outer.url}/keys"
                    body = {"issuer": outer.url, "jwks_uri": url}
                else:
                    outer.asked += 1
                    body = {"keys": [key.jwk() for key in outer.keys] + [{"kty": "oct", "kid": "secret", "k": "AAAA"}]}
                text = json.dumps(body).encode()
                self.send_response(200 if outer.answers else 404)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.pem", folder / "server.key")
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://localhost:{self.server.server_port}/tenant"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def claims(self, **others):
        now = int(time.time())
        return {"iss": self.url, "aud": "orders", "sub": "user-1", "exp": now + 300, "iat": now, **others}

    def close(self):
        self.server.shutdown()
        self.server.server_close()
