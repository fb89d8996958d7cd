import teal


def double(n):
    print("double %d" % n)
    return 2 * n


def third_time(n):
    if teal.context().attempt < 3:
        raise OSError("again")
    return n


async def later(n):
    return [n, teal.context().thread]


def bad():
    raise ValueError("bad")
