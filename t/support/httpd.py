"""An httpd with a ServerRoot of its own, on 127.0.0.1, started and stopped by a test."""

import atexit
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from support.net import free_port
from support.preload import library, runtime
from support.wait import PATIENCE

BINARY = "/usr/sbin/apache2"
MODULES = pathlib.Path("/usr/lib/apache2/modules")
HERE = pathlib.Path(__file__).parent

# What the pages of the tests use. The MPM, CGI and the module under test come on top.
BASE_MODULES = """authn_core authn_file auth_basic authz_core authz_host authz_user alias
    dir env expires headers include mime rewrite setenvif""".split()

MPM = {
    "event": "StartServers 2\nServerLimit 2\nThreadsPerChild 32\nMaxRequestWorkers 64",
    "worker": "StartServers 2\nServerLimit 2\nThreadsPerChild 32\nMaxRequestWorkers 64",
    "prefork": "StartServers 4\nMinSpareServers 2\nMaxSpareServers 8\nMaxRequestWorkers 24",
}


class HttpdError(AssertionError):
    """httpd did not start, crashed, or did not do what it was told."""


class Httpd:
    """One httpd. `config` is the text of the test; what it may use:

    ${PORT}, ${PORT2}, ... the ports that it listens on; ${ROOT} its ServerRoot, whose
    htdocs is the DocumentRoot; any name of `define`. What is to stand before each of its
    texts is `always`.
    """

    live = []  # those that run now, for the report of a failed test

    def __init__(self, config, *, module=None, mpm="event", modules=(), ports=1, define=(),
                 env=(), log_level="info", server_name="localhost", sanitized=None, always=""):
        self.mpm = mpm
        self.module = module
        self.server_name = server_name
        self.sanitized = sanitized
        self.ports = [free_port() for _ in range(ports)]
        self.port = self.ports[0]
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="kcauth-httpd-"))
        self.root.chmod(0o755)
        for folder in ("htdocs", "cgi-bin", "run"):
            (self.root / folder).mkdir()
        self._reports = self.root / "reports"
        self._reports.mkdir()
        self._reports.chmod(0o777)
        self.log = Log(self.root / "error_log")
        self._env = dict(env)
        self._modules = list(modules)
        self._log_level = log_level
        self._always = always
        self._process = None
        self._killed = set()
        self.limits = {}  # RLIMIT_...: what start() gives it less of
        self.configure(config, define)

    # Files

    def configure(self, config, define=()):
        """Writes httpd.conf anew; a running server reads it at graceful()."""
        names = dict(define, ROOT=self.root)
        for number, port in enumerate(self.ports, 1):
            names["PORT" if number == 1 else f"PORT{number}"] = port
        lines = [f'Define {name} "{value}"' for name, value in names.items()]
        lines += self._base()
        self.write("../httpd.conf", "\n".join(lines) + "\n" + config + "\n")

    def _base(self):
        cgi = "cgi" if self.mpm == "prefork" else "cgid"
        yield f'ServerRoot "{self.root}"'
        yield "DefaultRuntimeDir run"
        yield "PidFile run/httpd.pid"
        for name in [f"mpm_{self.mpm}", cgi, *BASE_MODULES, *self._modules]:
            yield f"LoadModule {name}_module {MODULES}/mod_{name}.so"
        if cgi == "cgid":
            yield "ScriptSock cgid.sock"
        if self.module:
            yield f'LoadModule kcauth_module "{self.module}"'
        if os.geteuid() == 0:
            yield "User www-data\nGroup www-data"
        # Makes children dumpable too, without which the leak check cannot look at them.
        yield "CoreDumpDirectory reports"
        yield from (f"Listen 127.0.0.1:{port}" for port in self.ports)
        yield f"ServerName {self.server_name}"
        yield f"ErrorLog error_log\nLogLevel {self._log_level}"
        yield "DocumentRoot htdocs\nDirectoryIndex index.html"
        yield "TypesConfig /dev/null\nAddType text/html .html\nAddType text/plain .txt"
        # Where a test moves the clock, a connection that waits is not over by that.
        yield f"KeepAliveTimeout {100000 if 'KCAUTH_CLOCK' in self._env else 5}"
        yield "Timeout 20\nGracefulShutdownTimeout 5"
        yield MPM[self.mpm]
        yield self._always

    def write(self, path, text):
        """A file below htdocs, readable by httpd's children."""
        file = self.root / "htdocs" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def cgi(self, name, script):
        """A CGI script of cgi-bin."""
        file = self.write(f"../cgi-bin/{name}", script)
        file.chmod(0o755)
        return file

    def url(self, path="/", *, scheme="http", host=None, port=None):
        return f"{scheme}://{host or self.server_name}:{port or self.port}{path}"

    # Life

    def configtest(self):
        """(exit code, output) of httpd -t."""
        done = subprocess.run([*self._command(), "-t"], env=self._environment(), timeout=30,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace")
        return done.returncode, done.stdout

    def start(self):
        """Returns when the server listens. HttpdError tells its words when it ends instead."""
        before = self._starts()
        output = (self.root / "output").open("wb")
        self._process = subprocess.Popen(
            [*self._command(), "-DFOREGROUND"], env=self._environment(), start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            cwd=self.root, preexec_fn=self._set_limits)
        output.close()
        Httpd.live.append(self)
        self._wait(lambda: self._listens() and self._starts() > before, "to listen")
        return self

    def _set_limits(self):
        core = resource.getrlimit(resource.RLIMIT_CORE)[1]
        for what, limit in {resource.RLIMIT_CORE: core, **self.limits}.items():
            resource.setrlimit(what, (limit, resource.getrlimit(what)[1]))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # as httpd itself has it once it serves

    def graceful(self):
        """Reads the configuration again; returns when the new generation serves, and the old one
        takes no connection any more, unless it has others to finish."""
        before, old = self._starts(), self._children()
        self._process.send_signal(signal.SIGUSR1)
        self._wait(lambda: self._starts() > before, "to restart")
        _until_gone(old, 0.5)

    def halt(self, *, gently=True):
        """Ends; start() begins again on the same ports, with the same files. Gently: what is under
        way is finished, and the rule: a child of the event MPM that is told to stop at once, with a
        connection open, may crash by itself."""
        if gently:
            self._retire_children()
        self._halt()

    def restart(self, *, gently=True):
        self.halt(gently=gently)
        self.start()

    def kill(self):
        """Ends at once with all its children, as when a machine is lost."""
        Httpd.live.remove(self)
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def kill_child(self, child):
        """One ends without a word, as by the kernel when memory is short; httpd starts another."""
        self._killed.add(child)
        os.kill(int(child), signal.SIGKILL)

    def kill_children(self):
        children = self._children()
        for child in children:
            self.kill_child(child)
        _until_gone(children, 20)

    def limit_child(self, child, **limits):
        """limit_child(pid, nofile=20): sets a soft limit of one that runs. Children are not root's,
        and whose they are may set it."""
        theirs = {"user": "www-data", "group": "www-data", "extra_groups": []}
        subprocess.run(["prlimit", f"--pid={child}",
                        *(f"--{name}={limit}:" for name, limit in limits.items())],
                       check=True, **(theirs if os.geteuid() == 0 else {}))

    def stop(self):
        """Stops, removes the files, and raises HttpdError for a crash or a sanitizer's report."""
        try:
            self.halt()
        finally:
            shutil.rmtree(self.root, ignore_errors=True)

    def _retire_children(self):
        """As graceful-stop does."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGWINCH)
        resident = 0 if self.mpm == "prefork" else 1  # the daemon of mod_cgid
        deadline = time.monotonic() + 5 * PATIENCE
        while len(self._children()) > resident and time.monotonic() < deadline:
            time.sleep(0.01)

    def _children(self):
        pid = self._process.pid
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [child for child in children if _is_alive(child)]

    def _halt(self):
        if self._process is None:
            return
        if self in Httpd.live:
            Httpd.live.remove(self)
        self._process.send_signal(signal.SIGTERM)
        try:
            status = self._process.wait(20 * PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise HttpdError("httpd did not stop within 20 s\n" + self.log.tail()) from None
        finally:
            self._process = None
        self._check(status)

    def _check(self, status):
        """Nobody may have crashed, and no sanitizer may have found anything."""
        crashes = [line for line, child in re.findall(
            r"(.*child pid (\d+) exit signal (?!Terminated).*)", self.log.everything())
            if child not in self._killed]
        if status:
            crashes.append(f"httpd ended with status {status}")
        reports = [file.read_text(errors="replace")
                   for file in sorted(self._reports.glob("report*")) if file.stat().st_size]
        if crashes or reports:
            raise HttpdError("\n".join(crashes + self._stacks() + reports))

    def _stacks(self):
        """What gdb, where there is one, reads from core files."""
        if not shutil.which("gdb"):
            return []
        return [subprocess.run(["gdb", "-batch", "-ex", "bt", "-ex", "thread apply all bt 8",
                                BINARY, str(core)], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True, errors="replace").stdout
                for folder in (self._reports, self.root) for core in folder.glob("core*")]

    def _starts(self):
        return self.log.everything().count("resuming normal operations")

    def _listens(self):
        for port in self.ports:
            with socket.socket() as sock:
                if sock.connect_ex(("127.0.0.1", port)) != 0:
                    return False
        return True

    def _wait(self, condition, what, seconds=20):
        deadline = time.monotonic() + seconds * PATIENCE
        while not condition():
            if self._process.poll() is not None:
                self._process = None
                Httpd.live.remove(self)
                said = (self.root / "output").read_text(errors="replace")
                raise HttpdError(f"httpd ended\n{said}{self.log.tail()}")
            if time.monotonic() > deadline:
                raise HttpdError(f"waited {seconds} s for httpd {what}\n{self.log.tail()}")
            time.sleep(0.01)

    def _command(self):
        below = _memcheck(self._reports / "report") if self.sanitized == "memcheck" else []
        return [*below, BINARY, "-d", str(self.root), "-f", str(self.root / "httpd.conf")]

    def _environment(self):
        env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **self._env}
        if self.sanitized in SANITIZERS:
            env.update(SANITIZERS[self.sanitized](self._reports / "report", self._modules))
            # A sanitizer's own library has to be the first.
            env["LD_PRELOAD"] += " " + self._env.get("LD_PRELOAD", "")
        return env


def _addresses(report, modules):
    # With mod_ssl in the process the leak check itself crashes, on memory of its threads.
    leaks = int("ssl" not in modules)
    # Whole call stacks, as what is kept on purpose is told by them; libraries keep no frame
    # pointers.
    return {"LD_PRELOAD": f"{runtime('libasan.so')} {runtime('libubsan.so')} {library('ignore.c')}",
            "ASAN_OPTIONS": (f"log_path={report}:detect_leaks={leaks}:abort_on_error=0"
                             ":detect_stack_use_after_return=1"
                             ":fast_unwind_on_malloc=0:malloc_context_size=12"),
            "UBSAN_OPTIONS": f"log_path={report}:print_stacktrace=1",
            "LSAN_OPTIONS": f"suppressions={HERE / 'lsan.supp'}:print_suppressions=0"}


def _threads(report, _):
    # Of the libraries' own code nothing is known: what they do to their data is not looked at.
    # httpd leaves threads to the end of the process, as we leave those of calls that hang.
    return {"LD_PRELOAD": f"{runtime('libtsan.so')} {library('atomics.c', '-fsanitize=thread')}",
            "TSAN_OPTIONS": (f"log_path={report}:exitcode=0:report_thread_leaks=0"
                             ":ignore_noninstrumented_modules=1:history_size=4")}


def _memcheck(report):
    """valgrind, before httpd's own words. A process leaves a report of its own, empty when nothing
    was found. Programs that httpd starts are not looked at."""
    return ["valgrind", "-q", f"--log-file={report}.%p", "--leak-check=full",
            "--show-leak-kinds=definite", "--errors-for-leak-kinds=definite",
            f"--suppressions={HERE / 'memcheck.supp'}", "--num-callers=30"]


# What httpd needs in its environment for a module that was built with a sanitizer.
SANITIZERS = {"address": _addresses, "thread": _threads}


class Log:
    """The error log; a test sees what came since its mark."""

    def __init__(self, path):
        self._path = path
        self._mark = 0

    def everything(self):
        try:
            return self._path.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def mark(self):
        self._mark = len(self.everything())

    def text(self):
        return self.everything()[self._mark:]

    def lines(self, pattern):
        """The lines since the mark in which the regular expression is found."""
        return [line for line in self.text().splitlines() if re.search(pattern, line)]

    def tail(self, lines=40):
        return "\n".join(self.everything().splitlines()[-lines:])

    def wait_for(self, pattern, seconds=10):
        """The first line since the mark that the regular expression is found in."""
        deadline = time.monotonic() + seconds * PATIENCE
        while True:
            found = self.lines(pattern)
            if found:
                return found[0]
            if time.monotonic() > deadline:
                raise HttpdError(f"no line like {pattern!r} in {seconds} s\n{self.tail()}")
            time.sleep(0.02)


def _is_alive(pid):
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def _until_gone(children, seconds):
    """Waits until they are, but no longer than that."""
    deadline = time.monotonic() + seconds * PATIENCE
    while any(_is_alive(child) for child in children) and time.monotonic() < deadline:
        time.sleep(0.01)


@atexit.register
def _stop_all():
    """Nothing is left running when the tests were broken off."""
    for server in list(Httpd.live):
        server.stop()
