"""The Python worker of Teal: runs foreign functions in one process, for as long as its host lives.

Its parts share one namespace: the build joins them in the order of teal_worker.parts into one text.

The host starts that text with fd 3, a stream socket that carries frames of messages, and fd 4, a shared memory file
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
import gc
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
PIECES_MAX = 256  # that a call has printed before they are sent
PIECE_CHARS_MAX = 1024  # a longer one is sent at once, so that a call holds 256 Ki characters at most
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
