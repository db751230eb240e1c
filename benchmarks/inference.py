"""Compares tfvae with other programs: the speed of encoding and decoding, the time to the first step, and memory.

    python benchmarks/inference.py --output inference.json
    pip install -e .[bench] adds PyTorch and JAX to the contenders.

Encoding: the programs of `benchmarks/encoders.py` run the encoder of the paper for MNIST (784-500-20), from a NumPy
array of 1 or 1,024 images to the mean and the standard deviation of q(z|x) as NumPy arrays. Their results must agree. A
turn makes as many calls as fit in `--seconds` and gives one time per call. The programs alternate, forwards and then
backwards. The table shows medians, and the median over rounds of the ratio of each time to that of the SavedModel, with
quartiles. Above 1, the signature of tfvae is faster. A last line compares `vae.compiled` with PyTorch. Decoding is
measured in the same way, from 20 latents to the means of 784 pixels (`benchmarks/decoders.py`).

Starts: the contenders of `benchmarks/train.py` train the model of the paper in new processes, one after another: one
step (the data are one batch), the same again (tfvae then uses the program that the first start kept), and one epoch of
60,000 images. The table shows the seconds from the start of the process to the end, including imports, the seconds of
the imports, the peak of resident memory, and the ratios of tfvae to the others. `benchmarks/evaluation.py` measures
evaluation.

Further models: a new process builds, trains for a step and deletes the model of the paper several times. The table
shows by how much resident memory grows with each of them.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from contenders import NAMES as TRAINERS
from contenders import WORKLOADS
from decoders import NAMES as DECODERS
from decoders import decoder
from encoders import NAMES, encoder

_OURS = "signature"
_PLANS = ("one step", "second start", "one epoch", "further models")


def quartiles(values):
    """The median with its quartiles."""
    low, median, high = np.percentile(values, [25, 50, 75])
    return {"median": float(median), "quartiles": [float(low), float(high)]}


def text(ratio):
    """Formats a median with its quartiles."""
    return f"{ratio['median']:6.2f} ({ratio['quartiles'][0]:.2f}, {ratio['quartiles'][1]:.2f})"


def seconds_a_call(run, x, seconds):
    """Returns the mean time of as many calls as fit in the given time."""
    begun = time.perf_counter()
    num_calls = 0
    while (passed := time.perf_counter() - begun) < seconds or not num_calls:
        run(x)
        num_calls += 1
    return passed / num_calls


def compare(what, make, names, inputs_of, batch_size, arguments):
    """Times the contenders on batches of a size.

    Args:
        what: "encode" or "decode".
        make: Function from the name of a contender and weights to its function.
        names: Names of the contenders.
        inputs_of: Function from random numbers and a batch size to the inputs.
        batch_size: Number of examples.
        arguments: Arguments of the program.
    """
    rng = np.random.default_rng(0)
    weights = [
        (rng.normal(0.0, 1.0 / np.sqrt(shape[0]), shape).astype("float32"), np.zeros(shape[1], "float32"))
        for shape in WORKLOADS["paper"].dense_shapes[("encode", "decode").index(what)]
    ]
    x = inputs_of(rng, batch_size).astype("float32")
    made, expected = {}, None
    for name in names:
        run = make(name, weights)
        if run is None:
            print(f"{what} {batch_size:5}  {name:<24} not installed")
            continue
        answer = run(x)
        expected = answer if expected is None else expected
        for part, other in zip(answer, expected, strict=True):
            if not np.allclose(part, other, rtol=1e-3, atol=1e-4):
                raise RuntimeError(f"{name} has other numbers than {next(iter(made))}.")
        run(x)
        made[name] = run
    times = {name: [] for name in made}
    for repetition in range(arguments.repetitions):
        for name in list(made) if repetition % 2 else reversed(list(made)):
            times[name].append(seconds_a_call(made[name], x, arguments.seconds))
    rows = []
    for name, values in times.items():
        row = {"what": what, "batch_size": batch_size, "contender": name}
        row["microseconds"] = 1e6 * float(np.median(values))
        row["its_by_tfvae"] = quartiles(np.array(values) / np.array(times[_OURS]))
        rows.append(row)
        print(f"{what} {batch_size:5}  {name:<24} {row['microseconds']:10.0f} us   {text(row['its_by_tfvae'])}")
    if "torch" in times:
        ratio = quartiles(np.array(times["vae.compiled"]) / np.array(times["torch"]))
        rows.append({"what": what, "batch_size": batch_size, "compiled_by_torch": ratio})
        print(f"{what} {batch_size:5}  vae.compiled / torch                 {text(ratio)}", flush=True)
    return rows


def fresh_process(name, num_images, *options, cache=None):
    """Trains in a new process and returns what it prints. Compiled programs are kept in a folder, `cache`, or not."""
    script = Path(__file__).with_name("fresh_process.py")
    command = [sys.executable, str(script), name, "paper", str(num_images), *options]
    kept = {"TFVAE_KEEP_PROGRAMS": "0"} if cache is None else {"TFVAE_KEEP_PROGRAMS": "1", "XDG_CACHE_HOME": cache}
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | kept)
    if run.returncode:
        raise RuntimeError(f"{name} failed:\n{run.stderr}")
    return json.loads(run.stdout.splitlines()[-1])


def start(name, num_images, cache=None):
    """Trains in a new process. Returns the seconds to the end and of the imports, and the peak of resident bytes."""
    begun = time.time()
    found = fresh_process(name, num_images, cache=cache)
    if found is None:
        return None
    return {
        "seconds": found["trained"] - begun,
        "import_seconds": found["imported"] - begun,
        "peak_bytes": found["peak_bytes"],
    }


def compare_further_models(arguments):
    """Builds, trains and deletes further models in a process of each contender."""
    runs = {name: [] for name in arguments.starts}
    for _ in range(arguments.starts_repetitions):
        for name in runs:
            with tempfile.TemporaryDirectory() as cache:
                found = fresh_process(name, WORKLOADS["paper"].batch_size, "--further-models", "8", cache=cache)
            if found is not None:
                runs[name].append(found["bytes_a_model"])
    rows = []
    for name, found in runs.items():
        if found:
            ratio = quartiles(np.array(runs["tfvae"]) / np.array(found))
            rows.append({"contender": name, "bytes_a_model": float(np.median(found)), "tfvae_by_it": ratio})
            print(f"a further model keeps  {name:<14} {np.median(found) / 1e6:6.1f} MB  {text(ratio)}", flush=True)
    return rows


def compare_starts(what, num_images, arguments, cache=None):
    """Starts the contenders in turns."""
    runs = {name: [] for name in arguments.starts}
    if cache is not None:
        start("tfvae", num_images, cache)
    for repetition in range(arguments.starts_repetitions):
        for name in list(runs) if repetition % 2 else reversed(list(runs)):
            run = start(name, num_images, cache)
            if run is not None:
                runs[name].append(run)
    rows = []
    for name, found in runs.items():
        if not found:
            print(f"{what:<10} {name:<14} not installed")
            continue
        row = {"what": what, "contender": name}
        for key in found[0]:
            row[key] = float(np.median([run[key] for run in found]))
            row[f"tfvae_{key}_by_it"] = quartiles(
                [ours[key] / its[key] for ours, its in zip(runs["tfvae"], found, strict=True)]
            )
        rows.append(row)
        print(
            f"{what:<10} {name:<14} {row['seconds']:6.1f} s (imports {row['import_seconds']:.1f})  "
            f"{text(row['tfvae_seconds_by_it'])}   {row['peak_bytes'] / 1e6:6.0f} MB "
            f"{text(row['tfvae_peak_bytes_by_it'])}",
            flush=True,
        )
    return rows


def main():
    """Compares, prints tables and writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch-sizes", nargs="*", type=int, default=[1, 1024])
    parser.add_argument("--contenders", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--repetitions", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.5, help="duration of a turn of encoding")
    parser.add_argument("--starts", nargs="*", choices=TRAINERS, default=["tfvae", "keras"])
    parser.add_argument("--starts-repetitions", type=int, default=5)
    parser.add_argument("--plans", nargs="*", choices=_PLANS, default=_PLANS, help="what is started")
    parser.add_argument("--output", default=None)
    arguments = parser.parse_args()
    arguments.contenders = list(dict.fromkeys([_OURS, "vae.compiled", *arguments.contenders]))
    if arguments.starts and "tfvae" not in arguments.starts:
        arguments.starts = ["tfvae", *arguments.starts]
    # The processes start before this one allocates memory.
    work = WORKLOADS["paper"]
    with tempfile.TemporaryDirectory() as cache:
        plans = [
            ("one step", work.batch_size, None),
            ("second start", work.batch_size, cache),
            ("one epoch", work.num_images, None),
        ]
        starts = [
            row for plan in plans if plan[0] in arguments.plans for row in compare_starts(*plan[:2], arguments, plan[2])
        ]
    further = compare_further_models(arguments) if "further models" in arguments.plans else []
    encoding = []
    for size in arguments.batch_sizes:
        images, latents = lambda rng, n: rng.uniform(size=(n, 784)) < 0.2, lambda rng, n: rng.normal(size=(n, 20))
        encoding += compare("encode", encoder, arguments.contenders, images, size, arguments)
        encoding += compare("decode", decoder, DECODERS, latents, size, arguments)
    if arguments.output:
        with open(arguments.output, "w") as file:
            found = {"encoding": encoding, "starts": starts, "further_models": further}
            json.dump({"arguments": vars(arguments), **found}, file, indent=2)


if __name__ == "__main__":
    main()
