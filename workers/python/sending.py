# Messages to the host.


class Sending:
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
