"""The Python worker of Teal: runs foreign functions in one process, for as long as its host lives.

The host starts this file with fd 3, a stream socket that carries frames of messages, and fd 4, a shared memory file
whose first words tell the host which call has begun. docs/formats/worker-protocol.md describes both to the byte.

Who runs where:
  main thread   reads frames and runs `def` functions one at a time, in order: read, execute, write, nothing else.
  loop thread   an asyncio loop for `async def` functions, started with the first of them.
  attendant     wakes while the worker is busy. When one `def` call lasts, it takes over reading (cancellations, calls
                of async functions), sends the results that wait, and what the running calls have printed.

Rules for correctness:
  1. Only the holder of `read_lock` reads the socket; only the holder of `send_lock` writes to it.
  2. Messages leave through the list `out`: anybody appends; only the holder of `send_lock` removes, from the front.
  3. A call is marked in shared memory before its function is entered: the host never takes a begun call for a fresh one.
  4. Nothing that user code raises, prints or returns may end this process or reach the socket unchecked.

Standard library only; Python 3.8 and later.
"""

import asyncio
import collections
import contextvars
import difflib
import faulthandler
import fcntl
import importlib
import importlib.util
import inspect
import io
import marshal
import mmap
import os
import select
import signal
import socket
import sys
import threading
import time
import traceback
import types

PROTOCOL_MIN = 1
PROTOCOL_MAX = 1
CODEC = "marshal-2"
MARSHAL_VERSION = 2

SOCKET_FD = 3
SHARED_FD = 4
SHARED_BYTES = 4096
SOCKET_FD_MOVED = 100  # out of the way of code that closes 3, or takes it for its own

EXIT_DISCONNECTED = 3
EXIT_NO_VERSION = 4

# Messages of the host.
HELLO, LOAD, CALL, CANCEL, RECALL, SHUTDOWN = range(6)
# Messages of the worker.
WELCOME, LOADED, RESULT, ERROR, OUTPUT, HEARTBEAT, LOG, RECALLED = range(8)

DEPTH_MAX = 100
VALUE_BYTES_MAX = 64 << 20
CONTAINERS_MAX = VALUE_BYTES_MAX // 5  # a container takes five bytes at least
FRAME_BYTES_SOFT = 64 << 20  # a batch above this is sent one message a frame
BATCH_MAX = 32
BATCH_SECONDS = 0.001
LARGE_RESULT_CHARS = 1 << 20  # not held back for a batch
OUTPUT_CHARS_MAX = 64 << 10  # printed text a call may hold before it is sent
OUTPUT_SECONDS = 0.05
ATTENDANT_SECONDS = 0.01  # a call that lasts longer is attended
ATTENDANT_IDLE_ROUNDS = 100  # then the attendant sleeps until there is work again
TEXT_CHARS_MAX = 64 << 10  # of an error's message and of its traceback's text
TRACE_FRAMES_MAX = 200

SCALARS = frozenset((type(None), bool, int, float, str, bytes))
CONTAINERS = frozenset((list, tuple, dict))

_current = contextvars.ContextVar("teal_call", default=None)
_worker_file = __file__ if "__file__" in globals() else "teal_worker.py"


class CarryError(Exception):
    """A value that cannot be carried to the host. `kind` is the kind of the Teal error."""

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


# ---- Values -------------------------------------------------------------------------------------------------------


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


# ---- Secrets ------------------------------------------------------------------------------------------------------


def mask(text, secrets):
    """`text` with every secret replaced by ***."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    return text


def held_back(text, secrets):
    """How many characters at the end of `text` may be the beginning of a secret that is still being printed."""
    longest = 0
    for secret in secrets:
        for size in range(min(len(secret) - 1, len(text)), longest, -1):
            if text.endswith(secret[:size]):
                longest = size
                break
    return longest


def mask_deep(value, secrets):
    if type(value) is str:
        return mask(value, secrets)
    if type(value) in (list, tuple):
        return type(value)([mask_deep(item, secrets) for item in value])
    if type(value) is dict:
        return {mask_deep(key, secrets): mask_deep(item, secrets) for key, item in value.items()}
    return value


# ---- Calls --------------------------------------------------------------------------------------------------------


class Call:
    """One call; also what `teal.context()` gives. `message` is (CALL, id, function, args, kwargs, session, thread,
    step, attempt, deadline, secrets)."""

    __slots__ = ("_message", "_text", "_chars", "_cancelled", "_done", "_task")

    def __init__(self, message):
        self._message = message
        self._text = []  # pieces printed: str to stdout, (str,) to stderr
        self._chars = 0
        self._cancelled = False
        self._done = False
        self._task = None

    session = property(lambda self: self._message[5], doc="Id of the session.")
    thread = property(lambda self: self._message[6], doc="Id of the thread in the session.")
    step = property(lambda self: self._message[7], doc="Number of the step in the thread.")
    attempt = property(lambda self: self._message[8], doc="1 at the first attempt.")
    key = property(lambda self: "%s/%s/%s" % self._message[5:8],
                   doc="Idempotency key: the same at every attempt of this step, and of no other.")
    deadline = property(lambda self: self._message[9], doc="Unix seconds, or None.")

    def cancelled(self):
        """True once the caller wants this call to end."""
        return self._cancelled

    def __repr__(self):
        return "<teal.context %s attempt %s>" % (self.key, self.attempt)


def take_output(call, final):
    """What `call` printed since the last time, as [stream, text, ...], or None. Masks secrets."""
    pieces = call._text
    count = len(pieces)
    if not count:
        return None
    taken = pieces[:count]
    del pieces[:count]
    call._chars = 0
    secrets = call._message[10]
    if not secrets:
        try:
            return [1, "".join(taken)]
        except TypeError:
            pass  # some went to standard error
    runs = []
    for piece in taken:
        stream, text = (1, piece) if type(piece) is str else (2, piece[0])
        if runs and runs[-2] == stream:
            runs[-1].append(text)
        else:
            runs += (stream, [text])
    for i in range(1, len(runs), 2):
        text = "".join(runs[i])
        if secrets:
            text = mask(text, secrets)
            keep = 0 if final or i != len(runs) - 1 else held_back(text, secrets)
            if keep:
                rest = text[-keep:]
                pieces.insert(0, rest if runs[i - 1] == 1 else (rest,))
                text = text[:-keep]
        runs[i] = text
    return runs


class Writer(io.TextIOBase):
    """sys.stdout or sys.stderr: gives each text to the call that prints it."""

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, worker, stream):
        super().__init__()
        self._worker = worker
        self._stream = stream
        self.buffer = BytesWriter(self)

    def write(self, text):
        if type(text) is not str:
            if not isinstance(text, str):
                raise TypeError("write() argument must be str, not " + type(text).__name__)
            text = str.__str__(text)
        call = _current.get()
        if call is None or call._done:
            call = self._worker.call_of_thread()
            if call is None:
                self._worker.stray(self._stream, text)
                return len(text)
        call._text.append(text if self._stream == 1 else (text,))
        call._chars += len(text)
        if call._chars > OUTPUT_CHARS_MAX:
            self._worker.send_output(call)
            self._worker.flush()
        return len(text)

    def writable(self):
        return True

    def fileno(self):
        return self._stream

    def flush(self):
        pass

    def close(self):
        pass  # user code that closes its output must not silence the calls after it


class BytesWriter(io.RawIOBase):
    """sys.stdout.buffer: bytes are taken as UTF-8, others than that become U+FFFD."""

    def __init__(self, writer):
        super().__init__()
        self._writer = writer

    def write(self, data):
        data = bytes(data)
        self._writer.write(data.decode("utf-8", "replace"))
        return len(data)

    def writable(self):
        return True

    def close(self):
        pass


# ---- Errors -------------------------------------------------------------------------------------------------------


def shorten(text):
    if len(text) <= TEXT_CHARS_MAX:
        return text
    half = TEXT_CHARS_MAX // 2
    return "%s\n... (%d characters left out) ...\n%s" % (text[:half], len(text) - 2 * half, text[-half:])


def message_of(error):
    try:
        return shorten(str(error))
    except BaseException as failure:  # a broken __str__ must not hide the error
        return "(its message could not be made: %s)" % type(failure).__name__


def user_traceback(error):
    """The traceback of `error` from the first frame that is not of this file."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == _worker_file:
        trace = trace.tb_next
    return trace


def describe(error):
    """(frames, text): frames as [file, line, function], outermost first; text as Python prints it, with causes."""
    trace = user_traceback(error)
    frames = []
    try:
        for frame, line in traceback.walk_tb(trace):
            frames.append([frame.f_code.co_filename, line or 0, frame.f_code.co_name])
        if len(frames) > TRACE_FRAMES_MAX:
            half = TRACE_FRAMES_MAX // 2
            frames = frames[:half] + frames[-half:]
        text = shorten("".join(traceback.format_exception(type(error), error, trace)))
    except BaseException as failure:  # user code runs here: __str__, __repr__, a source loader
        text = "(the traceback could not be made: %s)\n" % type(failure).__name__
    return frames, text


def error_message(call, error, kind=None):
    """The ERROR message for `error`, which ended `call`."""
    frames, text = describe(error)
    message = message_of(error)
    data = None
    try:
        data = carry(getattr(error, "data", None), "data")
    except BaseException:
        pass  # an attribute of that name that is no Teal value is not meant for Teal
    secrets = call._message[10]
    if secrets:
        message, text, frames, data = (mask_deep(part, secrets) for part in (message, text, frames, data))
    return (ERROR, call._message[1], kind or type(error).__name__, message, frames, text, data, take_output(call, True))


def carry_error_message(call, error, name):
    message = str(error)
    secrets = call._message[10]
    if secrets:
        message = mask(message, secrets)
    return (ERROR, call._message[1], error.kind, "%s: %s" % (name, message), [], "", None, take_output(call, True))


# ---- Loading ------------------------------------------------------------------------------------------------------


def load_failure(module, function, kind, message, file=None, line=0, hint=None, text=""):
    return [module, function, kind, message, file, line or 0, hint, text]


def nearest(name, known):
    match = difflib.get_close_matches(name, known, 1, 0.6)
    return "did you mean `%s`?" % match[0] if match else None


def module_names(folder, module):
    """Importable names beside `module`, to find the one that was meant."""
    parts = module.split(".")[:-1]
    try:
        entries = os.listdir(os.path.join(folder, *parts))
    except OSError:
        return []
    names = []
    for entry in sorted(entries):
        stem, extension = os.path.splitext(entry)
        if extension == ".py" or (not extension and os.path.isdir(os.path.join(folder, *(parts + [entry])))):
            names.append(".".join(parts + [stem]))
    return names


def import_user_module(name, folder):
    """(module, None) or (None, failure)."""
    try:
        return importlib.import_module(name), None
    except SyntaxError as error:
        _, text = describe(error)
        return None, load_failure(name, None, "syntax", error.msg or "invalid syntax", error.filename, error.lineno,
                                  (error.text or "").strip() or None, text)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if missing == name or name.startswith(missing + "."):
            hint = nearest(name, module_names(folder, name))
            return None, load_failure(name, None, "missing_module", "there is no Python module `%s` (looked in %s first)" %
                                      (missing, folder), None, 0, hint or "a module a.b is the file a/b.py")
        hint = "install it into the Python that runs the program, %s" % sys.executable
        return None, _raised_at_import(name, error, hint)
    except BaseException as error:  # whatever a module does at import is an error of that module
        return None, _raised_at_import(name, error, None)


def _raised_at_import(name, error, hint):
    file, line = None, 0
    for frame, number in traceback.walk_tb(user_traceback(error)):
        if "importlib" not in frame.f_code.co_filename:
            file, line = frame.f_code.co_filename, number
    _, text = describe(error)
    return load_failure(name, None, "exception", "importing it raised %s: %s" % (type(error).__name__, message_of(error)),
                        file, line, hint, text)


def find_function(module, name):
    """(function, None) or (None, failure)."""
    file = getattr(module, "__file__", None)
    try:
        function = getattr(module, name)
    except AttributeError:
        known = [key for key, value in vars(module).items() if callable(value)]
        match = difflib.get_close_matches(name, known, 1, 0.6)
        line = 0
        if match:
            code = getattr(inspect.unwrap(getattr(module, match[0])), "__code__", None)
            line = code.co_firstlineno if code else 0
        return None, load_failure(module.__name__, name, "missing_function", "module `%s` has no function `%s`" %
                                  (module.__name__, name), file, line, "did you mean `%s`?" % match[0] if match else None)
    if not callable(function):
        return None, load_failure(module.__name__, name, "not_callable", "`%s` in module `%s` is a %s, not a function" %
                                  (name, module.__name__, type_name(function)), file)
    return function, None


def function_info(function):
    """[is async, least and greatest number of positional arguments (-1: no limit)]."""
    is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))
    least, greatest = 0, 0
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # many builtins do not tell
        return [is_async, 0, -1]
    for parameter in parameters:
        if parameter.kind is parameter.VAR_POSITIONAL:
            greatest = -1
        elif parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            greatest += 1 if greatest >= 0 else 0
            least += 1 if parameter.default is parameter.empty else 0
    return [is_async, least, greatest]


# ---- The worker ---------------------------------------------------------------------------------------------------


class Worker:
    def __init__(self, sock, shared):
        self.sock = sock
        # Native, aligned words, each written in one store: id of the last `def` call begun, when (CLOCK_MONOTONIC
        # seconds), id of the last coroutine begun. The time is written before the id.
        words = memoryview(shared)[:24]
        self.begun = words.cast("Q")
        self.begun_at = words.cast("d")
        self.folder = ""
        self.functions = []
        self.names = []
        self.is_async = []
        self.pending = collections.deque()  # calls of `def` functions not begun
        self.out = []  # messages not sent
        self.read_lock = threading.Lock()
        self.send_lock = threading.Lock()
        self.incoming = bytearray()
        self.running = None  # the `def` call being executed
        self.coroutines = {}  # id -> Call; changed by the loop thread only
        self.loop = None
        self.loop_flush_due = False
        self.attendant = None
        self.attendant_sleeps = False
        self.attendant_wake = threading.Semaphore(0)

    # -- Sending

    def flush(self):
        """Sends all messages of `out`."""
        with self.send_lock:
            out = self.out
            count = len(out)
            if not count:
                return
            batch = out[:count]
            del out[:count]
            try:
                body = marshal.dumps(batch, MARSHAL_VERSION)
                if len(body) <= FRAME_BYTES_SOFT:
                    self._send(body)
                    return
                body = None
            except (ValueError, MemoryError):
                pass  # a value changed under our hands, or is too large: find out which
            for message in batch:
                self._send(self._encode_alone(message))

    def _encode_alone(self, message):
        kind, text = "type", "the result changed while it was sent; return a copy of what other threads change"
        try:
            body = marshal.dumps([message], MARSHAL_VERSION)
            if len(body) <= VALUE_BYTES_MAX + (1 << 20):
                return body
            kind, text = "limit", "the result takes %d MiB, more than the 64 MiB of one value; write it to a file and " \
                                  "return its name" % (len(body) >> 20)
        except MemoryError:
            kind, text = "limit", "there was not enough memory to send the result"
        except ValueError:
            pass
        if message[0] == RESULT:
            message = (ERROR, message[1], kind, text, [], "", None, None)
        elif message[0] == ERROR:
            message = message[:6] + (None, None)
        else:
            message = (LOG, message[1], "error", "something this call sent was dropped: " + text, None)
        return marshal.dumps([message], MARSHAL_VERSION)

    def _send(self, body):
        try:
            header = len(body).to_bytes(4, "little")
            if len(body) < 65536:
                self.sock.sendall(header + body)
            else:
                self.sock.sendall(header)
                self.sock.sendall(body)
        except OSError:
            os._exit(EXIT_DISCONNECTED)  # the host is gone, or user code closed the socket: nobody can be told anything

    def send_output(self, call):
        """Queues what `call` has printed so far."""
        output = take_output(call, False)
        if output:
            self.out.append((OUTPUT, call._message[1], output))

    def stray(self, stream, text):
        """Text printed outside of any call."""
        self.out.append((OUTPUT, 0, [stream, text]))
        if self.running is None or len(self.out) > 1000:
            self.flush()
        self.wake_attendant()

    def call_of_thread(self):
        """The call that started this thread, or the only call there is; None if neither is known."""
        call = getattr(threading.current_thread(), "_teal_call", None)
        if call is not None and not call._done:
            return call
        running = self.running
        if running is not None and not running._done and not self.coroutines:
            return running
        return None

    # -- Reading

    def read(self):
        """Waits for frames and gives out their messages. Precondition: the caller holds `read_lock`."""
        try:
            data = self.sock.recv(65536)
        except OSError:
            os._exit(EXIT_DISCONNECTED)  # user code closed the socket
        if not data:
            os._exit(0)  # the host is gone
        if not self.incoming:
            size = int.from_bytes(data[:4], "little")
            if len(data) == size + 4:  # one whole frame, as nearly always
                self.accept(marshal.loads(memoryview(data)[4:]))
                return
        self.incoming += data
        incoming = self.incoming
        start = 0
        while len(incoming) - start >= 4:
            size = int.from_bytes(incoming[start:start + 4], "little")
            missing = start + 4 + size - len(incoming)
            if missing > 0:
                if missing < 65536 and start:
                    break
                del incoming[:start]
                start = 0
                self._read_rest(size + 4)
            with memoryview(incoming) as view:
                messages = marshal.loads(view[start + 4:start + 4 + size])
            start += 4 + size
            self.accept(messages)
        del incoming[:start]

    def _read_rest(self, size):
        """Reads until `incoming` holds `size` bytes, without copying them twice."""
        filled = len(self.incoming)
        self.incoming.extend(bytes(size - filled))
        with memoryview(self.incoming) as view:
            while filled < size:
                got = self.sock.recv_into(view[filled:])
                if not got:
                    os._exit(0)
                filled += got

    def accept(self, messages):
        """Sorts messages: calls of `def` functions wait for the main thread, all else is done at once."""
        coroutines = None
        is_async = self.is_async
        for message in messages:
            if message[0] == CALL:
                if not is_async[message[2]]:
                    self.pending.append(message)
                elif coroutines is None:
                    coroutines = [message]
                else:
                    coroutines.append(message)
            else:
                if coroutines:
                    self.start_coroutines(coroutines)
                    coroutines = None
                self.control(message)
        if coroutines:
            self.start_coroutines(coroutines)

    def control(self, message):
        kind = message[0]
        if kind == CANCEL:
            self.cancel(message[1])
        elif kind == RECALL:
            dropped = []
            while True:
                try:
                    dropped.append(self.pending.popleft()[1])
                except IndexError:
                    break
            self.out.append((RECALLED, dropped))
            self.flush()
        elif kind == LOAD:
            self.load(message)
        elif kind == HELLO:
            self.hello(message)
        elif kind == SHUTDOWN:
            self.flush()
            if threading.current_thread() is threading.main_thread():
                sys.exit(0)  # runs what user code registered with atexit
            os._exit(0)  # a call is still executing: the host does not wait for it

    def hello(self, message):
        _, least, greatest, codec, folder = message
        if least > PROTOCOL_MAX or greatest < PROTOCOL_MIN or codec != CODEC:
            self.out.append((WELCOME, 0, platform_version(), CODEC, os.getpid()))
            self.flush()
            os._exit(EXIT_NO_VERSION)
        self.folder = folder
        sys.path[:] = [folder] + [entry for entry in sys.path if entry not in ("", folder)]
        install_teal_module(self, folder)
        self.out.append((WELCOME, min(greatest, PROTOCOL_MAX), platform_version(), CODEC, os.getpid()))
        self.flush()

    def load(self, message):
        """Imports every module and finds every function; reports all failures, not only the first."""
        infos, failures = [], []
        for name, functions in message[1]:
            module, failure = import_user_module(name, self.folder)
            if failure:
                failures.append(failure)
                continue
            for function_name in functions:
                function, failure = find_function(module, function_name)
                if failure:
                    failures.append(failure)
                    continue
                info = function_info(function)
                self.functions.append(function)
                self.names.append(function_name)
                self.is_async.append(info[0])
                infos.append(info)
        self.out.append((LOADED, infos, failures))
        self.flush()

    def cancel(self, number):
        running = self.running
        if running is not None and running._message[1] == number:
            running._cancelled = True
            return
        if self.loop is not None:
            self.loop.call_soon_threadsafe(self._cancel_coroutine, number)
        for message in list(self.pending):
            if message[1] == number:
                try:
                    self.pending.remove(message)
                except ValueError:  # begun meanwhile
                    running = self.running
                    if running is not None and running._message[1] == number:
                        running._cancelled = True
                    return
                self.out.append((ERROR, number, "cancelled", "cancelled before it began", [], "", None, None))
                self.flush()
                return

    # -- `def` functions

    def serve(self):
        """The life of the main thread."""
        pending = self.pending
        out = self.out
        monotonic = time.monotonic
        begun, begun_at = self.begun, self.begun_at
        functions, is_async = self.functions, self.is_async
        set_current = _current.set
        copy_context = contextvars.copy_context
        read_lock = self.read_lock
        self.start_attendant()
        flush_at = 0.0
        while True:
            if not pending:
                self.running = None
                set_current(None)
                if out:
                    self.flush()
                with read_lock:
                    if not pending:
                        self.read()
                if self.attendant_sleeps:
                    self.wake_attendant()
                flush_at = monotonic() + BATCH_SECONDS
                continue
            try:
                message = pending.popleft()
            except IndexError:  # recalled by the attendant
                continue
            now = monotonic()
            if out and (now > flush_at or len(out) >= BATCH_MAX):
                self.flush()
                flush_at = now + BATCH_SECONDS
            call = Call(message)
            self.running = call
            begun_at[1] = now
            begun[0] = number = message[1]
            set_current(call)
            try:
                if message[4]:
                    value = copy_context().run(functions[message[2]], *message[3], **message[4])
                else:
                    value = copy_context().run(functions[message[2]], *message[3])
                if type(value) not in SCALARS:
                    value = carry(value)
                elif (type(value) is str or type(value) is bytes) and len(value) > LARGE_RESULT_CHARS:
                    flush_at = 0.0
                call._done = True
                out.append((RESULT, number, value, take_output(call, True) if call._text else None))
            except CarryError as error:
                call._done = True
                if inspect.iscoroutine(value):
                    value.close()
                out.append(carry_error_message(call, error, self.names[message[2]]))
            except BaseException as error:
                call._done = True
                out.append(error_message(call, error))
            value = None

    # -- `async def` functions

    def start_coroutines(self, messages):
        if self.loop is None:
            self.loop = asyncio.new_event_loop()
            threading.Thread(target=self._run_loop, name="teal-loop", daemon=True).start()
        self.loop.call_soon_threadsafe(self._start_coroutines, messages)

    def _run_loop(self):
        asyncio.set_event_loop(self.loop)
        while True:
            try:
                self.loop.run_forever()
            except BaseException:  # SystemExit out of a callback of user code must not end the other coroutines
                traceback.print_exc()

    def _start_coroutines(self, messages):
        if not self.coroutines:
            self.loop.call_later(OUTPUT_SECONDS, self._send_coroutine_output)
        for message in messages:
            call = Call(message)
            self.coroutines[message[1]] = call
            _current.set(call)  # the task copies this context
            call._task = self.loop.create_task(self._run_coroutine(call))
        _current.set(None)

    async def _run_coroutine(self, call):
        message = call._message
        number = message[1]
        self.begun[2] = number
        try:
            value = await self.functions[message[2]](*message[3], **(message[4] or {}))
            reply = (RESULT, number, carry(value), take_output(call, True))
        except CarryError as error:
            reply = carry_error_message(call, error, self.names[message[2]])
        except asyncio.CancelledError as error:
            reply = error_message(call, error, "cancelled" if call._cancelled else None)
        except BaseException as error:
            reply = error_message(call, error)
        call._done = True
        self.coroutines.pop(number, None)
        self.out.append(reply)
        if not self.loop_flush_due:
            self.loop_flush_due = True
            self.loop.call_soon(self._flush_loop)

    def _flush_loop(self):
        self.loop_flush_due = False
        self.flush()

    def _send_coroutine_output(self):
        for call in list(self.coroutines.values()):
            self.send_output(call)
        self.flush()
        if self.coroutines:
            self.loop.call_later(OUTPUT_SECONDS, self._send_coroutine_output)

    def _cancel_coroutine(self, number):
        call = self.coroutines.get(number)
        if call is not None and not call._cancelled:
            call._cancelled = True
            if self.begun[2] >= number:
                call._task.cancel()
            else:  # a task that is cancelled before its first step would never answer
                self.loop.call_soon(call._task.cancel)

    # -- The attendant

    def start_attendant(self):
        self.attendant = threading.Thread(target=self._attend, name="teal-attendant", daemon=True)
        self.attendant.start()

    def wake_attendant(self):
        if self.attendant_sleeps:
            self.attendant_sleeps = False
            self.attendant_wake.release()

    def _attend(self):
        idle = 0
        while True:
            mark = self.running
            time.sleep(ATTENDANT_SECONDS)
            if mark is not None and self.running is mark:
                self._attend_call(mark)
                idle = 0
                continue
            idle = 0 if self.running is not None else idle + 1
            if idle >= ATTENDANT_IDLE_ROUNDS:
                self.attendant_sleeps = True
                if self.running is None:
                    self.attendant_wake.acquire()
                self.attendant_sleeps = False
                idle = 0

    def _attend_call(self, call):
        """Stands in for the main thread while it executes `call`."""
        while self.running is call and not call._done:
            self.send_output(call)
            if self.out:
                self.flush()
            try:
                readable = select.select([self.sock], [], [], OUTPUT_SECONDS)[0]
            except (OSError, ValueError):
                os._exit(EXIT_DISCONNECTED)  # user code closed the socket
            if readable and self.running is call and self.read_lock.acquire(False):
                try:
                    if self.running is call:
                        self.read()
                finally:
                    self.read_lock.release()


# ---- The module `teal` --------------------------------------------------------------------------------------------


def platform_version():
    return ".".join(map(str, sys.version_info[:3]))


def install_teal_module(worker, folder):
    """Makes `import teal` give the functions below, unless the project has a module of that name: then `_teal`."""
    teal = types.ModuleType("teal", "What a foreign function may ask of the platform that runs it.")

    def this_call(what):
        call = _current.get()
        if call is None or call._done:
            call = worker.call_of_thread()
        if call is None:
            raise RuntimeError("teal.%s: no call is running in this thread; pass on contextvars.copy_context()" % what)
        return call

    def context():
        """The running call: session, thread, step, attempt, key, deadline, cancelled()."""
        return this_call("context()")

    def heartbeat(data=None):
        """Says that the running call is alive; `data` is given to the next attempt's observers."""
        call = this_call("heartbeat()")
        try:
            data = carry(data, "data")
        except CarryError as error:
            raise TypeError("teal.heartbeat(): %s" % error) from None
        worker.out.append((HEARTBEAT, call._message[1], data))
        worker.flush()

    def log(message, level="info", **fields):
        """Writes a line to the session's log."""
        call = this_call("log()")
        try:
            fields = carry(fields, "fields")
        except CarryError as error:
            raise TypeError("teal.log(): %s" % error) from None
        text, level = str(message), str(level)
        secrets = call._message[10]
        if secrets:
            text, fields = mask(text, secrets), mask_deep(fields, secrets)
        worker.out.append((LOG, call._message[1], level, text, fields or None))
        if worker.running is not call or len(worker.out) > 100:
            worker.flush()

    for function in (context, heartbeat, log):
        function.__module__ = "teal"
        setattr(teal, function.__name__, function)
    sys.modules["_teal"] = teal
    if not (os.path.exists(os.path.join(folder, "teal.py")) or
            os.path.exists(os.path.join(folder, "teal", "__init__.py"))):
        sys.modules["teal"] = teal


def remember_caller_in_threads():
    """A thread starts with an empty context; note the call that started it, so that what it prints finds its way."""
    start = threading.Thread.start

    def start_noting_call(self):
        self._teal_call = _current.get()
        return start(self)

    threading.Thread.start = start_noting_call


class NoSocket:
    """The socket as a forked child sees it: what it sends is dropped, and when its function returns, it ends."""

    def sendall(self, data):
        pass

    def recv(self, size):
        os._exit(0)


def leave_to_forked_child(worker):
    """In a child that user code forked, prints go to the plain file, and the socket is not touched."""
    sys.stdout = open(1, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)
    sys.stderr = open(2, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)
    worker.send_lock = threading.Lock()
    worker.out.clear()
    worker.sock = NoSocket()


def main():
    faulthandler.enable(file=2)  # a crash in C code says where; the host puts it into the error
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt at the terminal is the host's to handle
    sock = socket.socket(fileno=fcntl.fcntl(SOCKET_FD, fcntl.F_DUPFD_CLOEXEC, SOCKET_FD_MOVED))
    sock.setblocking(True)
    os.close(SOCKET_FD)
    shared = mmap.mmap(SHARED_FD, SHARED_BYTES)
    os.close(SHARED_FD)
    sys.argv = ["teal_worker.py"]
    worker = Worker(sock, shared)
    sys.stdout = Writer(worker, 1)
    sys.stderr = Writer(worker, 2)
    remember_caller_in_threads()
    os.register_at_fork(after_in_child=lambda: leave_to_forked_child(worker))
    worker.serve()


if __name__ == "__main__":
    main()
