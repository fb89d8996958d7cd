# The worker: what its parts share.


class Worker(Sending, Reading, Functions, Coroutines, Attendant):
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
