# The life of the process.


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
