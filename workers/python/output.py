# A call, and what it prints.


class Call:
    """One call; also what `teal.context()` gives. `message` is (CALL, id, function, args, kwargs, session, thread,
    step, attempt, deadline, secrets)."""

    __slots__ = ("_message", "_text", "_cancelled", "_done", "_task")

    def __init__(self, message):
        self._message = message
        self._text = []  # pieces printed: str to stdout, (str,) to stderr
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
        pieces = call._text
        pieces.append(text if self._stream == 1 else (text,))
        size = len(text)
        if size > PIECE_CHARS_MAX or len(pieces) > PIECES_MAX:
            self._worker.send_output(call)
            self._worker.flush()
        return size

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
