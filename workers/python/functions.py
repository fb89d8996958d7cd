# Running `def` functions, in the main thread.


class Functions:
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
