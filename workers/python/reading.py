# Messages of the host.


class Reading:
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
        gc.freeze()  # what the modules made stays: looking at it again would be wasted on every full collection
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
