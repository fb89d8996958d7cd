# Importing the modules of a project, and finding what is wrong with them.


def load_failure(module, function, kind, message, file=None, line=0, hint=None, text=""):
    return [module, function, kind, message, file, line or 0, hint, text]


def nearest(name, known):
    match = difflib.get_close_matches(name, known, 1, 0.6)
    return "did you mean `%s`?" % match[0] if match else None


def module_names(folder, module):
    """Importable names beside `module`, to find the one that was meant."""
    parts = module.split(".")[:-1]
    try:
        entries = os.listdir(os.path.join(folder, *parts))
    except OSError:
        return []
    names = []
    for entry in sorted(entries):
        stem, extension = os.path.splitext(entry)
        if extension == ".py" or (not extension and os.path.isdir(os.path.join(folder, *(parts + [entry])))):
            names.append(".".join(parts + [stem]))
    return names


def import_user_module(name, folder):
    """(module, None) or (None, failure)."""
    try:
        return importlib.import_module(name), None
    except SyntaxError as error:
        _, text = describe(error)
        return None, load_failure(name, None, "syntax", error.msg or "invalid syntax", error.filename, error.lineno,
                                  (error.text or "").strip() or None, text)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if missing == name or name.startswith(missing + "."):
            hint = nearest(name, module_names(folder, name))
            return None, load_failure(name, None, "missing_module", "there is no Python module `%s` (looked in %s first)" %
                                      (missing, folder), None, 0, hint or "a module a.b is the file a/b.py")
        hint = "install it into the Python that runs the program, %s" % sys.executable
        return None, _raised_at_import(name, error, hint)
    except BaseException as error:  # whatever a module does at import is an error of that module
        return None, _raised_at_import(name, error, None)


def _raised_at_import(name, error, hint):
    file, line = None, 0
    for frame, number in traceback.walk_tb(user_traceback(error)):
        if "importlib" not in frame.f_code.co_filename:
            file, line = frame.f_code.co_filename, number
    _, text = describe(error)
    return load_failure(name, None, "exception", "importing it raised %s: %s" % (type(error).__name__, message_of(error)),
                        file, line, hint, text)


def find_function(module, name):
    """(function, None) or (None, failure)."""
    file = getattr(module, "__file__", None)
    try:
        function = getattr(module, name)
    except AttributeError:
        known = [key for key, value in vars(module).items() if callable(value)]
        match = difflib.get_close_matches(name, known, 1, 0.6)
        line = 0
        if match:
            code = getattr(inspect.unwrap(getattr(module, match[0])), "__code__", None)
            line = code.co_firstlineno if code else 0
        return None, load_failure(module.__name__, name, "missing_function", "module `%s` has no function `%s`" %
                                  (module.__name__, name), file, line, "did you mean `%s`?" % match[0] if match else None)
    if not callable(function):
        return None, load_failure(module.__name__, name, "not_callable", "`%s` in module `%s` is a %s, not a function" %
                                  (name, module.__name__, type_name(function)), file)
    return function, None


def function_info(function):
    """[is async, least and greatest number of positional arguments (-1: no limit), names of positional parameters, names
    of those given by name only, whether others may be given by name]."""
    is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))
    least, greatest, positional, keywords, any_keyword = 0, 0, [], [], False
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # many builtins do not tell
        return [is_async, 0, -1, [], [], True]
    for parameter in parameters:
        if parameter.kind is parameter.VAR_POSITIONAL:
            greatest = -1
        elif parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            greatest += 1 if greatest >= 0 else 0
            least += 1 if parameter.default is parameter.empty else 0
            positional.append(parameter.name)
        elif parameter.kind is parameter.KEYWORD_ONLY:
            keywords.append(parameter.name)
        else:
            any_keyword = True
    return [is_async, least, greatest, positional, keywords, any_keyword]
