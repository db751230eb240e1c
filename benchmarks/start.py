"""Compares how long commands take from their start, between this and another installation of tfvae.

    python benchmarks/start.py --before ../tfvae-0.1 --output start.json

`--before` is the Python of a virtual environment with the other version, or a folder with a checkout of it, which this
Python then runs. Each of them first trains a short run of the digits. Commands then run in turn, each in a new process:
`sample`, `encode`, `reconstruct`, `report` and `compare` until they end, `serve` and `explore` until the first
prediction is answered, and commands with mistakes until the message is printed. The table shows the medians with
quartiles, and the time relative to the other version. Without `--before`, there is only the time.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
# Commands with the words that follow. RUN is the run of the version, OTHER is a second one, and OUT a new folder.
COMMANDS = {
    "sample": ("sample", "RUN", "-n", "16", "-o", "OUT/samples.npz"),
    "encode": ("encode", "RUN", "-o", "OUT/latents.npz"),
    "reconstruct": ("reconstruct", "RUN", "-o", "OUT/reconstructions.npz"),
    "report": ("report", "RUN", "-o", "OUT/report.html"),
    "compare": ("compare", "RUN", "OTHER", "-o", "OUT/comparison"),
}
SERVERS = ("serve", "explore")
MISTAKES = {
    "unknown option": ("train", "--no-such-option"),
    "unknown data set": ("train", "--data", "no_such_data"),
    "unknown network": ("train", "--network", "no_such_network"),
    "number that is none": ("train", "--epochs", "many"),
    "negative number": ("train", "--epochs", "-3"),
    "missing file of settings": ("train", "--config", "OUT/none.toml"),
    "unknown setting": ("train", "--config", "FILES/key.toml"),
    "unknown layer": ("train", "--config", "FILES/layer.toml"),
    "damaged settings": ("train", "--config", "FILES/damaged.toml"),
    "missing table": ("train", "--data", "OUT/none.csv"),
    "empty table": ("train", "--data", "FILES/empty.csv"),
    "text as array": ("train", "--data", "FILES/text.npy"),
    "damaged archive": ("train", "--data", "FILES/damaged.npz"),
    "archive without arrays": ("train", "--data", "FILES/none.npz"),
    "array of texts": ("train", "--data", "FILES/words.npy"),
    "array of NaN": ("train", "--data", "FILES/nan.npy"),
    "folder without images": ("train", "--data", "FILES"),
    "no run": ("sample", "OUT"),
    "no number of samples": ("sample", "RUN", "-n", "0"),
    "condition of no use": ("sample", "RUN", "--condition", "3"),
    "format of no use": ("sample", "RUN", "-o", "OUT/samples.xyz"),
    "unknown split": ("encode", "RUN", "--split", "no_such_split"),
    "missing data": ("encode", "RUN", "OUT/none.npz"),
    "data of another shape": ("encode", "RUN", "FILES/wide.npy", "-o", "OUT/a.npz"),
    "output in no folder": ("reconstruct", "RUN", "-o", "FILES/text.npy/a.npz"),
    "one run": ("compare", "RUN"),
    "report of no run": ("report", "OUT"),
    "labels of a model without": ("predict", "RUN"),
    "precision of no use": ("export", "RUN", "--precision", "int8"),
    "unknown format": ("export", "RUN", "--to", "no_such_format"),
    "nothing to serve": ("serve", "OUT/none"),
    "no port": ("serve", "RUN", "--port", "99999999"),
    "nothing to explore": ("explore", "OUT"),
    "unknown paper": ("reproduce", "no_such_paper"),
    "unknown part": ("parts", "no_such_family"),
    "shards of nothing": ("data", "shard", "no_such_data", "OUT/shards"),
}


class Version:
    """An installation of tfvae.

    Args:
        name: Name in the table.
        place: Python of a virtual environment, or folder with a checkout.
        folder: Folder for its runs.
    """

    def __init__(self, name, place, folder):
        self.name, self.folder = name, folder
        is_checkout = place.is_dir()
        self._python = sys.executable if is_checkout else str(place)
        self._env = {**os.environ, **({"PYTHONPATH": str(place.resolve())} if is_checkout else {})}
        self._cwd = place.resolve() if is_checkout else folder

    def start(self, *words):
        """Starts a command."""
        command = [self._python, "-m", "tfvae.cli", *map(str, words)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen(command, env=self._env, cwd=self._cwd, **pipes)

    def train(self, epochs):
        """Trains the runs that the commands need."""
        process = self.start("train", "--data", "digits", "--epochs", epochs, "--run-dir", self.folder / "run")
        said, _ = process.communicate()
        if process.returncode:
            raise RuntimeError(f"{self.name} cannot train: {said}")
        shutil.copytree(self.folder / "run", self.folder / "other")

    def words(self, words, files):
        """Puts the paths into the words of a command."""
        out = Path(tempfile.mkdtemp(dir=self.folder))
        places = {"RUN": self.folder / "run", "OTHER": self.folder / "other", "OUT": out, "FILES": files}
        return [re.sub(r"^[A-Z]+(?=/|$)", lambda found: str(places[found[0]]), word) for word in words]

    def seconds(self, words, files, *, fails=False):
        """Returns the seconds that a command takes, and what it says."""
        filled = self.words(words, files)
        start = time.perf_counter()
        process = self.start(*filled)
        said, _ = process.communicate()
        taken = time.perf_counter() - start
        if fails != bool(process.returncode):
            print(f"{self.name}: {' '.join(words)} ended with {process.returncode}: {said}", file=sys.stderr)
        return taken, said

    def seconds_until_ready(self, command):
        """Returns the seconds from the start of a server to the response to the first prediction."""
        start = time.perf_counter()
        process = self.start(
            command, self.folder / "run", "--port", 0, *(["--no-open"] if command == "explore" else [])
        )
        try:
            found = None
            while found is None:
                line = process.stdout.readline()
                if not line:
                    raise RuntimeError(f"{self.name}: {command} has ended")
                found = re.search(r"http://[\d.:]+", line)
            inputs = {"x": np.zeros([1, 8, 8, 1]).tolist(), "seed": [0, 0]}
            body = json.dumps({"signature_name": "encode", "inputs": inputs}).encode()
            request = urllib.request.Request(
                f"{found[0]}/v1/models/run:predict", body, {"Content-Type": "application/json"}
            )
            self._answer(request)
            if command == "explore":
                self._answer(f"{found[0]}/explore/api/model")
            return time.perf_counter() - start
        finally:
            process.terminate()
            process.communicate()

    @staticmethod
    def _answer(request):
        """Waits for the response: the address is printed shortly before the server accepts connections."""
        while True:
            try:
                with urllib.request.urlopen(request, timeout=60) as response:
                    return response.read()
            except ConnectionRefusedError:
                time.sleep(0.005)


def write_files(folder):
    """Writes files with mistakes."""
    folder.mkdir()
    (folder / "key.toml").write_text('[data]\nname = "digits"\n[model]\nlatent_sizes = 3\n')
    (folder / "layer.toml").write_text('[data]\nname = "digits"\n[model]\nencoder = [{kind = "no_such_layer"}]\n')
    (folder / "damaged.toml").write_text("[data\nname=")
    (folder / "empty.csv").write_text("")
    (folder / "text.npy").write_text("no array")
    (folder / "damaged.npz").write_bytes(b"PK\x03\x04" + bytes(50))
    np.savez(folder / "none.npz")
    np.save(folder / "words.npy", np.array([["a", "b"]] * 20))
    np.save(folder / "nan.npy", np.full([20, 3], np.nan, np.float32))
    np.save(folder / "wide.npy", np.zeros([4, 9, 9], np.uint8))


def quartiles(values):
    """Returns the median and the quartiles."""
    return [float(value) for value in np.quantile(values, [0.5, 0.25, 0.75])]


def shown(found):
    """Returns a median with its quartiles as text."""
    return "{:.2f} ({:.2f}, {:.2f})".format(*found)


def main():
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, help="Python, or folder with a checkout, of the other version")
    parser.add_argument("--only", action="append", help="lines to measure, such as sample, serve or mistakes")
    parser.add_argument("--mistakes", type=int, default=10, help="number of commands with mistakes (default: 10)")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    places = {"now": ROOT, **({"before": arguments.before} if arguments.before else {})}
    chosen = dict(list(MISTAKES.items())[:: -(-len(MISTAKES) // arguments.mistakes)])
    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder) / "files")
        versions = []
        for name, place in places.items():
            (Path(folder) / name).mkdir()
            versions.append(Version(name, place, Path(folder) / name))
            versions[-1].train(arguments.epochs)
        files, lines = Path(folder) / "files", {}
        tasks = {name: lambda version, w=words: version.seconds(w, files)[0] for name, words in COMMANDS.items()}
        tasks |= {f"{name} ready": lambda version, n=name: version.seconds_until_ready(n) for name in SERVERS}
        tasks |= {
            f"mistake: {name}": lambda version, w=words: version.seconds(w, files, fails=True)[0]
            for name, words in chosen.items()
        }
        wanted = arguments.only
        for task, run in tasks.items():
            if wanted and not any(task.startswith(word.removesuffix("s")) for word in wanted):
                continue
            taken = {version.name: [] for version in versions}
            for repeat in range(arguments.repeats):
                for version in versions[:: 1 if repeat % 2 else -1]:
                    taken[version.name].append(run(version))
            lines[task] = {name: quartiles(values) for name, values in taken.items()}
            row = f"{task:<40} {shown(lines[task]['now'])} s"
            if "before" in taken:
                ratio = np.array(taken["now"]) / np.array(taken["before"])
                lines[task]["ratio"] = quartiles(ratio)
                row += f"   before {shown(lines[task]['before'])} s   ratio {shown(lines[task]['ratio'])}"
            print(row, flush=True)
    if arguments.output:
        arguments.output.write_text(json.dumps(lines, indent=1))


if __name__ == "__main__":
    main()
