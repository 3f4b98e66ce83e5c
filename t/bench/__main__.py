"""t/bench/run [requests] [logins] [outage] [growth] [start]: without a name, all of them."""

import os
import pathlib
import platform
import re
import subprocess
import sys
import time

from bench import growth, hang, start, tables


def outage():
    tables.outage()
    hang.hangs()


PARTS = {"requests": tables.requests, "logins": tables.logins, "outage": outage,
         "growth": growth.growth, "start": start.start}


def machine():
    """One line: when, where, and how busy it was."""
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    server = subprocess.run(["/usr/sbin/apache2", "-v"], stdout=subprocess.PIPE, text=True).stdout
    return ", ".join([time.strftime("%Y-%m-%d %H:%M"), model[1] if model else platform.machine(),
                      f"{os.cpu_count()} CPUs", f"Linux {platform.release()}",
                      re.search(r"Apache/[\d.]+", server)[0], f"load {os.getloadavg()[0]:.1f}"])


def main(names):
    wrong = [name for name in names if name not in PARTS]
    if wrong:
        print(f"run: no part {wrong[0]!r} (of: {' '.join(PARTS)})", file=sys.stderr)
        return 2
    print(machine())
    for name in names or PARTS:
        PARTS[name]()
    print(f"\n{machine()}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
