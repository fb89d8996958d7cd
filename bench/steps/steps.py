"""Python steps that do next to nothing, so that what is measured is the way to them and back."""

import os
import time

import teal

PROCESS = os.getpid()


def seconds():
    """The clock that all processes of a machine share."""
    return time.clock_gettime(time.CLOCK_MONOTONIC)


def empty(x):
    return x


def whole(x):
    """Uses what the platform offers a step: its context, the idempotency key, captured output."""
    print(x, PROCESS, teal.context().key)
    return x + 1
