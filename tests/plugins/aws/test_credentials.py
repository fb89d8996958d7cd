"""Where the plugin's keys come from. STS is moto's; the container's and the instance's services are small servers of ours."""

import contextlib
import http.server
import re
import threading
import urllib.parse

from support import *


class Metadata:
    """Serves credentials as ECS's and EC2's agents do; counts what it is asked."""

    def __init__(self, seconds=3600, delay=0.0):
        self.asked = []
        self.seconds = seconds
        self.delay = delay
        self.status = 200
        self.issued = 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do(self):
                outer.asked.append((self.command, self.path, dict(self.headers)))
                status, body = outer.answer(self.command, self.path, self.headers)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with contextlib.suppress(ConnectionError):
                    self.wfile.write(body)

            do_GET = do_PUT = do

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, method, path, headers):
        time.sleep(self.delay)
        if self.status != 200:
            return self.status, b"a secret reason"
        if path == "/latest/api/token":
            good = method == "PUT" and headers.get("X-aws-ec2-metadata-token-ttl-seconds")
            return (200, b"session-token-2") if good else (405, b"")
        if path.startswith("/latest/") and headers.get("X-aws-ec2-metadata-token") != "session-token-2":
            return 401, b""
        if path == "/latest/meta-data/iam/security-credentials/":
            return 200, b"teal role"
        if path in ("/latest/meta-data/iam/security-credentials/teal%20role", "/creds") :
            if path == "/creds" and headers.get("Authorization") != "container-token":
                return 401, b""
            self.issued += 1
            expiry = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + self.seconds))
            return 200, json.dumps({"Code": "Success", "AccessKeyId": f"ISSUED{self.issued}", "SecretAccessKey": "very-secret",
                                    "Token": "the+token/==", "Expiration": expiry}).encode()
        return 404, b""

    def count(self, path):
        return sum(p == path for _, p, _ in self.asked)


def keyless(world, **more):
    config = world.config(**more)
    del config["credentials"]
    return config


def last_signed(world):
    """(access key, session token) of the last request that reached DynamoDB."""
    entry = json.loads(world.requests["dynamodb"].read_text().splitlines()[-1])
    headers = {name.lower(): value for name, value in entry["headers"]}
    return re.search(r"Credential=(\w+)/", headers["authorization"])[1], headers.get("x-amz-security-token")


def works(world, driver, config, secrets=()):
    answer = driver.open(config)
    assert answer["code"] == 0, answer
    assert Store(driver).put("p", "s", "v")["code"] == 0
    for secret in secrets:
        assert not any(secret in line for line in driver.logs), driver.logs
    return last_signed(world)


def with_environment(world, environment):
    return Driver(world.build, environment)


def run(world, environment, config, secrets=()):
    driver = with_environment(world, environment)
    try:
        return works(world, driver, config, secrets)
    finally:
        driver.close()


def refused(world, environment, config):
    driver = with_environment(world, environment)
    try:
        answer = driver.open(config)
        assert answer["code"] != 0
        return answer
    finally:
        driver.close()


def test_environment(world, driver):
    keys = {"AWS_ACCESS_KEY_ID": "ENVKEY", "AWS_SECRET_ACCESS_KEY": "s3cret"}
    assert run(world, keys, keyless(world)) == ("ENVKEY", None)
    assert run(world, {**keys, "AWS_SESSION_TOKEN": "tok/en=="}, keyless(world)) == ("ENVKEY", "tok/en==")
    assert run(world, keys, world.config())[0] == "teal"  # the section goes before
    region = keyless(world)
    del region["region"]
    assert "AWS_REGION" in refused(world, keys, region)["message"]
    assert run(world, {**keys, "AWS_REGION": "eu-central-1"}, region) == ("ENVKEY", None)
    assert "only one" in refused(world, {"AWS_ACCESS_KEY_ID": "ENVKEY"}, keyless(world))["message"]
    assert "no credentials" in refused(world, {}, keyless(world))["message"]


def test_profiles(world, driver):
    folder = world.directory / "profiles"
    folder.mkdir(exist_ok=True)
    (folder / "config").write_text("[default]\nregion = eu-west-1\n[profile work]\naws_access_key_id=CONFIGKEY\naws_secret_access_key=x\n"
                                   "s3 =\n  max_concurrent_requests = 20\n[profile sso]\nsso_session = mine\n[profile empty]\nregion=x\n"
                                   "[profile process]\ncredential_process = /bin/x\n[profile chain]\nrole_arn=arn:aws:iam::1:role/x\nsource_profile=empty\n")
    (folder / "credentials").write_text("# comment\n[default]\naws_access_key_id = DEFAULTKEY\naws_secret_access_key = y # not part\naws_session_token = tok\n"
                                        "[work]\naws_access_key_id = WORKKEY\naws_secret_access_key = z\n")
    files = {"AWS_CONFIG_FILE": str(folder / "config"), "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials")}
    without_region = keyless(world)
    del without_region["region"]
    assert run(world, files, without_region) == ("DEFAULTKEY", "tok")
    assert run(world, {**files, "AWS_PROFILE": "work"}, keyless(world)) == ("WORKKEY", None)
    assert run(world, {**files, "AWS_ACCESS_KEY_ID": "ENVKEY", "AWS_SECRET_ACCESS_KEY": "e"}, keyless(world, profile="work"))[0] == "WORKKEY"
    for name, word in (("sso", "sso_session"), ("process", "credential_process"), ("empty", "no keys"), ("none", "no profile"), ("chain", "source_profile")):
        answer = refused(world, files, keyless(world, profile=name))
        assert word in answer["message"] and name in answer["message"], answer


def test_container(world, driver):
    service = Metadata()
    token = world.directory / "token"
    token.write_text("container-token\n")
    full = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": service.endpoint + "/creds"}
    secrets = ["very-secret", "the+token", "container-token"]
    assert run(world, {**full, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "container-token"}, keyless(world), secrets) == ("ISSUED1", "the+token/==")
    assert run(world, {**full, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(token)}, keyless(world)) == ("ISSUED2", "the+token/==")
    answer = refused(world, {**full, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "wrong"}, keyless(world))
    assert answer["code"] == DENIED and "401" in answer["message"] and "wrong" not in answer["message"], answer
    answer = refused(world, {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://example.com/creds"}, keyless(world))
    assert "https" in answer["message"], answer


def test_instance_metadata_version_2(world, driver):
    service = Metadata()
    on = {"AWS_EC2_METADATA_DISABLED": "false"}
    config = keyless(world)
    config["endpoints"]["imds"] = service.endpoint
    assert run(world, on, config, ["very-secret", "session-token-2"]) == ("ISSUED1", "the+token/==")
    assert [(m, p) for m, p, _ in service.asked] == [("PUT", "/latest/api/token"), ("GET", "/latest/meta-data/iam/security-credentials/"),
                                                     ("GET", "/latest/meta-data/iam/security-credentials/teal%20role")]
    assert run(world, {**on, "AWS_EC2_METADATA_SERVICE_ENDPOINT": service.endpoint + "/"}, keyless(world))[0] == "ISSUED2"
    service.status = 404
    answer = refused(world, on, config)
    assert answer["code"] == DENIED and "AWS_ACCESS_KEY_ID" in answer["message"] and "secret reason" not in answer["message"], answer


def test_renewed_before_they_expire_by_one_errand(world, driver):
    service = Metadata(seconds=303, delay=0.3)
    environment = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": service.endpoint + "/creds", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "container-token"}
    driver = with_environment(world, environment)
    try:
        store = Store(driver)
        assert works(world, driver, keyless(world))[0] == "ISSUED1" and service.issued == 1
        time.sleep(3.2)  # less than five minutes are left now
        service.seconds = 3600

        def many():
            numbers = [driver.begin(do="get", on="a", keys=[[b64("p"), b64("s")]]) for _ in range(12)]
            assert all(driver.end(number)["code"] == 0 for number in numbers)

        many()  # with the old ones, meanwhile
        time.sleep(0.6)
        many()
        assert service.issued == 2 and last_signed(world)[0] == "ISSUED2"
        # Refused by AWS: new ones are fetched and the request is sent again. All calls wait for the one errand.
        world.proxy.rules({"fault": "status", "status": 400, "type": "ExpiredTokenException", "count": 1})
        many()
        assert service.issued == 3 and last_signed(world)[0] == "ISSUED3"
        service.status, service.delay = 500, 0
        world.proxy.rules({"fault": "status", "status": 400, "type": "ExpiredTokenException", "count": 1})
        answer = store.put("p", "s", "v")
        assert answer["code"] in (UNAVAILABLE, DENIED) and not answer["unknown"] and "500" in answer["message"], answer
        service.status = 200
        assert store.put("p", "s", "v")["code"] == 0
    finally:
        driver.close()


def moto(world, path, body="", kind="text/plain"):
    request = urllib.request.Request(world.moto.endpoint + path, body.encode(), {"Content-Type": kind})
    with urllib.request.urlopen(request) as answer:
        return answer.read().decode()


def started_moto(world):
    if not hasattr(world, "moto"):
        world.moto = world.start(Peer, "moto", world.directory / "moto")
    return world.moto


def test_web_identity(world, driver):
    """STS answers with keys of its own; EKS sets these two variables."""
    started_moto(world)
    token = world.directory / "jwt"
    token.write_text("header.payload.signature+/=\n")
    config = keyless(world)
    config["endpoints"]["sts"] = world.moto.endpoint
    role = "arn:aws:iam::123456789012:role/teal"
    environment = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(token), "AWS_ROLE_ARN": role}
    key, session = run(world, environment, config, ["payload"])
    assert key.startswith("ASIA") and session, (key, session)
    folder = world.directory / "web"
    folder.mkdir(exist_ok=True)
    (folder / "config").write_text(f"[profile web]\nrole_arn={role}\nweb_identity_token_file={token}\n")
    key, session = run(world, {"AWS_CONFIG_FILE": str(folder / "config")}, {**config, "profile": "web"})
    assert key.startswith("ASIA") and session
    missing = refused(world, {**environment, "AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere/jwt"}, config)
    assert missing["code"] == DENIED and "/nowhere/jwt" in missing["message"], missing


def test_role_and_signatures_that_moto_checks(world, driver):
    """moto verifies signatures and IAM actions here: of STS AssumeRole, and of making a table."""
    started_moto(world)
    import boto3
    iam = boto3.client("iam", endpoint_url=world.moto.endpoint, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    iam.create_user(UserName="teal")
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["dynamodb:*", "sts:*"], "Resource": "*"}]}
    iam.put_user_policy(UserName="teal", PolicyName="p", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName="teal")["AccessKey"]
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}
    role = iam.create_role(RoleName="teal", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    moto(world, "/moto-api/reset-auth", "0")
    try:
        folder = world.directory / "roles"
        folder.mkdir(exist_ok=True)

        def files(secret):
            (folder / "config").write_text(f"[profile role]\nrole_arn={role}\nsource_profile=base\nexternal_id=a/b\n"
                                           f"[profile base]\naws_access_key_id={key['AccessKeyId']}\naws_secret_access_key={secret}\n")
            return {"AWS_CONFIG_FILE": str(folder / "config")}

        config = keyless(world, profile="role")
        config["endpoints"]["sts"] = world.moto.endpoint
        used, session = run(world, files(key["SecretAccessKey"]), config)
        assert used.startswith("ASIA") and session
        answer = refused(world, files("wrong"), keyless(world, profile="role") | {"endpoints": config["endpoints"]})
        assert answer["code"] == DENIED and "sts:AssumeRole" in answer["message"], answer

        at_moto = keyless(world, profile="base") | {"endpoints": {"dynamodb": world.moto.endpoint}}
        good = with_environment(world, files(key["SecretAccessKey"]))
        opened = good.open(at_moto)
        written = Store(good).put("p", "s\n\xff", "v", "absent")
        good.close()
        assert opened["code"] == 0 and written["code"] == 0, (opened, written)
        answer = refused(world, files("wrong"), at_moto)
        assert answer["code"] == DENIED and "dynamodb:DescribeTable" in answer["message"], answer
    finally:
        moto(world, "/moto-api/reset-auth", "inf")
