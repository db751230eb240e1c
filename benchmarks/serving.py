"""Measures the REST server under load: requests per second and latencies, with and without batching of requests.

    python benchmarks/serving.py [--model saved_models/digits_vae/1] [--seconds 5] [--output serving.json]

Each row is one server process and one process of clients with persistent connections, which request `likelihood` for
one z at a time. Both processes share the cores of the machine.

    python benchmarks/serving.py --before FOLDER --seconds 2

compares with the build whose checkout is in FOLDER: two servers of the same SavedModel are measured in turns. The
ratios are medians with quartiles.
"""

import argparse
import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

CONNECTIONS = (1, 8, 64)


async def ask(reader, writer, message):
    """One request on a connection that stays open."""
    writer.write(message)
    head = await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(int(re.search(rb"content-length: (\d+)", head)[1]))
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(head.decode())


async def connection(port, message, end, seconds):
    """Asks on one connection until `end`."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while (start := time.perf_counter()) < end:
        await ask(reader, writer, message)
        seconds.append(time.perf_counter() - start)
    writer.close()


async def load(port, message, connections, duration):
    """Waiting times of all requests within `duration` seconds."""
    warm: list[float] = []
    await asyncio.gather(*(connection(port, message, time.perf_counter() + 1.0, warm) for _ in range(connections)))
    seconds: list[float] = []
    end = time.perf_counter() + duration
    await asyncio.gather(*(connection(port, message, end, seconds) for _ in range(connections)))
    return seconds


@contextlib.contextmanager
def serving(model, option, folder=None):
    """Starts a server, of the checkout in a folder if one is given. Yields its port and the request to send."""
    command = [sys.executable, "-m", "tfvae.cli", "serve", model, "--port", "0", option]
    environment = os.environ if folder is None else {**os.environ, "PYTHONPATH": str(folder)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=folder) as server:
        found = re.search(r"http://127\.0\.0\.1:(\d+)/v1/models/(\S+)", server.stdout.readline())
        body = json.dumps({"signature_name": "likelihood", "instances": [LATENT]}).encode()
        head = f"POST /v1/models/{found[2]}:predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n\r\n"
        try:
            yield int(found[1]), head.encode() + body
        finally:
            server.send_signal(signal.SIGTERM)


def measure(model, batching, duration):
    """Measures the rows of one server."""
    rows = []
    with serving(model, "--batching" if batching else "--no-batching") as (port, message):
        for connections in CONNECTIONS:
            seconds = asyncio.run(load(port, message, connections, duration))
            p50, p99 = np.percentile(seconds, [50, 99])
            rows.append(
                {
                    "batching": batching,
                    "connections": connections,
                    "requests_per_second": len(seconds) / duration,
                    "p50_ms": 1e3 * p50,
                    "p99_ms": 1e3 * p99,
                }
            )
    return rows


def compare(model, before, duration, turns):
    """Measures two builds in turns, both servers running, and prints the ratios of their requests per second."""
    rows = []
    with serving(model, "--batching", before) as old, serving(model, "--batching") as new:
        for connections in (1, 64):
            rates = []
            for turn in range(turns):
                pair = (old, new) if turn % 2 else (new, old)
                found = {one: len(asyncio.run(load(*one, connections, duration))) / duration for one in pair}
                rates.append((found[old], found[new]))
            olds, news = np.array(rates).T
            low, median, high = np.percentile(news / olds, [25, 50, 75])
            row = {"connections": connections, "before": float(np.median(olds)), "now": float(np.median(news))}
            rows.append({**row, "ratio": median, "quartiles": [low, high]})
            print(
                f"{connections:3} connections: {row['before']:,.0f} requests a second before, {row['now']:,.0f} now: "
                f"{median:.2f} ({low:.2f}, {high:.2f})",
                flush=True,
            )
    return rows


def main():
    """Measures, prints the table, writes the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="saved_models/digits_vae/1")
    parser.add_argument("--latent-size", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--before", type=Path, help="folder with a checkout of another build, to compare with")
    parser.add_argument("--turns", type=int, default=5, help="turns of the comparison")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    LATENT[:] = [0.1] * arguments.latent_size
    model = str(Path(arguments.model).resolve())
    if arguments.before is not None:
        rows = compare(model, arguments.before.resolve(), arguments.seconds, arguments.turns)
        if arguments.output:
            arguments.output.write_text(json.dumps(rows, indent=2))
        return
    rows = [row for batching in (True, False) for row in measure(model, batching, arguments.seconds)]
    print("| joined | connections | requests a second | p50, ms | p99, ms |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for row in rows:
        joined = "yes" if row["batching"] else "no"
        print(
            f"| {joined} | {row['connections']} | {row['requests_per_second']:,.0f} | {row['p50_ms']:.1f} "
            f"| {row['p99_ms']:.1f} |"
        )
    if arguments.output:
        arguments.output.write_text(json.dumps(rows, indent=2))


LATENT: list[float] = []

if __name__ == "__main__":
    main()
