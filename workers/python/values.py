# Which values can be carried to the host, and the making of those that can.


def is_plain(value):
    """Whether `value` is made of the exact types that marshal carries, and not too deep or too large.

    Works a level at a time with the loops of C, since it sees every result. marshal itself would take too much: it
    writes anything with a buffer (a NumPy array, say) as bytes.
    """
    level = [value]
    depth = 0
    containers = 0
    while level:
        depth += 1
        containers += len(level)
        if depth > DEPTH_MAX or containers > CONTAINERS_MAX:
            return False
        below = []
        for item in level:
            if type(item) is dict:
                keys = set(map(type, item))
                if not keys <= SCALARS:
                    if not keys - SCALARS <= {tuple}:
                        return False
                    below.extend([key for key in item if type(key) is tuple])
                item = item.values()
            kinds = set(map(type, item))
            if not kinds <= SCALARS:
                if not kinds - SCALARS <= CONTAINERS:
                    return False
                below.extend([part for part in item if type(part) in CONTAINERS])
        level = below
    return True


_HINTS = {
    "datetime.datetime": "return value.isoformat() or value.timestamp()",
    "datetime.date": "return value.isoformat()",
    "datetime.timedelta": "return value.total_seconds()",
    "decimal.Decimal": "return str(value) or float(value)",
    "fractions.Fraction": "return str(value) or float(value)",
    "uuid.UUID": "return str(value)",
    "numpy.ndarray": "return value.tolist()",
    "set": "return a list: sorted(value) or list(value)",
    "frozenset": "return a list: sorted(value) or list(value)",
    "bytearray": "return bytes(value)",
    "memoryview": "return bytes(value)",
    "generator": "return list(value)",
    "range": "return list(value)",
    "coroutine": "await it, or declare the function with `async def`",
    "complex": "return [value.real, value.imag]",
}


def type_name(value):
    kind = type(value)
    module = getattr(kind, "__module__", "builtins")
    name = getattr(kind, "__qualname__", kind.__name__)
    return name if module in ("builtins", None) else "%s.%s" % (module, name)


def hint_for(value):
    name = type_name(value)
    if name in _HINTS:
        return _HINTS[name]
    if isinstance(value, os.PathLike):
        return "return str(value)"
    if hasattr(type(value), "__dataclass_fields__"):
        return "return dataclasses.asdict(value)"
    if name.split(".")[0] == "numpy":
        return "return value.item()"
    if hasattr(type(value), "keys") and hasattr(type(value), "__getitem__"):
        return "return dict(value)"
    return "return None, bool, int, float, str, bytes, list, tuple or dict"


def field_path(path, key):
    if isinstance(key, str) and key.isidentifier():
        return "%s.%s" % (path, key)
    try:
        text = repr(key)
    except Exception:  # user code may do anything in __repr__
        text = "?"
    return "%s[%s]" % (path, text if len(text) <= 60 else text[:57] + "...")


def convert(value, path, depth, budget):
    """A copy of `value` in exact types: subclasses become what they extend. Raises CarryError naming the path."""
    if type(value) in SCALARS:
        return value
    # The base class's own methods: a subclass may override any of them.
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, bytes):
        return b"".join((value, b""))
    if not isinstance(value, (list, tuple, dict)):
        raise CarryError("type", "%s is a %s, which Teal has no value for; %s" % (path, type_name(value), hint_for(value)))
    budget[0] -= 1
    if depth >= DEPTH_MAX:
        raise CarryError("type", "%s is nested deeper than %d, or contains itself; return a flatter value" %
                         (path if len(path) < 200 else path[:197] + "...", DEPTH_MAX))
    if budget[0] < 0:
        raise CarryError("limit", "%s is larger than the 64 MiB of one value; write it to a file and return its name" %
                         path.split("[")[0].split(".")[0])
    if isinstance(value, dict):
        result = {}
        for key, item in dict.items(value):
            where = field_path(path, key)
            result[_convert_key(key, path, depth + 1, budget)] = convert(item, where, depth + 1, budget)
        return result
    parts = list.__iter__(value) if isinstance(value, list) else tuple.__iter__(value)
    return [convert(item, "%s[%d]" % (path, i), depth + 1, budget) for i, item in enumerate(parts)]


def _convert_key(key, path, depth, budget):
    if type(key) in SCALARS:
        return key
    if isinstance(key, tuple):
        return _as_tuple(convert(key, "a key of " + path, depth, budget))
    return convert(key, "a key of " + path, depth, budget)


def _as_tuple(value):
    return tuple(map(_as_tuple, value)) if type(value) is list else value


def carry(value, path="result"):
    """`value` itself if marshal can carry it, else a copy in plain types. Raises CarryError."""
    if type(value) in SCALARS:
        return value
    if type(value) in CONTAINERS and is_plain(value):
        return value
    return convert(value, path, 0, [CONTAINERS_MAX])
