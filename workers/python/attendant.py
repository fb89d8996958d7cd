# The thread that looks after a call that lasts.


class Attendant:
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
