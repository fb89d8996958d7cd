# Running `async def` functions, in the loop thread.


class Coroutines:
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
