"""Damages kept programs in many ways, and runs a function in a new process after each. Prints JSON.

The processes are forks of one that has imported TensorFlow and run nothing.
"""

import hashlib
import json
import os
import resource
import shutil
import sys
import tempfile
from pathlib import Path

os.environ["TFVAE_KEEP_PROGRAMS"] = "1"
CACHE = Path(tempfile.mkdtemp())
os.environ["XDG_CACHE_HOME"] = str(CACHE)

import tensorflow as tf  # noqa: E402

from tfvae import _version  # noqa: E402
from tfvae.execution import kept_programs, program_files  # noqa: E402

GOOD = CACHE / "good"
PROGRAMS = CACHE / "tfvae" / "programs"


def run(exponent=1.0, label="label"):
    """Returns the result of a loop, the number of kept programs that were read, and of those that were written."""
    found, written = [], []
    read, write = program_files.ProgramFiles.read, program_files.ProgramFiles.write
    program_files.ProgramFiles.read = lambda self: found.append(read(self)) or found[-1]
    program_files.ProgramFiles.write = lambda self, *arguments: written.append(write(self, *arguments))

    def loop(x):
        def body(i, total):
            noise = tf.random.stateless_normal([8, 5], tf.stack([i, 3]))
            return i + 1, total + tf.reduce_sum(tf.exp(noise * exponent) * x)

        return tf.while_loop(lambda i, _: i < 5, body, (0, 0.0))[1]

    _, result = kept_programs.called(
        lambda: tf.function(loop, autograph=False, jit_compile=True), (tf.constant(1.5),), label
    )
    kept = len(found[0]) if found else None
    return {"result": result.numpy().tobytes().hex(), "kept": kept, "written": len(written)}


def in_fork(function, *arguments):
    """Calls a function in a fork and returns its result."""
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.write(write, json.dumps(function(*arguments)).encode())
            os._exit(0)
        except BaseException as error:
            os.write(write, json.dumps({"error": f"{type(error).__name__}: {error}"}).encode())
            os._exit(1)
    os.close(write)
    with open(read, "rb") as file:
        content = file.read()
    os.waitpid(pid, 0)
    return json.loads(content or '{"error": "crashed"}')


def only_file():
    """Returns the path of the kept program."""
    (path,) = PROGRAMS.glob("*/*/*.program")
    return path


def rewritten(change, with_digest=False):
    """Returns a way to damage the program by a change of its content, with its digest corrected or not."""

    def damage():
        path = only_file()
        content = path.read_bytes()
        program = change(content[32:])
        path.write_bytes((hashlib.sha256(program).digest() if with_digest else content[:32]) + program)

    return damage


def flipped(program):
    middle = len(program) // 2
    return program[:middle] + bytes([program[middle] ^ 255]) + program[middle + 1 :]


def replaced_by(make):
    """Returns a way to put something else in the place of the file."""

    def damage():
        path = only_file()
        path.unlink()
        make(path)

    return damage


def replaced_folder(make):
    def damage():
        shutil.rmtree(CACHE / "tfvae")
        make()

    return damage


def abandoned():
    path = only_file()
    path.with_name(f".{path.name}.123.partial").write_bytes(path.read_bytes()[:1000])
    path.unlink()


def linked():
    path = only_file()
    moved = path.rename(CACHE / "moved")
    path.symlink_to(moved)


def of_other_function():
    path = only_file()
    path.unlink()
    in_fork(run, 2.0)
    other = only_file()
    other.rename(path)


def no_space():
    only_file().unlink()
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))


def read_only():
    folder = only_file().parent
    only_file().unlink()
    folder.chmod(0o500)


def of_other(name, value):
    return lambda: setattr(_version, name, value)


def with_setting(name, value):
    return lambda: os.environ.__setitem__(name, value)


def with_processor(value):
    return lambda: setattr(kept_programs, "_processor", lambda: value)


WAYS = {
    "unchanged": lambda: None,
    "empty file": rewritten(lambda program: b""),
    "no bytes": lambda: only_file().write_bytes(b""),
    "truncated": rewritten(lambda program: program[: len(program) // 2]),
    "garbage": lambda: only_file().write_bytes(os.urandom(5000)),
    "one byte flipped": rewritten(flipped),
    "longer": rewritten(lambda program: program + b"more"),
    "empty, right digest": rewritten(lambda program: b"", with_digest=True),
    "truncated, right digest": rewritten(lambda program: program[: len(program) // 2], with_digest=True),
    "garbage, right digest": rewritten(lambda program: os.urandom(5000), with_digest=True),
    "that of another function": of_other_function,
    "a folder": replaced_by(lambda path: path.mkdir()),
    "a broken link": replaced_by(lambda path: path.symlink_to("nothing")),
    "a link to itself": replaced_by(lambda path: path.symlink_to(path)),
    "a link to the file": linked,
    "a named pipe": replaced_by(os.mkfifo),
    "a device": replaced_by(lambda path: path.symlink_to("/dev/zero")),
    "others can write": lambda: only_file().chmod(0o666),
    "no permission": lambda: only_file().chmod(0),
    "killed while writing": abandoned,
    "read-only folder": read_only,
    "no space": no_space,
    "too large": lambda: os.truncate(only_file(), 2**31),
    "a file for a folder": replaced_folder(lambda: (CACHE / "tfvae").write_text("file")),
    "no folder": with_setting("XDG_CACHE_HOME", "/proc/none"),
    "a relative folder": lambda: os.environ.update(XDG_CACHE_HOME="cache", HOME="nowhere"),
    "another version": of_other("__version__", "0.0.0"),
    "another processor": with_processor("flags: other"),
    "an unknown processor": with_processor(None),
    "other settings of XLA": with_setting("XLA_FLAGS", "--xla_cpu_enable_fast_math=false"),
    "other threads": lambda: tf.config.threading.set_intra_op_parallelism_threads(1),
    "another label": lambda: None,
    "off": with_setting("TFVAE_KEEP_PROGRAMS", "0"),
}


def damaged(name):
    """Damages the program and runs the function."""
    WAYS[name]()
    return run(label="other" if name == "another label" else "label")


def restore():
    """Puts the good program back."""
    if (CACHE / "tfvae").is_dir():
        shutil.rmtree(CACHE / "tfvae")
    else:
        (CACHE / "tfvae").unlink(missing_ok=True)
    shutil.copytree(GOOD, CACHE / "tfvae")


def main():
    """Keeps a program, tries the ways, and two processes at once."""
    results = {"without": in_fork(lambda: (os.environ.update(TFVAE_KEEP_PROGRAMS="0"), run())[1])}
    results["first"] = in_fork(run)
    shutil.copytree(CACHE / "tfvae", GOOD)
    for name in WAYS:
        restore()
        results[name] = in_fork(damaged, name)
        results[f"after: {name}"] = in_fork(run)
    restore()
    changed = in_fork(run, 2.0)
    results["changed function"] = {**changed, "result": changed["result"] != results["first"]["result"]}
    shutil.rmtree(CACHE / "tfvae")
    pids = []
    for _ in range(4):
        if not (pid := os.fork()):
            os._exit(0 if run()["result"] == results["first"]["result"] else 1)
        pids.append(pid)
    results["at once"] = {"statuses": [os.waitpid(pid, 0)[1] for pid in pids], **in_fork(run)}
    shutil.rmtree(CACHE)
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
