"""Compares what `teal` did with what a case expects. Gives complaints: texts, none when all is well."""

import difflib
import json
import re

from cases import DIAGNOSTIC


def _diff(what, expected, actual):
    lines = difflib.unified_diff(expected, actual, "expected " + what, "actual " + what, lineterm="", n=3)
    return "\n".join(lines)


def _matches(expected, actual):
    """`~pattern` is searched for; anything else must be equal."""
    return re.search(expected[1:], actual) is not None if expected.startswith("~") else expected == actual


def _tail(outcome):
    text = outcome.stderr.strip() or outcome.stdout.strip()
    return "exit code %d; %s" % (outcome.code, text[-1500:] or "nothing was said")


def parse_diagnostics(stderr):
    """[(file, line, col, severity, message, hint)] of the text form, and complaints about that form."""
    found, complaints = [], []
    lines = stderr.split("\n")
    for at, text in enumerate(lines):
        match = DIAGNOSTIC.match(text)
        if not match:
            continue
        hint, caret = "", None
        for follow in lines[at + 1:at + 4]:
            if DIAGNOSTIC.match(follow):
                break
            if follow.startswith("hint: "):
                hint = follow[6:]
                break
            if re.fullmatch(r"\s*\^~*", follow):
                caret = follow.index("^") + 1
        if match["severity"] == "error" and not hint:
            complaints.append("an error without a hint: " + text)
        column = int(match["col"])
        # Lines over 400 columns are shown in part, the caret then stands elsewhere.
        if caret is not None and column < 300 and caret != column:
            complaints.append("the caret stands in column %d: %s" % (caret, text))
        found.append((match["file"], match["line"], match["col"], match["severity"], match["message"], hint))
    return found, complaints


def _check_diagnostics(case, outcome):
    found, complaints = parse_diagnostics(outcome.stderr)
    shown = ["%s%s:%s: %s: %s | hint: %s" % ("" if f == case.main else f + ":", l, c, s, m, h) for f, l, c, s, m, h in found]
    expected = [line for line in case.sections["diagnostics"] if line.strip()]
    same = len(expected) == len(found)
    for want, got, text in zip(expected, found, shown):
        head, _, hint = want.partition(" | hint: ")
        match = DIAGNOSTIC.match(head if head.count(":") >= 4 and not head[0].isdigit() else case.main + ":" + head)
        if match is None:
            return ["not a diagnostic: " + want]
        same = same and (match["file"], match["line"], match["col"], match["severity"]) == got[:4]
        same = same and _matches(match["message"], got[4]) and (not hint or _matches(hint, got[5]))
    if not same:
        complaints.append(_diff("diagnostics", expected, shown) + "\n" + _tail(outcome))
    return complaints


def _result_line(outcome):
    """The last line of `teal run --json`, or None."""
    lines = outcome.stdout.strip().split("\n")
    try:
        answer = json.loads(lines[-1])
    except ValueError:
        return None
    return answer if isinstance(answer, dict) and "status" in answer else None


def _check_error(case, answer, positions):
    expected = [line for line in case.sections["error"] if line.strip()]
    error = answer.get("error")
    if not error:
        return ["no error, but: " + json.dumps(answer)[:1500]]
    complaints = []
    kind, _, message = expected[0].partition(": ")
    if kind != error["kind"] or (message and not _matches(message, error["message"])):
        complaints.append("error: expected `%s`, got `%s: %s`" % (expected[0], error["kind"], error["message"]))
    for line in expected[1:]:
        if line.startswith("data: ") and json.loads(line[6:]) != error.get("data"):
            complaints.append("error data: expected %s, got %s" % (line[6:], json.dumps(error.get("data"))))
    trace = [line for line in expected[1:] if not line.startswith("data: ")]
    if trace:
        actual = ["%s@%s:%s" % (t["function"], t["file"], t["line"]) for t in error.get("trace") or []]
        if not positions:
            trace, actual = [t.rpartition(":")[0] for t in trace], [t.rpartition(":")[0] for t in actual]
        if trace != actual:
            complaints.append(_diff("trace", trace, actual))
    return complaints


def _output_lines(output):
    """The lines of the field `output`: a text, a list of texts or of objects with a `text`."""
    if isinstance(output, str):
        return output.split("\n")[:-1] if output.endswith("\n") else output.split("\n") if output else []
    return [line if isinstance(line, str) else line.get("text", line.get("line", "")) for line in output or []]


def _check_lines(case, what, expected, actual):
    if "unordered" in case.headers:
        expected, actual = sorted(expected), sorted(actual)
    return [] if expected == actual else [_diff(what, expected, actual)]


def _check_table(case, outcome):
    actual = outcome.stdout.split("\n")[:-1]
    if outcome.code != 0 or len(actual) != len(case.rows):
        complaint = "the table ended early: " + _tail(outcome)
        return [complaint] * max(1, len(case.rows))
    complaints = []
    for row, got in zip(case.rows, actual):
        want = row.expected if row.expected.startswith("! ") else "[%s]" % row.expected
        if got != want:
            shown = got[1:-1] if got.startswith("[") else got
            complaints.append("line %d: %s\n  expected %s\n  actual   %s" % (row.line, row.expression, row.expected, shown))
    return complaints


def check(case, outcome, positions):
    """`positions`: line and column numbers are compared too (not after formatting)."""
    if case.rows:
        return _check_table(case, outcome)
    sections, complaints = case.sections, []
    if "diagnostics" in sections and (positions or case.expects_error()):
        complaints += _check_diagnostics(case, outcome)
    exit_code = int(sections["exit"][0]) if "exit" in sections else 2 if case.expects_error() else \
        1 if "error" in sections else 0
    if outcome.code != exit_code:
        complaints.append("expected exit code %d: %s" % (exit_code, _tail(outcome)))
    if "error" in sections:
        answer = _result_line(outcome)
        if answer is None:
            return complaints + ["no answer in JSON: " + _tail(outcome)]
        complaints += _check_error(case, answer, positions)
        if "output" in sections:
            complaints += _check_lines(case, "output", sections["output"], _output_lines(answer.get("output")))
    elif "output" in sections or "value" in sections:
        actual = outcome.stdout.split("\n")
        actual = actual[:-1] if actual and not actual[-1] else actual
        value = sections.get("value", [])
        if "output" in sections:
            expected = sections["output"] + value
        else:
            expected, actual = value, actual[-len(value):]
        complaints += _check_lines(case, "output and value", expected, actual)
        if complaints and outcome.stderr.strip():
            complaints.append(_tail(outcome))
    if "stdout" in sections:
        complaints += _check_lines(case, "stdout", sections["stdout"], outcome.stdout.splitlines())
    for pattern in sections.get("stderr", []):
        if pattern.strip() and not re.search(pattern, outcome.stderr):
            complaints.append("standard error does not match `%s`: %s" % (pattern, _tail(outcome)))
    return complaints
