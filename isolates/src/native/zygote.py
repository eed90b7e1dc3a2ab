# The Python zygote: imports the usual modules once, then forks children that lock themselves in
# before any script arrives. Each child runs one script and ends.
#
# Started by the worker inside the sandbox as `python3 -I -S -B -c <this> <settings as JSON> <contract.py>`.
# fd 0 is the control socket: each byte `F` received asks for one more child. For each child one
# message `C` goes back, with its pid, the server's end of the child's socket and its pidfd; and one
# message `D` when it has ended, with its pid, wait status and memory. A message `E`, a number of 8
# bytes and JSON asks for a child with something of its own, packages or the network; its `C` has
# that number, too.
#
# A child speaks on its own socket: if it may use the network, one byte `L` with the listening socket
# of its way out, which the server answers (sandbox/network.rs); one byte `R` when it is locked in;
# then it reads the length of the job (8 bytes) and the job (JSON), and writes frames: kind (1 byte),
# length (4 bytes), data.
# Kinds: `o` and `e` are printed text, `r` is the end: {"ok": …} or {"error": {…}}, and memory.
import sys

SETTINGS = __import__("json").loads(sys.argv[1])
sys.path[:] = SETTINGS["path"]

import builtins, contextlib, ctypes, fcntl, gc, json, os, resource, select, signal, socket, struct

# A script that imports nothing needs none of these, and a small process forks and ends in half the
# time. Where they are missing, a script that imports after all loads them by itself.
if not SETTINGS["lean"]:
    import ast, array, asyncio, base64, bisect, collections, collections.abc, copy, csv, dataclasses
    import datetime, decimal, difflib, enum, fractions, functools, hashlib, heapq, hmac, html, io
    import inspect, itertools, keyword, linecache, locale, math, operator, pathlib, pprint, random, re
    import secrets, statistics, string, textwrap, threading, time, traceback, types, typing
    import unicodedata, urllib.parse, uuid, warnings, zlib, zoneinfo

# The contract of scripts, shared with other engines: `contract.py`.
CONTRACT = {"__name__": "contract", "__builtins__": builtins}
exec(compile(sys.argv[2], "contract", "exec"), CONTRACT)

LIBC = ctypes.CDLL(None, use_errno=True)
MAX_PRINTED = SETTINGS["max_printed"]
OFF = SETTINGS["off"]  # layers that the conformance suite wants to see missing
SLACK = 32 << 20
SYS_SECCOMP = {"x86_64": 317, "aarch64": 277}[os.uname().machine]

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS, PR_CAPBSET_DROP = 1, 4, 38, 24
CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWNET = 0x00020000, 0x08000000, 0x40000000
SIOCSIFFLAGS, IFF_UP, IFF_RUNNING = 0x8914, 0x1, 0x40
MS_NOSUID, MS_NODEV, MS_NOEXEC = 2, 4, 8


class SockFprog(ctypes.Structure):
    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


class Filter:
    def __init__(self, text):
        data = bytes.fromhex(text)
        self.buffer = ctypes.create_string_buffer(data, len(data))
        self.program = SockFprog(len(data) // 8, ctypes.addressof(self.buffer))


FILTER, FILTER_ONLINE = Filter(SETTINGS["seccomp"]), Filter(SETTINGS["seccomp_online"])


def must(result, what):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def own_folder(disk):
    """A private /tmp, bounded in bytes and files; it is gone with the child."""
    must(LIBC.unshare(CLONE_NEWNS | CLONE_NEWIPC), "unshare")
    options = f"size={disk},nr_inodes={SETTINGS['tmp_files']},mode=700"
    flags = MS_NOSUID | MS_NODEV | MS_NOEXEC
    must(LIBC.mount(b"script", b"/tmp", b"tmpfs", ctypes.c_ulong(flags), options.encode()), "mount")
    os.chdir("/tmp")


def way_out(sock):
    """A network namespace with one listening socket in it, for the server. Gives its port."""
    if not SETTINGS["own_folder"]:
        raise OSError("the network takes a namespace of its own")
    must(LIBC.unshare(CLONE_NEWNET), "unshare")
    with socket.socket() as listener:
        request = struct.pack("16sh22x", b"lo", IFF_UP | IFF_RUNNING)
        fcntl.ioctl(listener, SIOCSIFFLAGS, request)
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        port = listener.getsockname()[1]
        socket.send_fds(sock, [b"L"], [listener.fileno()])
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        os.environ[name] = f"http://127.0.0.1:{port}"
    os.environ["SSL_CERT_FILE"] = SETTINGS["certificates"]
    return port


def drop_capabilities():
    for capability in range(64):
        if LIBC.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0:
            break  # the kernel knows no more, or they may not be dropped
    header = struct.pack("Ii", 0x20080522, 0)
    must(LIBC.capset(header, bytes(24)), "capset")


def landlock(packages, port):
    read = 0x1 << 2 | 0x1 << 3  # READ_FILE, READ_DIR
    every = (1 << SETTINGS["landlock_fs_bits"]) - 1
    attributes = struct.pack("QQQ", every, 0b11, 0b11)
    ruleset = must(LIBC.syscall(444, attributes, len(attributes), 0), "landlock")
    rules = [(path, read) for path in SETTINGS["readable"]]
    if SETTINGS["own_folder"]:
        # Everything but devices, sockets, pipes, links to elsewhere and running what is there.
        rules.append(("/tmp", every & ~(1 << 0 | 1 << 6 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 15)))
    if packages is not None:
        rules.append((packages, read))
    if port is not None:
        rules.append((SETTINGS["certificates"], read))
        connect = struct.pack("=QQ", 1 << 1, port)
        must(LIBC.syscall(445, ruleset, 2, connect, 0), "rule for the port")
    for path, access in rules:
        try:
            fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        if not os.path.isdir(path):
            access &= 1 << 1 | 1 << 2 | 1 << 14
        must(LIBC.syscall(445, ruleset, 1, struct.pack("=Qi", access, fd), 0), f"rule for {path}")
        os.close(fd)
    must(LIBC.syscall(446, ruleset, 0), "landlock_restrict_self")
    os.close(ruleset)


def lock_in(packages, port, disk):
    must(LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "pdeathsig")
    if os.getppid() != ZYGOTE:
        os._exit(5)
    must(LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    if SETTINGS["own_folder"]:
        own_folder(disk)
    if "capabilities" not in OFF:
        drop_capabilities()
    # Changing capabilities makes a process dumpable or not by the system's own rules.
    must(LIBC.prctl(PR_SET_DUMPABLE, int("dumpable" in OFF), 0, 0, 0), "dumpable")
    if "limits" not in OFF:
        for what, limit in SETTINGS["rlimits"]:
            if what == resource.RLIMIT_FSIZE and SETTINGS["own_folder"]:
                limit = disk
            resource.setrlimit(what, (limit, limit))
    if "landlock" not in OFF:
        landlock(packages, port)
    if "seccomp" not in OFF:
        chosen = FILTER if port is None else FILTER_ONLINE
        must(LIBC.syscall(SYS_SECCOMP, 1, 0, ctypes.byref(chosen.program)), "seccomp")


class Channel:
    """The child's own socket."""

    def __init__(self, sock):
        self.fd = sock.fileno()

    def read(self, count):
        parts = []
        while count > 0:
            part = os.read(self.fd, min(count, 1 << 20))
            if not part:
                os._exit(4)
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def write(self, data):
        view = memoryview(data)
        while view:
            view = view[os.write(self.fd, view):]

    def frame(self, kind, data):
        self.write(kind + len(data).to_bytes(4, "little") + data)


def warm_up():
    """Runs a script of our own. After it, a child has the pages that nearly every script touches
    for itself, before its script comes; copying them is most of what a short script costs."""
    source = "def f(x):\n    return {'n': [x + 1, str(x)]}\nreturn f(n)"
    CONTRACT["perform"](source, json.loads('{"n": 1}'), lambda *_: None, MAX_PRINTED)


def child(sock, special):
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    devnull = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(devnull, fd)
    # The own socket becomes 3; nothing else stays open.
    os.dup2(sock.fileno(), 3)
    os.closerange(4, 1024)
    sock = socket.socket(fileno=3)
    channel = Channel(sock)
    packages = None
    if special.get("packages"):
        packages = f"{SETTINGS['packages']}/{special['packages']}"
    port = way_out(sock) if special.get("network") else None
    lock_in(packages, port, special.get("disk", SETTINGS["tmp_bytes"]))
    if packages is not None:
        sys.path.append(packages)
    warm_up()
    channel.write(b"R")
    job = json.loads(channel.read(int.from_bytes(channel.read(8), "little")))
    if "limits" not in OFF:
        for what, limit in ((resource.RLIMIT_AS, BASE + job["memory"] + SLACK),
                            (resource.RLIMIT_CPU, job["seconds"])):
            resource.setrlimit(what, (limit, limit))
    data = CONTRACT["perform"](job["source"], job["variables"], channel.frame, MAX_PRINTED)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    # Surrogates cannot be sent; they become question marks.
    channel.frame(b"m", str(memory).encode())
    channel.frame(b"r", data.encode("utf-8", "replace"))
    os._exit(0)


def spawn(control, number=b"", special={}):
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        try:
            child(theirs, special)
        except BaseException as error:
            # Before `R` the server is told why there will be none.
            with contextlib.suppress(BaseException):
                os.write(3, b"X" + str(error).encode("utf-8", "replace")[:500])
        os._exit(6)
    theirs.close()
    try:
        pidfd = os.pidfd_open(pid)
    except OSError:
        os.kill(pid, signal.SIGKILL)
        ours.close()
        return
    socket.send_fds(control, [b"C" + pid.to_bytes(8, "little") + number], [ours.fileno(), pidfd])
    ours.close()
    os.close(pidfd)


def reap(control):
    """Tells of all children that have ended."""
    while True:
        try:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        numbers = (pid, status, usage.ru_maxrss)
        control.send(b"D" + b"".join(number.to_bytes(8, "little") for number in numbers))


def serve():
    control = socket.socket(fileno=0)
    # A signal only wakes the loop up, so that a death is never told before its birth.
    ended, wake = socket.socketpair()
    ended.setblocking(False)
    wake.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
    LIBC.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    warm_up()
    gc.collect()
    gc.disable()
    gc.freeze()
    control.send(b"Z" + sys.version.split()[0].encode())
    while True:
        readable, _, _ = select.select([control, ended], [], [])
        if ended in readable:
            with contextlib.suppress(BlockingIOError):
                ended.recv(4096)
            reap(control)
        if control in readable:
            order = control.recv(4096)
            if not order:
                os._exit(0)
            if order[:1] == b"E":
                spawn(control, order[1:9], json.loads(order[9:]))
                continue
            for _ in order:
                spawn(control)


def address_space():
    """Bytes of address space of this process; its children's limit counts them as well."""
    if SETTINGS["statm"] is None:
        return 256 << 20
    pages = int(os.pread(SETTINGS["statm"], 256, 0).split()[0])
    os.close(SETTINGS["statm"])
    return pages * resource.getpagesize()


ZYGOTE = os.getpid()
BASE = address_space()
try:
    serve()
except (BrokenPipeError, ConnectionError):
    os._exit(0)  # the server has gone
