"""Reads the test files of the language (see README.md for the format)."""

import os
import re
from dataclasses import dataclass, field

SECTIONS = ("program", "setup", "table", "output", "stdout", "stderr", "value", "error", "diagnostics", "exit")
HEADERS = ("covers", "args", "function", "flags", "env", "modes", "main", "command", "unordered", "timeout", "stdin",
           "long")
MODES = ("plain", "suspend", "noopt", "fmt")


class FormatError(Exception):
    """A test file that does not follow the format: says which file and line."""


@dataclass
class Row:
    """A line of a table: an expression and its value in source form, or `! kind`."""
    line: int
    expression: str
    expected: str


@dataclass
class Case:
    path: str      # relative to tests/lang, without .test
    line: int
    name: str
    covers: list = field(default_factory=list)
    headers: dict = field(default_factory=dict)
    files: dict = field(default_factory=dict)      # path -> bytes
    generated: dict = field(default_factory=dict)  # path -> Python expression
    sections: dict = field(default_factory=dict)   # name -> list of lines
    rows: list = field(default_factory=list)

    @property
    def title(self):
        return "%s:%d %s" % (self.path, self.line, self.name)

    @property
    def main(self):
        return self.headers.get("main", "main.tl")

    def is_long(self, mode):
        return mode in self.headers.get("long", "").split()

    def modes(self):
        return self.headers["modes"].split() if "modes" in self.headers else list(MODES)

    def all_files(self):
        """Every file of the case with its bytes."""
        made = dict(self.files)
        for path, code in self.generated.items():
            content = eval(code, {})  # the test files are part of this repository
            made[path] = content if isinstance(content, bytes) else content.encode()
        if self.rows:
            made[self.main] = self.table_program().encode()
        elif "program" in self.sections:
            made[self.main] = ("\n".join(self.sections["program"]) + "\n").encode()
        return made

    def table_program(self):
        lines = list(self.sections.get("setup", []))
        for number, row in enumerate(self.rows):
            lines.append("fn row_%d() { %s }" % (number, row.expression))
        lines.append("fn main() {")
        for number, _ in enumerate(self.rows):
            lines.append('  print(try { [row_%d()] } catch e { "! " + e.kind })' % number)
        lines += ["  null", "}"]
        return "\n".join(lines) + "\n"

    def expects_error(self):
        """The program does not compile."""
        if self.sections.get("exit") == ["2"]:
            return True
        return any(": error:" in line for line in self.sections.get("diagnostics", []))


def _strip_blank_end(lines):
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def _finish(case, path):
    for name in case.sections:
        if name != "table":
            _strip_blank_end(case.sections[name])
    for number, text in case.sections.pop("table", []):
        if not text.strip() or text.startswith("//"):
            continue
        expression, arrow, expected = text.rpartition(" => ")
        if not arrow:
            raise FormatError("%s:%d: a row of a table is `expression => value`" % (path, number))
        case.rows.append(Row(number, expression.strip(), expected.strip()))
    expects = case.rows or any(s in case.sections for s in SECTIONS if s not in ("program", "setup", "table"))
    if not expects:
        raise FormatError("%s:%d: the case expects nothing" % (path, case.line))


def read_cases(root, path):
    """The cases of one file. `path` is relative to `root`."""
    cases, case, target = [], None, None
    name = path[:-len(".test")]
    with open(os.path.join(root, path), encoding="utf-8") as file:
        lines = file.read().split("\n")
    for number, text in enumerate(lines, 1):
        if text.startswith("=== "):
            if case:
                _finish(case, path)
            case, target = Case(name, number, text[4:].strip()), None
            cases.append(case)
        elif case is None:
            if text.strip() and not text.startswith("#"):
                raise FormatError("%s:%d: text before the first case" % (path, number))
        elif text.startswith("--- "):
            head, _, rest = text[4:].partition(":")
            head, rest = head.strip(), rest.strip()
            if head == "file":
                target = case.sections.setdefault("file:" + rest, [])
            elif head == "hex":
                target = case.sections.setdefault("hex:" + rest, [])
            elif head == "generate":
                target = case.sections.setdefault("generate:" + rest, [])
            elif head in SECTIONS and head not in case.sections:
                target = case.sections[head] = [rest] if rest else []
            else:
                raise FormatError("%s:%d: unknown or repeated section `%s`" % (path, number, head))
            if head == "table":
                target = case.sections["table"] = []
        elif target is None:
            if not text.strip():
                continue
            head, colon, rest = text.partition(":")
            if not colon or head not in HEADERS:
                raise FormatError("%s:%d: unknown header `%s`" % (path, number, head))
            if head == "covers":
                case.covers += rest.split()
            else:
                case.headers[head] = rest.strip()
        else:
            target.append((number, text) if target is case.sections.get("table") else text)
    if case:
        _finish(case, path)
    for case in cases:
        for section in [s for s in case.sections if ":" in s]:
            kind, _, target_path = section.partition(":")
            content = _strip_blank_end(case.sections.pop(section))
            if kind == "file":
                case.files[target_path] = ("\n".join(content) + "\n").encode()
            elif kind == "hex":
                case.files[target_path] = bytes.fromhex("".join(content))
            else:
                case.generated[target_path] = " ".join(content)
        if not (case.rows or "program" in case.sections or case.main in case.files or case.main in case.generated
                or "command" in case.headers):
            raise FormatError("%s: the case has no program" % case.title)
    return cases


def all_cases(root):
    """The cases of every *.test file below `root`, in order of path."""
    cases = []
    for folder, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            if name.endswith(".test"):
                cases += read_cases(root, os.path.relpath(os.path.join(folder, name), root))
    seen = {}
    for case in cases:
        key = (case.path, case.name)
        if key in seen:
            raise FormatError("%s: a case of this name stands in line %d" % (case.title, seen[key]))
        seen[key] = case.line
    return cases


DIAGNOSTIC = re.compile(r"^(?P<file>[^\n]*?):(?P<line>\d+):(?P<col>\d+): (?P<severity>error|warning): (?P<message>.*)$")
