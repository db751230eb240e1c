"""The memory that a step frees is used by the next one."""

import ctypes
import os
import platform
import subprocess
import sys

import pytest

from tfvae import _freed_memory
from tfvae._freed_memory import keep_freed_memory

PROGRAM = """
import resource, runpy, sys
kept = runpy.run_path(sys.argv[1])["keep_freed_memory"]()

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    b"x" * 2**26
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults()
print(kept, faults())
"""
NAMES = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")


def without_settings():
    return {name: value for name, value in os.environ.items() if name not in NAMES}


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="not the GNU C library")
def test_freed_memory_is_used_again():
    program = [sys.executable, "-c", PROGRAM, _freed_memory.__file__]
    run = subprocess.run(program, env=without_settings(), capture_output=True, text=True, check=True)
    kept, faults = run.stdout.split()
    assert kept == "True"
    assert int(faults) < 100  # 64 MiB have 16,384 pages


@pytest.mark.parametrize("name", NAMES)
def test_settings_of_the_user_are_kept(name, monkeypatch):
    monkeypatch.setenv(name, "1")
    monkeypatch.setattr(ctypes, "CDLL", lambda _: pytest.fail("the allocator was set"))
    assert not keep_freed_memory()


@pytest.mark.parametrize("error", [OSError, TypeError, AttributeError])
def test_other_systems_have_no_such_function(error, monkeypatch):
    def library(_):
        raise error("none")

    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(ctypes, "CDLL", library)
    assert not keep_freed_memory()
