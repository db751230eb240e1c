"""Runs the scenarios of a group: `python -m same_numbers_scenarios GROUP RESULTS SOURCE PATTERN...`."""

import argparse
import fnmatch
import importlib
import time
import traceback
import warnings
from pathlib import Path

from same_numbers_scenarios.outcome import is_done, write_names, write_outcome


def main():
    """Runs them one after another, in the order of the module."""
    parser = argparse.ArgumentParser()
    parser.add_argument("group")
    parser.add_argument("results", type=Path)
    parser.add_argument("source", type=Path)
    parser.add_argument("patterns", nargs="+")
    parser.add_argument("--plain-graphs", action="store_true")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")

    import tfvae

    if not Path(tfvae.__file__).is_relative_to(arguments.source):
        raise ImportError(f"tfvae was imported from {tfvae.__file__}, not from {arguments.source}.")
    import keras
    import tensorflow as tf

    if arguments.plain_graphs:
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    module = importlib.import_module(f"same_numbers_scenarios.{arguments.group}")
    write_names(arguments.results, [f"{arguments.group}/{name}" for name in module.SCENARIOS])
    for name, scenario in module.SCENARIOS.items():
        full_name = f"{arguments.group}/{name}"
        wanted = any(fnmatch.fnmatch(full_name, pattern) for pattern in arguments.patterns)
        if not wanted or is_done(arguments.results, full_name):
            continue
        folder = Path("work") / name
        folder.mkdir(parents=True)
        keras.utils.set_random_seed(1)
        arrays, error, start = {}, None, time.perf_counter()
        try:
            arrays = scenario(folder)
        except BaseException:  # reported as the outcome
            error = traceback.format_exc()
        keras.config.set_dtype_policy("float32")
        keras.config.set_floatx("float32")
        write_outcome(arguments.results, full_name, arrays, time.perf_counter() - start, error)


if __name__ == "__main__":
    main()
