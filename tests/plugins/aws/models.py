"""Checks recorded requests against AWS's own service models, which botocore carries: required members, unknown members, types,
minimum and maximum, enumerations, patterns, unions. `python models.py dynamodb|s3 requests.jsonl` prints what is wrong.
"""

import base64
import json
import re
import sys
import urllib.parse
import xml.etree.ElementTree as ET

import botocore.session

UNCHECKED_HEADERS = {"host", "authorization", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token", "x-amz-target", "accept",
                     "accept-encoding", "connection", "content-length", "user-agent", "traceparent", "expect"}


class Checker:
    def __init__(self, service):
        self.service = service
        self.model = botocore.session.Session().get_service_model(service)
        self.wrong = []
        self.seen = {}

    def say(self, path, text):
        self.wrong.append(f"{path}: {text}")

    def shape(self, shape, value, path):
        getattr(self, "check_" + shape.type_name, self.check_scalar)(shape, value, path)

    def check_structure(self, shape, value, path):
        if not isinstance(value, dict):
            return self.say(path, "is no structure")
        for name in shape.required_members:
            if name not in value:
                self.say(path, f"lacks the required member {name}")
        for name, member in value.items():
            if name not in shape.members:
                self.say(path, f"has the unknown member {name}")
            else:
                self.shape(shape.members[name], member, f"{path}.{name}")
        if getattr(shape, "is_tagged_union", False) and len(value) != 1:
            self.say(path, f"is a union with {len(value)} members")

    def check_list(self, shape, value, path):
        if not isinstance(value, list):
            return self.say(path, "is no list")
        self.bounds(shape, len(value), path)
        for i, member in enumerate(value):
            self.shape(shape.member, member, f"{path}[{i}]")

    def check_map(self, shape, value, path):
        if not isinstance(value, dict):
            return self.say(path, "is no map")
        self.bounds(shape, len(value), path)
        for key, member in value.items():
            self.shape(shape.key, key, f"{path} key {key}")
            self.shape(shape.value, member, f"{path}.{key}")

    def check_string(self, shape, value, path):
        if not isinstance(value, str):
            return self.say(path, "is no string")
        self.bounds(shape, len(value), path)
        enum = shape.metadata.get("enum")
        if enum and value not in enum:
            self.say(path, f"{value!r} is none of {enum}")
        pattern = shape.metadata.get("pattern")
        if pattern and not re.fullmatch(pattern, value):
            self.say(path, f"{value!r} does not fit {pattern}")

    def check_blob(self, shape, value, path):
        try:
            raw = base64.b64decode(value, validate=True)
        except (ValueError, TypeError):
            return self.say(path, "is no base64")
        self.bounds(shape, len(raw), path)

    def check_boolean(self, shape, value, path):
        if not isinstance(value, bool):
            self.say(path, "is no boolean")

    def check_integer(self, shape, value, path):
        if not isinstance(value, int) or isinstance(value, bool):
            return self.say(path, "is no integer")
        self.bounds(shape, value, path)

    check_long = check_integer

    def check_scalar(self, shape, value, path):
        self.say(path, f"has the type {shape.type_name}, which this check does not know")

    def bounds(self, shape, size, path):
        if size < shape.metadata.get("min", size) or size > shape.metadata.get("max", size):
            self.say(path, f"{size} is out of {shape.metadata.get('min')}…{shape.metadata.get('max')}")

    # ---- JSON protocol ----

    def json_request(self, entry):
        headers = {name.lower(): value for name, value in entry["headers"]}
        target = headers.get("x-amz-target", "")
        prefix, _, name = target.partition(".")
        if prefix != self.model.metadata["targetPrefix"] or name not in self.model.operation_names:
            return self.say(target, "is no operation")
        self.seen[name] = self.seen.get(name, 0) + 1
        if headers.get("content-type") != "application/x-amz-json-" + self.model.metadata["jsonVersion"]:
            self.say(name, f"has the content type {headers.get('content-type')}")
        if entry["method"] != "POST" or entry["target"] != "/":
            self.say(name, f"is sent as {entry['method']} {entry['target']}")
        self.shape(self.model.operation_model(name).input_shape, json.loads(base64.b64decode(entry["body"])), name)

    # ---- REST-XML: what does not stand in the body stands in the path, the query or the headers ----

    def rest_request(self, entry):
        path, _, query = entry["target"].partition("?")
        pairs = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        found = [op for op in map(self.model.operation_model, self.model.operation_names) if self.fits(op, entry["method"], path, pairs)]
        if not found:
            return self.say(f"{entry['method']} {entry['target']}", "is no operation")
        # The one that asks for most of the query, and of those the one that has no other required members.
        operation = max(found, key=lambda op: (len(self.literal_query(op)), self.required_query(op), -len(self.required_headers(op))))
        self.seen[operation.name] = self.seen.get(operation.name, 0) + 1
        self.rest_members(operation, entry, path, pairs)

    @staticmethod
    def literal_query(operation):
        return dict(urllib.parse.parse_qsl(operation.http["requestUri"].partition("?")[2], keep_blank_values=True))

    @staticmethod
    def required_query(operation):
        shape = operation.input_shape
        return sum(shape.members[m].serialization.get("location") == "querystring" for m in shape.required_members)

    @staticmethod
    def required_headers(operation):
        shape = operation.input_shape
        return [shape.members[m].serialization["name"].lower() for m in shape.required_members
                if shape.members[m].serialization.get("location") == "header"]

    def fits(self, operation, method, path, pairs):
        if operation.http["method"] != method or operation.input_shape is None:
            return False
        has_key = path.count("/") >= 2 and path.split("/", 2)[2] != ""
        if ("{Key+}" in operation.http["requestUri"]) != has_key:
            return False
        if any(pairs.get(name) != value for name, value in self.literal_query(operation).items() if name != "x-id"):
            return False
        shape = operation.input_shape
        return all(shape.members[m].serialization["name"] in pairs for m in shape.required_members
                   if shape.members[m].serialization.get("location") == "querystring")

    def rest_members(self, operation, entry, path, pairs):
        shape = operation.input_shape
        name = operation.name
        given = {}
        by_place = {(member.serialization.get("location", "body"), member.serialization.get("name", key).lower()): key
                    for key, member in shape.members.items()}
        known = self.literal_query(operation)
        for key, value in pairs.items():
            member = by_place.get(("querystring", key.lower()))
            if member:
                given[member] = value
            elif key not in known:
                self.say(name, f"has the unknown query parameter {key}")
        for key, value in entry["headers"]:
            member = by_place.get(("header", key.lower()))
            if member:
                given[member] = value
            elif key.lower() not in UNCHECKED_HEADERS and key.lower() != "content-type":
                self.say(name, f"has the unknown header {key}")
        bucket, _, key = path[1:].partition("/")
        given["Bucket"], given["Key"] = urllib.parse.unquote(bucket), urllib.parse.unquote(key)
        body = base64.b64decode(entry["body"])
        payload = shape.serialization.get("payload")
        if payload and shape.members[payload].type_name == "structure" and body:
            given[payload] = self.from_xml(shape.members[payload], ET.fromstring(body), name)
        elif payload and body:
            given[payload] = base64.b64encode(body).decode()
        elif body:
            self.say(name, "has a body that nobody asked for")
        for key, value in list(given.items()):
            member = shape.members[key]
            if member.type_name in ("integer", "long") and isinstance(value, str):
                given[key] = int(value)
        self.shape(shape, given, name)

    def from_xml(self, shape, element, path):
        out = {}
        by_name = {member.serialization.get("name", key): key for key, member in shape.members.items()}
        for child in element:
            tag = child.tag.rpartition("}")[2]
            key = by_name.get(tag)
            if key is None:
                self.say(path, f"has the unknown element {tag}")
                continue
            member = shape.members[key]
            if member.type_name == "list":
                item = member.member
                out.setdefault(key, []).append(self.from_xml(item, child, f"{path}.{key}") if item.type_name == "structure" else child.text)
            elif member.type_name == "structure":
                out[key] = self.from_xml(member, child, f"{path}.{key}")
            else:
                out[key] = int(child.text) if member.type_name in ("integer", "long") else child.text
        return out

    def request(self, entry):
        if self.model.metadata["protocol"] == "json":
            self.json_request(entry)
        else:
            self.rest_request(entry)


def check(service, lines):
    """(operations seen with their counts, what is wrong, each once)."""
    checker = Checker(service)
    for line in lines:
        checker.request(json.loads(line))
    return checker.seen, sorted(set(checker.wrong))


if __name__ == "__main__":
    with open(sys.argv[2]) as lines:
        operations, wrong = check(sys.argv[1], lines)
    print(operations)
    print("\n".join(wrong))
    sys.exit(1 if wrong else 0)
