# The module `teal`.


def platform_version():
    return ".".join(map(str, sys.version_info[:3]))


def install_teal_module(worker, folder):
    """Makes `import teal` give the functions below, unless the project has a module of that name: then `_teal`."""
    teal = types.ModuleType("teal", "What a foreign function may ask of the platform that runs it.")

    def this_call(what):
        call = _current.get()
        if call is None or call._done:
            call = worker.call_of_thread()
        if call is None:
            raise RuntimeError("teal.%s: no call is running in this thread; pass on contextvars.copy_context()" % what)
        return call

    def context():
        """The running call: session, thread, step, attempt, key, deadline, cancelled()."""
        return this_call("context()")

    def heartbeat(data=None):
        """Says that the running call is alive; `data` is given to the next attempt's observers."""
        call = this_call("heartbeat()")
        try:
            data = carry(data, "data")
        except CarryError as error:
            raise TypeError("teal.heartbeat(): %s" % error) from None
        worker.out.append((HEARTBEAT, call._message[1], data))
        worker.flush()

    def log(message, level="info", **fields):
        """Writes a line to the session's log."""
        call = this_call("log()")
        try:
            fields = carry(fields, "fields")
        except CarryError as error:
            raise TypeError("teal.log(): %s" % error) from None
        text, level = str(message), str(level)
        secrets = call._message[10]
        if secrets:
            text, fields = mask(text, secrets), mask_deep(fields, secrets)
        worker.out.append((LOG, call._message[1], level, text, fields or None))
        if worker.running is not call or len(worker.out) > 100:
            worker.flush()

    for function in (context, heartbeat, log):
        function.__module__ = "teal"
        setattr(teal, function.__name__, function)
    sys.modules["_teal"] = teal
    if not (os.path.exists(os.path.join(folder, "teal.py")) or
            os.path.exists(os.path.join(folder, "teal", "__init__.py"))):
        sys.modules["teal"] = teal
