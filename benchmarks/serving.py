"""Measures the REST server under load: requests per second and latencies, with and without batching of requests.

    python benchmarks/serving.py [--model saved_models/digits_vae/1] [--seconds 5] [--output serving.json]

Each row is one server process and one process of clients with persistent connections, which request `likelihood` for
one z at a time. Both processes share the cores of the machine.
"""

import argparse
import asyncio
import json
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


def measure(model, batching, duration):
    """Measures the rows of one server."""
    option = "--batching" if batching else "--no-batching"
    command = [sys.executable, "-m", "tfvae.cli", "serve", model, "--port", "0", option]
    rows = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        found = re.search(r"http://127\.0\.0\.1:(\d+)/v1/models/(\S+)", server.stdout.readline())
        port, name = int(found[1]), found[2]
        body = json.dumps({"signature_name": "likelihood", "instances": [LATENT]}).encode()
        head = f"POST /v1/models/{name}:predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n\r\n"
        for connections in CONNECTIONS:
            seconds = asyncio.run(load(port, head.encode() + body, connections, duration))
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
        server.send_signal(signal.SIGTERM)
    return rows


def main():
    """Measures, prints the table, writes the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="saved_models/digits_vae/1")
    parser.add_argument("--latent-size", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    LATENT[:] = [0.1] * arguments.latent_size
    rows = [row for batching in (True, False) for row in measure(arguments.model, batching, arguments.seconds)]
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
