"""A clock that stands wrong, for one server, and that a test moves while the server runs."""

import os
import pathlib
import shutil
import tempfile

from support.preload import library


class Clock:
    """The time of day alone, as when an administrator sets it: waiting takes as long as ever."""

    def __init__(self):
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="kcauth-clock-"))
        self._folder.chmod(0o755)
        self._file = self._folder / "difference"
        self._ahead = 0
        self.set(0)

    @property
    def environment(self):
        return {"LD_PRELOAD": library("clock.c"), "KCAUTH_CLOCK": str(self._file)}

    def set(self, seconds):
        """So far ahead (behind, when negative) of the true time."""
        self._ahead = seconds
        microseconds = (seconds * 1_000_000).to_bytes(8, "little", signed=True)
        descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT, 0o644)
        os.pwrite(descriptor, microseconds, 0)  # at once, as httpd has the file mapped
        os.close(descriptor)

    def forward(self, seconds):
        """So much later than before."""
        self.set(self._ahead + seconds)

    def remove(self):
        shutil.rmtree(self._folder)
