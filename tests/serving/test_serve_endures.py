"""The server as a process: a plain client, a thousand odd requests, very many good ones, and its end."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import schemathesis
import tensorflow as tf
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tfvae.cli.app import main
from tfvae.serving import running

MODEL = Path(__file__).parents[2] / "saved_models" / "digits_vae" / "1"
PREDICT = "/v1/models/digits_vae:predict"
GOOD = json.dumps({"signature_name": "likelihood", "inputs": [[0.5] * 8]}).encode()
SETTINGS = {"deadline": None, "derandomize": True, "suppress_health_check": list(HealthCheck), "database": None}


class Server:
    """`tfvae serve` in a process of its own."""

    def __init__(self, *options):
        self.options = options

    def __enter__(self):
        command = [sys.executable, "-m", "tfvae.cli", "serve", str(MODEL), "--port", "0", "--max-rows", "4"]
        command += self.options
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.address = re.search(r"(http://127\.0\.0\.1:\d+)/v1/models/digits_vae", self.process.stdout.readline())[1]
        return self

    def __exit__(self, *error):
        if self.process.returncode is None:
            self.end(signal.SIGTERM)

    def end(self, number):
        """What it has said since it began to serve, and its errors."""
        self.process.send_signal(number)
        try:
            return self.process.communicate(timeout=60)
        finally:
            self.process.kill()

    def post(self, body, path=PREDICT):
        """The status and the body of the answer."""
        try:
            with urllib.request.urlopen(self.address + path, body, timeout=300) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read()

    def memory(self):
        """Resident bytes."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture(scope="module")
def server():
    with Server() as server:
        yield server


def test_a_client_that_knows_nothing_of_it_is_answered(server):
    inputs = {"z": np.random.default_rng(1).normal(size=(3, 8)).tolist(), "seed": [3, -7]}
    status, answer = server.post(json.dumps({"signature_name": "decode", "inputs": inputs}).encode())
    tensors = {"z": tf.constant(inputs["z"]), "seed": tf.constant(inputs["seed"])}
    wanted = tf.saved_model.load(str(MODEL)).signatures["decode"](**tensors)
    assert status == 200
    np.testing.assert_array_equal(np.asarray(json.loads(answer)["outputs"]["sample"]), wanted["sample"])


def test_a_port_that_is_taken_is_one_sentence(server, monkeypatch, capsys):
    monkeypatch.setattr(running, "make_server", lambda app: pytest.fail("it serves"))
    port = server.address.rpartition(":")[2]
    monkeypatch.setattr(sys, "argv", ["tfvae", "serve", str(MODEL), "--port", port])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 1
    assert f"Port {port} of 127.0.0.1 is already in use" in capsys.readouterr().err


def mutated():
    """Good bodies with bytes changed, cut or put in, and bytes of any kind."""

    def change(body, at, new, length):
        at %= len(body)
        return body[:at] + new + body[at + length :]

    edits = st.tuples(st.integers(0, 500), st.binary(max_size=6), st.integers(0, 12))
    return st.one_of(st.binary(max_size=2000), edits.map(lambda edit: change(GOOD, *edit)))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("num_requests", [40, pytest.param(1_000, marks=pytest.mark.slow)])
def test_odd_requests_are_no_fault_of_the_server(server, num_requests):
    """Requests made from the server's own schema, half of them against it; then bytes that are nobody's."""
    schema = schemathesis.openapi.from_url(f"{server.address}/openapi.json")
    strategies = [operation.ok().as_strategy() for operation in schema.get_all_operations()]
    codes = []

    @settings(max_examples=num_requests // 2, phases=[Phase.generate], **SETTINGS)
    @given(case=st.one_of(strategies))
    def from_schema(case):
        codes.append(case.call(timeout=60).status_code)

    @settings(max_examples=num_requests // 2, phases=[Phase.generate], **SETTINGS)
    @given(body=mutated())
    def from_bytes(body):
        codes.append(server.post(body)[0])

    from_schema()
    settled = server.memory()
    from_bytes()
    assert len(codes) >= num_requests
    assert max(codes) < 500
    assert 200 in codes
    assert 400 in codes
    assert server.memory() < settled + 50 * 2**20
    assert server.post(GOOD)[0] == 200


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_is_flat(server):
    """100,000 requests over connections that stay open, of three signatures and all sizes."""
    import httpx

    rng = np.random.default_rng(0)
    memory = []
    with httpx.Client(base_url=server.address, timeout=60) as client:
        for i in range(100_000):
            z = rng.normal(size=(1 + i % 4, 8)).tolist()
            body = [
                {"signature_name": "likelihood", "instances": z},
                {"signature_name": "decode", "inputs": {"z": z, "seed": [i, 1]}},
                {"signature_name": "sample", "inputs": {"num_samples": 1 + i % 4, "seed": [i, 2]}},
            ][i % 3]
            assert client.post(PREDICT, json=body).status_code == 200
            if i % 10_000 == 9_999:
                memory.append(server.memory())
    assert memory[-1] <= 1.02 * memory[1], memory


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_odd_long_bodies_cost_no_memory():
    """Those that are dear to read: numbers in one row, empty lists, nested ones, names, text among numbers."""
    head, num_bytes = b'{"signature_name":"likelihood","inputs":[', 2_000_000
    repeated = [b"0.123456789,", b"0,", b"[],", b"[[[[[[[[0]]]]]]]],", b"{},", b'{"z":0},', b'"",']
    bodies = [head + part * (num_bytes // len(part)) + b"0]}" for part in repeated]
    bodies += [head + part * (250_000 // (part.count(b"[") + 1)) + b"0]}" for part in repeated]
    bodies += [b"{" + b",".join(b'"%d":0' % i for i in range(count)) + b"}" for count in (30_000, 180_000)]
    bodies += [head + b'"' + 1_000_000 * b"a" + b'"' + 200_000 * b",0" + b"]}"]
    with Server("--max-rows", "1024") as server, ThreadPoolExecutor() as threads:
        before = server.memory()
        posted = threads.submit(lambda: [server.post(body)[0] for body in bodies])
        while not posted.done():  # others are heard meanwhile
            assert server.post(None, "/healthz")[0] == 200
        assert set(posted.result()) == {400, 413}
        assert server.memory() < before + 200 * 2**20


@pytest.mark.slow
def test_long_computations_let_short_ones_by():
    """Four of them, seconds each: many requests for one example are answered before the first of them is."""
    body = {"x": [[[[0.5]] * 8] * 8] * 20, "num_samples": 10_000, "seed": [0, 1]}
    bodies = [json.dumps({"signature_name": name, "inputs": body}).encode() for name in ("elbo", "log_marginal")]
    with Server("--max-rows", "20") as server, ThreadPoolExecutor() as threads:
        asked = [threads.submit(server.post, body) for body in 2 * bodies]
        while b"tfvae_waiting 4.0" not in urllib.request.urlopen(f"{server.address}/metrics", timeout=60).read():
            time.sleep(0.01)
        count = 0
        while not any(answer.done() for answer in asked):
            assert server.post(GOOD)[0] == 200
            count += 1
        assert count > 10
        assert [answer.result()[0] for answer in asked] == [200] * 4


@pytest.mark.slow
def test_the_end_does_not_wait_for_a_long_computation():
    """Hours of it: Ctrl-C ends the server after its ten seconds, and who waited for the answer is told."""
    body = {"x": [[[[0.5]] * 8] * 8], "num_samples": 2_000_000_000, "seed": [0, 1]}
    body = json.dumps({"signature_name": "elbo", "inputs": body}).encode()
    with Server("--max-num-samples", "2000000000") as server, ThreadPoolExecutor() as threads:
        asked = threads.submit(server.post, body)
        while b"tfvae_waiting 1.0" not in urllib.request.urlopen(f"{server.address}/metrics", timeout=60).read():
            time.sleep(0.1)
        server.process.send_signal(signal.SIGINT)
        server.process.wait(timeout=60)
        assert server.process.returncode == 0
        status, answer = asked.result(timeout=60)
        assert (status, b"shutting down before" in answer) == (503, True)


def test_ctrl_c_ends_it_without_a_word_of_trouble(server):
    """Last: it is the end of the server of the tests above."""
    said, errors = server.end(signal.SIGINT)
    assert (server.process.returncode, errors) == (0, "")
    assert said.splitlines()[-1] == "stopped"
