"""Compiled programs that later processes use: never a wrong or failed run."""

import collections
import gc
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from tfvae import _garbage, _xla_cache
from tfvae.execution import kept_programs, program_files
from tfvae.execution.program_files import ProgramFiles

SCRIPT = Path(__file__).parents[1] / "kept_programs_in_processes.py"
# After these, there is a file that TensorFlow refuses, or that of another function: a new program is made.
REFUSED = {
    "empty, right digest",
    "truncated, right digest",
    "garbage, right digest",
    "that of another function",
}
USED = {"unchanged", "a link to the file", "no permission"}  # the last only where root runs the tests


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "tfvae" / "programs"


@pytest.fixture
def memory(monkeypatch):
    """A folder in memory without TensorFlow."""
    folder = {}
    monkeypatch.setattr(_xla_cache, "is_installed", lambda: True)
    monkeypatch.setattr(_xla_cache, "names", lambda: list(folder))
    monkeypatch.setattr(_xla_cache, "read", folder.__getitem__)
    monkeypatch.setattr(_xla_cache, "write", folder.__setitem__)
    monkeypatch.setattr(_xla_cache, "clear", folder.clear)
    monkeypatch.setattr(kept_programs, "_processor", lambda: "flags")
    monkeypatch.setattr(kept_programs, "_num_called", collections.Counter())
    return folder


def in_new_process(new_program, *arguments):
    """Calls the first function of a process with the label."""
    kept_programs._num_called.clear()
    return kept_programs.called(new_program, arguments, "label")


def test_files_keep_programs_of_their_kind(cache):
    ProgramFiles("a", "b").write("one", b"program")
    assert ProgramFiles("a", "b").read() == {"one": b"program"}
    assert ProgramFiles("a", "c").read() == {}
    ProgramFiles("a", "b").remove(["one", "two"])
    assert ProgramFiles("a", "b").read() == {}


@pytest.mark.parametrize("change", [lambda content: b"", lambda content: content[:-1], lambda content: content + b"x"])
def test_damaged_files_are_ignored(cache, change):
    ProgramFiles("a", "b").write("one", b"program")
    (path,) = cache.glob("*/*/*")
    path.write_bytes(change(path.read_bytes()))
    assert ProgramFiles("a", "b").read() == {}


def test_files_that_others_can_write_are_ignored(cache):
    before = os.umask(0o002)
    try:
        ProgramFiles("a", "b").write("one", b"program")
    finally:
        os.umask(before)
    assert ProgramFiles("a", "b").read() == {"one": b"program"}
    next(cache.glob("*/*/*")).chmod(0o664)
    assert ProgramFiles("a", "b").read() == {}


def test_oldest_files_are_removed(cache, monkeypatch):
    monkeypatch.setattr(program_files, "_MAX_BYTES", 3 * (32 + 10))
    for i in range(5):
        ProgramFiles("a", str(i)).write("one", b"0123456789")
        os.utime(next(cache.glob(f"a/{i}/*")), (i, i))
    assert sorted(path.parent.name for path in cache.glob("*/*/*")) == ["2", "3", "4"]
    assert sorted(path.name for path in cache.glob("*/*")) == ["2", "3", "4"]


def test_without_a_folder_nothing_is_kept_and_nothing_fails(cache, monkeypatch):
    cache.parent.write_text("a file")
    ProgramFiles("a", "b").write("one", b"program")
    assert ProgramFiles("a", "b").read() == {}
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", "relative")
    ProgramFiles("a", "b").write("one", b"program")
    assert not Path("relative").exists()


def test_a_refused_program_is_replaced(memory):
    calls = []

    def new_program():
        def program(x):
            calls.append(dict(memory))
            if memory:
                raise tf.errors.DataLossError(None, None, "refused")
            memory["new"] = b"new program"
            return 2 * x

        return program

    in_new_process(lambda: lambda: memory.update(old=b"old program"))
    _program, result = in_new_process(new_program, 3)
    assert result == 6
    assert calls == [{"old": b"old program"}, {}]
    assert memory == {}
    in_new_process(lambda: lambda: calls.append(dict(memory)))
    assert calls[-1] == {"new": b"new program"}


def test_a_further_function_reads_the_programs_of_further_functions(memory):
    """The number of a function is part of its HLO, so no other program is the same."""
    calls = []

    def new_program(name):
        return lambda: lambda: calls.append(sorted(memory)) or memory.update({name: b"program"})

    for _ in range(2):
        in_new_process(new_program("first"))
        kept_programs.called(new_program("second"), (), "label")
    assert calls == [[], [], ["first"], ["second"]]


def test_programs_of_other_functions_are_freed(memory):
    memory["other"] = b"program"
    with kept_programs._lock:
        kept_programs.forget_others()
        assert memory
    kept_programs.forget_others()
    assert not memory


def test_errors_of_a_new_program_are_raised_once(memory):
    calls = []

    def fail():
        calls.append(1)
        raise tf.errors.InvalidArgumentError(None, None, "not compilable")

    with pytest.raises(tf.errors.InvalidArgumentError):
        kept_programs.called(lambda: fail, (), "label")
    assert len(calls) == 1


def test_a_program_that_is_being_written_stays(monkeypatch):
    monkeypatch.setattr(_xla_cache, "FOLDER", "ram://test-programs")
    for name in ("one.pb", "two.pb.tmp"):
        _xla_cache.write(name, b"program")
    assert _xla_cache.names() == ["one.pb"]
    _xla_cache.clear()
    assert tf.io.gfile.listdir(_xla_cache.FOLDER) == ["two.pb.tmp"]


@pytest.mark.parametrize("name", ["TF_GetXlaConstantFoldingDisabled", None])
def test_an_unknown_tensorflow_keeps_no_programs(monkeypatch, caplog, name):
    from tensorflow import python
    from tensorflow.python import pywrap_tfe

    monkeypatch.setenv("TFVAE_KEEP_PROGRAMS", "1")
    monkeypatch.setenv("TF_XLA_FLAGS", "--other")
    monkeypatch.setattr(_xla_cache, "_state", {"is_installed": False})
    if name is None:
        monkeypatch.setitem(sys.modules, "tensorflow.python.pywrap_tfe", None)
        monkeypatch.delattr(python, "pywrap_tfe")
    else:
        monkeypatch.delattr(pywrap_tfe, name)
    with caplog.at_level("INFO", logger="tfvae"):
        _xla_cache.install()
    assert not _xla_cache.is_installed()
    assert os.environ["TF_XLA_FLAGS"] == "--other"
    assert [record.message.startswith("Compiled programs are not kept") for record in caplog.records] == [True]


def test_a_folder_of_the_user_is_left_alone(monkeypatch):
    monkeypatch.setenv("TFVAE_KEEP_PROGRAMS", "1")
    monkeypatch.setenv("TF_XLA_FLAGS", flags := "--tf_xla_persistent_cache_directory=/tmp/mine")
    monkeypatch.setattr(_xla_cache, "_state", {"is_installed": False})
    monkeypatch.setattr(_xla_cache, "_read_flags", lambda: pytest.fail("the flags are read"))
    _xla_cache.install()
    assert os.environ["TF_XLA_FLAGS"] == flags
    assert not _xla_cache.is_installed()


@pytest.mark.parametrize("value", ["0", "false", "off"])
def test_one_setting_turns_it_off(monkeypatch, value):
    monkeypatch.setenv("TFVAE_KEEP_PROGRAMS", value)
    monkeypatch.setattr(os, "environ", before := dict(os.environ))
    _xla_cache.install()
    assert os.environ == before
    assert not _xla_cache.is_installed()


def test_paused_collections_restore_the_collector():
    with _garbage.paused_collections():
        assert not gc.isenabled()
        with _garbage.paused_collections():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


@pytest.mark.slow
def test_damage_never_gives_a_wrong_or_failed_run():
    run = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, timeout=240)
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    at_once, changed = found.pop("at once"), found.pop("changed function")
    right = found["without"]["result"]
    assert [name for name, one in found.items() if one.get("result") != right] == []
    assert found["first"] == {"result": right, "kept": 0, "written": 1}
    for name in USED:
        if name != "no permission" or os.getuid() == 0:
            assert found[name] == {"result": right, "kept": 1, "written": 0}
    for name in REFUSED:
        assert found[name] == {"result": right, "kept": 1, "written": 1}
    others = {name: one for name, one in found.items() if not name.startswith("after") and name not in USED | REFUSED}
    assert len(others) > 20
    assert {name for name, one in others.items() if one["kept"]} == set()
    assert changed == {"result": True, "kept": 1, "written": 1}
    assert at_once["statuses"] == [0] * 4
    assert at_once["result"] == right
    assert at_once["kept"]
