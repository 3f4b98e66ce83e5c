"""CPU time of httpd's processes, and load made by wrk."""

import dataclasses
import os
import pathlib
import re
import subprocess

HTTPD_CPU, CLIENT_CPU = 0, max(os.sched_getaffinity(0))


def seconds(httpd):
    """User and system time of all children so far. What /proc/PID/stat counts in ticks of 10 ms,
    schedstat counts in nanoseconds, a thread each."""
    total = 0
    for child in httpd._children():
        for task in pathlib.Path(f"/proc/{child}/task").glob("*/schedstat"):
            try:
                total += int(task.read_text().split()[0])
            except OSError:
                pass
    return total / 1e9


def apart(start):
    """Starts a server whose processes have a CPU to themselves; we and wrk have the other one."""
    os.sched_setaffinity(0, {HTTPD_CPU})
    try:
        return start()
    finally:
        os.sched_setaffinity(0, {CLIENT_CPU})


def everywhere():
    """We, and what we start, may use all CPUs again."""
    os.sched_setaffinity(0, range(os.cpu_count()))


@dataclasses.dataclass
class Sample:
    """What was measured of one page in one round."""
    requests: int
    cpu: float      # seconds
    time: float     # seconds

    @property
    def microseconds(self):
        return 1e6 * self.cpu / self.requests

    @property
    def rate(self):
        return self.requests / self.time


class Best:
    """Of several rounds the best: what else the machine does can only add."""

    def __init__(self):
        self._samples = []

    def add(self, sample):
        self._samples.append(sample)

    @property
    def microseconds(self):
        return min(sample.microseconds for sample in self._samples)

    @property
    def rate(self):
        return max(sample.rate for sample in self._samples)


def load(httpd, url, headers=(), *, keep=True, clients=16, time=1):
    """Lets wrk ask for a page as fast as it can. Every answer has to be 200."""
    command = ["wrk", "-t1", f"-c{clients}", f"-d{time}s", "--timeout", "20s"]
    for name, value in dict(headers).items():
        command += ["-H", f"{name}: {value}"]
    if not keep:
        command += ["-H", "Connection: close"]
    before = seconds(httpd)
    said = subprocess.run([*command, url], check=True, stdout=subprocess.PIPE, text=True).stdout
    spent = seconds(httpd) - before
    if "Non-2xx" in said:
        raise AssertionError(f"{url}\n{said}")
    count, took, unit = re.search(r"(\d+) requests in ([\d.]+)(s|m)", said).groups()
    return Sample(int(count), spent, float(took) * (60 if unit == "m" else 1))
