# What the host is told of an exception.


def shorten(text):
    if len(text) <= TEXT_CHARS_MAX:
        return text
    half = TEXT_CHARS_MAX // 2
    return "%s\n... (%d characters left out) ...\n%s" % (text[:half], len(text) - 2 * half, text[-half:])


def message_of(error):
    try:
        return shorten(str(error))
    except BaseException as failure:  # a broken __str__ must not hide the error
        return "(its message could not be made: %s)" % type(failure).__name__


def user_traceback(error):
    """The traceback of `error` from the first frame that is not of this file."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == _worker_file:
        trace = trace.tb_next
    return trace


def describe(error):
    """(frames, text): frames as [file, line, function], outermost first; text as Python prints it, with causes."""
    trace = user_traceback(error)
    frames = []
    try:
        for frame, line in traceback.walk_tb(trace):
            frames.append([frame.f_code.co_filename, line or 0, frame.f_code.co_name])
        if len(frames) > TRACE_FRAMES_MAX:
            half = TRACE_FRAMES_MAX // 2
            frames = frames[:half] + frames[-half:]
        text = shorten("".join(traceback.format_exception(type(error), error, trace)))
    except BaseException as failure:  # user code runs here: __str__, __repr__, a source loader
        text = "(the traceback could not be made: %s)\n" % type(failure).__name__
    return frames, text


def error_message(call, error, kind=None):
    """The ERROR message for `error`, which ended `call`."""
    frames, text = describe(error)
    message = message_of(error)
    data = None
    try:
        data = carry(getattr(error, "data", None), "data")
    except BaseException:
        pass  # an attribute of that name that is no Teal value is not meant for Teal
    secrets = call._message[10]
    if secrets:
        message, text, frames, data = (mask_deep(part, secrets) for part in (message, text, frames, data))
    return (ERROR, call._message[1], kind or type(error).__name__, message, frames, text, data, take_output(call, True))


def carry_error_message(call, error, name):
    message = str(error)
    secrets = call._message[10]
    if secrets:
        message = mask(message, secrets)
    return (ERROR, call._message[1], error.kind, "%s: %s" % (name, message), [], "", None, take_output(call, True))
