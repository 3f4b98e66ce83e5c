"""A clock that stands wrong, for one server, and that a test moves while the server runs."""

import os
import pathlib
import shutil
import tempfile


class Clock:
    """The time of day alone, as when an administrator sets it: waiting takes as long as ever."""

    def __init__(self):
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="kcauth-clock-"))
        self._folder.chmod(0o755)
        self.set(0)

    @property
    def environment(self):
        library, = pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
        return {"LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(self._folder / "offset"),
                "FAKETIME_NO_CACHE": "1", "DONT_FAKE_MONOTONIC": "1"}

    def set(self, seconds):
        """So far ahead (behind, when negative) of the true time."""
        aside = self._folder / "aside"
        aside.write_text(f"{seconds:+d}\n")
        aside.chmod(0o644)
        os.replace(aside, self._folder / "offset")

    def remove(self):
        shutil.rmtree(self._folder)
