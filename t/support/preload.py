"""Libraries that stand in front of httpd's (LD_PRELOAD); ours are compiled when first asked for."""

import atexit
import functools
import os
import pathlib
import shutil
import subprocess
import tempfile

HERE = pathlib.Path(__file__).parent


@functools.cache
def library(source, *options):
    """The path of the library that gcc makes of a source file of this folder."""
    folder = tempfile.mkdtemp(prefix="kcauth-preload-")
    atexit.register(shutil.rmtree, folder)
    os.chmod(folder, 0o755)
    path = os.path.join(folder, pathlib.Path(source).stem + ".so")
    flags = subprocess.run(["pkg-config", "--cflags", "apr-1"], check=True, text=True,
                           stdout=subprocess.PIPE).stdout.split()
    subprocess.run(["gcc", "-O1", "-D_GNU_SOURCE", "-shared", "-fPIC", *options, *flags,
                    HERE / source, "-o", path], check=True)
    return path


@functools.cache
def runtime(name):
    """The path of a library of gcc's."""
    found = subprocess.run(["gcc", f"-print-file-name={name}"], check=True,
                           stdout=subprocess.PIPE, text=True)
    return os.path.realpath(found.stdout.strip())
