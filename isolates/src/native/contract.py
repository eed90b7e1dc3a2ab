# The contract between scripts in Python and the runner: what a script gets, what becomes its
# result, how its errors are told. One text for every engine: `zygote.py` runs it on the host's
# interpreter, `python_wasi/app.py` on the one in WebAssembly.
#
# It imports little, and leaves modules alone that the script did not import: each makes the process
# larger, and forking it slower.
import ast, builtins, collections, collections.abc, enum, gc, inspect, io, json, keyword, linecache
import sys, traceback, types


SCRIPT = "script"

# What to do about a module that is not there.
MISSING = "scripts have the standard library; packages must be listed in the script's `# /// script` block"


class Printed(io.TextIOBase):
    """What a script prints goes out at once, as far as it is wanted."""

    encoding = "utf-8"

    def __init__(self, send, kind, left, keep):
        self.send, self.kind, self.left, self.keep = send, kind, left, keep

    def writable(self):
        return True

    def isatty(self):
        return False

    def write(self, text):
        data = text.encode("utf-8", "replace")
        wanted = data[:max(self.left[0], 0)]
        self.left[0] -= len(data)
        if wanted:
            self.send(self.kind, wanted)
            if self.keep is not None:
                self.keep.append(wanted)
        return len(text)


def of(value, module, *names):
    """Whether the value is of one of these types; of no module that nobody imported."""
    module = sys.modules.get(module)
    return module is not None and isinstance(value, tuple(getattr(module, name) for name in names))


def plain(value):
    """What JSON does not know, as what people expect of it."""
    if of(value, "datetime", "datetime", "date", "time"):
        return value.isoformat()
    if of(value, "decimal", "Decimal") or of(value, "fractions", "Fraction") \
            or of(value, "uuid", "UUID") or of(value, "pathlib", "PurePath"):
        return str(value)
    if isinstance(value, enum.Enum):
        return value.value
    if hasattr(type(value), "__dataclass_fields__"):
        return sys.modules["dataclasses"].asdict(value)
    if isinstance(value, (set, frozenset, collections.deque)):
        return list(value)
    if isinstance(value, collections.abc.Mapping):
        return dict(value)
    if isinstance(value, (types.GeneratorType, map, filter, zip, range, collections.abc.ValuesView,
                          collections.abc.KeysView, collections.abc.ItemsView)):
        return list(value)
    if of(value, "datetime", "timedelta"):
        return value.total_seconds()
    if isinstance(value, (bytes, bytearray, memoryview)):
        raise TypeError("the result holds bytes, which is no JSON; use base64.b64encode(…).decode()")
    raise TypeError(f"the result holds a {type(value).__name__}, which is no JSON")


class Wrong(Exception):
    """A script that cannot be run as it is."""

    def __init__(self, message, hint):
        super().__init__(message)
        self.hint = hint


def returns_itself(tree):
    """Whether a statement outside of any function returns or awaits."""
    todo, found = list(tree.body), [False, False]
    while todo:
        node = todo.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            continue
        found[0] |= isinstance(node, ast.Return)
        found[1] |= isinstance(node, (ast.Await, ast.AsyncFor, ast.AsyncWith))
        todo.extend(ast.iter_child_nodes(node))
    return found


def run(source, variables, kept):
    """The script's result: what it returns, else what its `main` gives, else what it printed."""
    for name in variables:
        if not name.isidentifier() or keyword.iskeyword(name):
            raise Wrong(f"`{name}` cannot be the name of a variable",
                        "use letters, digits and `_`, not starting with a digit, and no keyword")
    tree = ast.parse(source, SCRIPT)
    returns, awaits = returns_itself(tree)
    scope = {"__name__": "__main__", "__builtins__": builtins}
    if returns or awaits:
        arguments = ast.arguments([], [ast.arg(name) for name in variables], None, [], [], None, [])
        kind = ast.AsyncFunctionDef if awaits else ast.FunctionDef
        function = kind("<script>", arguments, tree.body, [], None)
        for field, value in (("lineno", 1), ("col_offset", 0), ("type_params", [])):
            setattr(function, field, value)
        ast.fix_missing_locations(function)
        exec(compile(ast.Module([function], []), SCRIPT, "exec"), scope)
        result = scope.pop("<script>")(*variables.values())
    else:
        scope.update(variables)
        exec(compile(tree, SCRIPT, "exec"), scope)
        main = scope.get("main")
        if not callable(main):
            return from_print(kept)
        result = main(**by_name(main, variables))
    if inspect.iscoroutine(result):
        import asyncio
        result = asyncio.run(result)
    return from_print(kept) if result is None and not returns else result


def by_name(main, variables):
    """The variables that `main` has parameters for."""
    parameters = inspect.signature(main).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return variables
    for parameter in parameters:
        if parameter.name not in variables and parameter.default is parameter.empty \
                and parameter.kind is not parameter.VAR_POSITIONAL:
            raise Wrong(f"`main` wants `{parameter.name}`, which is not among the variables",
                        f"add `{parameter.name}` to `variables`, or give the parameter a default")
    return {p.name: variables[p.name] for p in parameters if p.name in variables}


def from_print(kept):
    text = b"".join(kept).decode("utf-8", "replace").rstrip("\n")
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text


def explain(error):
    """What went wrong, with the line in the author's source."""
    if isinstance(error, Wrong):
        return {"code": "script_error", "message": str(error), "hint": error.hint}
    if isinstance(error, MemoryError):
        return {"code": "script_memory", "message": "the script needs more memory than it may have",
                "hint": "work on less data at once, or raise the step's `memory`"}
    if isinstance(error, SyntaxError) and error.filename == SCRIPT:
        return {"code": "script_syntax", "message": f"{type(error).__name__}: {error.msg}",
                "line": error.lineno, "column": error.offset}
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == SCRIPT]
    told = {"code": "script_error", "message": f"{type(error).__name__}: {error}".rstrip(": ")}
    if isinstance(error, ModuleNotFoundError):
        told["hint"] = MISSING
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        told["hint"] = "each thread takes memory: use fewer, or raise the step's `memory`"
    if frames:
        last = frames[-1]
        told["line"] = last.lineno
        told["column"] = None if last.colno is None else last.colno + 1
        told["traceback"] = "\n".join(
            f"at {f.name} ({SCRIPT}:{f.lineno}): {f.line}" for f in reversed(frames[-10:]))
    return told


def perform(source, variables, send, most):
    """Runs a script; gives its end as JSON. What it prints, `most` bytes of it, goes to `send`."""
    kept, left = [], [most]
    sys.stdout = sys.__stdout__ = Printed(send, b"o", left, kept)
    sys.stderr = sys.__stderr__ = Printed(send, b"e", left, None)
    sys.stdin = sys.__stdin__ = io.StringIO("")
    sys.argv = [SCRIPT]
    linecache.cache[SCRIPT] = (len(source), None, source.splitlines(True), SCRIPT)
    gc.enable()
    try:
        result = run(source, variables, kept)
        return json.dumps({"ok": result}, default=plain, allow_nan=False, ensure_ascii=False)
    except SystemExit as error:
        if error.code in (None, 0):
            return json.dumps({"ok": from_print(kept)})
        told = {"code": "script_error", "message": f"the script exited with {error.code!r}",
                "hint": "return a value, or raise an error that says what is wrong"}
        return json.dumps({"error": told})
    except BaseException as error:  # everything the script can raise is its own fault
        try:
            return json.dumps({"error": explain(error)})
        except BaseException:
            return '{"error": {"code": "script_error", "message": "the script failed"}}'
