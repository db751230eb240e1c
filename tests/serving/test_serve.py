"""The REST server: TensorFlow Serving's paths and bodies, refusals, joined requests, metrics."""

import asyncio
import base64
import contextlib
import copy
import gc
import gzip
import hashlib
import html
import io
import json
import re
import shlex
import socket
import threading
import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor

import documented
import httpx
import numpy as np
import pytest
import tensorflow as tf
from fastapi import FastAPI
from fastapi.testclient import TestClient
from small_models import small_vae

import tfvae
from tfvae.serving import Limits, ServedModel, make_app, predict_response, predicting, run_app
from tfvae.serving.predict_body import read_predict
from tfvae.serving.refusal import RefusedRequest
from tfvae.serving.running import _listening
from tfvae.serving.signature import Signature, TensorInfo
from tfvae.serving.start_page import example_command
from tfvae.training.run_folder import RunFolder

LIMITS = Limits(rows=40, num_samples=50, draws=100, waiting=30)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tfvae.export.save(small_vae(), tmp_path_factory.mktemp("models") / "toy" / "3")


@pytest.fixture(scope="module")
def model(folder):
    return ServedModel(folder)


@pytest.fixture(scope="module")
def client(model):
    with TestClient(make_app(model, limits=LIMITS), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="module")
def loaded(folder):
    return tf.saved_model.load(str(folder)).signatures


X = np.random.default_rng(0).uniform(size=(3, 4, 2)).astype("float32")
Z = np.random.default_rng(1).normal(size=(3, 2)).astype("float32")
SEED = [3, -7]
SEED_INFO = TensorInfo(np.dtype("int32"), (2,))
INPUTS = {
    "encode": {"x": X.tolist(), "seed": SEED},
    "decode": {"z": Z.tolist(), "seed": SEED},
    "reconstruct": {"x": X.tolist(), "seed": SEED},
    "sample": {"num_samples": 5, "seed": SEED},
    "elbo": {"x": X.tolist(), "num_samples": 4, "seed": SEED},
    "log_marginal": {"x": X.tolist(), "num_samples": 6, "seed": SEED},
    "posterior": {"x": X.tolist()},
    "likelihood": {"z": Z.tolist()},
    "serving_default": {"x": X.tolist()},
}
DTYPES = {"x": tf.float32, "z": tf.float32, "seed": tf.int32, "num_samples": tf.int32}
PREDICT = "/v1/models/toy:predict"


def expected(loaded, name):
    answers = loaded[name](**{key: tf.constant(value, DTYPES[key]) for key, value in INPUTS[name].items()})
    return {key: value.numpy() for key, value in answers.items()}


def run_alone(coroutine):
    """`asyncio.run` in a thread of its own: a browser of other tests may have left a loop running in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


def outputs(answer, names):
    """The arrays of an answer by column; one comes without its name."""
    found = answer.json()["outputs"]
    return found if len(names) > 1 else {next(iter(names)): found}


@pytest.mark.parametrize("name", list(INPUTS))
def test_columns_are_answered_as_the_signature_does(client, loaded, name):
    answer = client.post(PREDICT, json={"signature_name": name, "inputs": INPUTS[name]})
    assert answer.status_code == 200, answer.text
    wanted = expected(loaded, name)
    found = outputs(answer, wanted)
    assert set(found) == set(wanted)
    for key, value in wanted.items():
        np.testing.assert_array_equal(np.asarray(found[key], "float32"), value)


def test_signature_that_is_not_named_is_the_default(client, loaded):
    """The means, without a seed: row by row too, which is the plainest of requests."""
    wanted = expected(loaded, "serving_default")["mean"]
    z = tf.constant(expected(loaded, "posterior")["loc"])
    np.testing.assert_allclose(wanted, loaded["likelihood"](z=z)["mean"], rtol=1e-6)
    for path in (PREDICT, "/v1/models/toy/versions/3:predict", f"{PREDICT}?version=7"):
        for unnamed in ({}, {"signature_name": ""}):
            found = client.post(path, json={**unnamed, "inputs": X.tolist()}).json()["outputs"]
            np.testing.assert_array_equal(np.asarray(found, "float32"), wanted)
            found = client.post(path, json={**unnamed, "instances": X.tolist()}).json()["predictions"]
            np.testing.assert_array_equal(np.asarray(found, "float32"), wanted)


def test_rows(client, loaded):
    """One input: values with and without its name; several outputs: an object a row, one: the value."""
    wanted = expected(loaded, "posterior")
    for instances in (X.tolist(), [{"x": x} for x in X.tolist()]):
        rows = client.post(PREDICT, json={"signature_name": "posterior", "instances": instances}).json()["predictions"]
        assert [set(row) for row in rows] == 3 * [set(wanted)]
        for key, value in wanted.items():
            np.testing.assert_array_equal(np.asarray([row[key] for row in rows], "float32"), value)
    found = client.post(PREDICT, json={"signature_name": "likelihood", "instances": Z.tolist()}).json()["predictions"]
    np.testing.assert_array_equal(np.asarray(found, "float32"), expected(loaded, "likelihood")["mean"])


def test_model_state_and_metadata(client, loaded):
    state = {"version": "3", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    for path in ("/v1/models/toy", "/v1/models/toy/versions/3"):
        assert client.get(path).json() == {"model_version_status": [state]}
    metadata = client.get("/v1/models/toy/metadata").json()
    assert metadata["model_spec"] == {"name": "toy", "signature_name": "", "version": "3"}
    described = metadata["metadata"]["signature_def"]["signature_def"]
    assert {*loaded} <= {*described}
    x = described["encode"]["inputs"]["x"]
    assert x["dtype"] == "DT_FLOAT"
    assert [dim["size"] for dim in x["tensor_shape"]["dim"]] == ["-1", "4", "2"]
    assert described["encode"]["method_name"] == "tensorflow/serving/predict"


NESTED = b'{"inputs": ' + 5000 * b"[" + 5000 * b"]" + b"}"
NESTED_LESS = b'{"signature_name": "posterior", "inputs": ' + 500 * b"[" + 500 * b"]" + b"}"


def predict(**body):
    return json.dumps(body).encode()


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"", 400, "not valid JSON"),
        (b"{", 400, "not valid JSON"),
        (b"\xff\xfe", 400, "not valid JSON"),
        (NESTED, 413, "more numbers, lists or names"),
        (NESTED_LESS, 400, "Received: shape [1, 1, 1"),
        (b"[1]", 400, "JSON object"),
        (b"{}", 400, "instances"),
        (predict(inputs={}, instances=[]), 400, "either"),
        (predict(inputs={}, more=1), 400, '"more"'),
        (predict(signature_name="dream", inputs={}), 400, '"dream" not found'),
        (predict(signature_name=5, inputs={}), 400, "not found"),
        (b'{"inputs": [[0, 1]], "signature_name": "decode", "signature_name": "likelihood"}', 400, "same name twice"),
        (b'{"signature_name": "likelihood", "inputs": {"z": [[0, 1]], "z": [[2, 3]]}}', 400, "same name twice"),
        (b'{"signature_name": "likelihood", "instances": [{"z": [0, 1], "\\u007a": [2, 3]}]}', 400, "same name twice"),
        (predict(signature_name="likelihood", instances=[{"b64": "AAAA"}]), 400, 'expects "z". Received: "b64"'),
        (predict(signature_name="__saved_model_init_op", inputs={}), 400, "not found"),
        (predict(signature_name="encode", inputs={"x": X.tolist()}), 400, '"seed"'),
        (predict(signature_name="encode", inputs={**INPUTS["encode"], "y": 1}), 400, '"y"'),
        (predict(signature_name="encode", inputs=X.tolist()), 400, "object"),
        (predict(signature_name="posterior", inputs=X[:, 1:].tolist()), 400, "shape [any, 4, 2]. Received: shape"),
        (predict(signature_name="posterior", inputs=[]), 400, "Received: shape [0]"),
        (predict(signature_name="posterior", inputs=[[[1, 2], [3]] * 2]), 400, "lists of unequal lengths"),
        (predict(signature_name="posterior", inputs=None), 400, "null"),
        (predict(signature_name="posterior", inputs=[[["a", "b"]] * 4]), 400, "text"),
        (predict(signature_name="posterior", inputs=[[[True, False]] * 4]), 400, "true or false"),
        (predict(signature_name="posterior", inputs=[[[True, 0.5]] * 4]), 400, "true or false"),
        (predict(signature_name="posterior", inputs=[[["a" * 3_000, 0.5]] * 2 + [[0.5, 0.5]] * 2]), 400, "text"),
        (predict(signature_name="posterior", inputs=[[[0.5, None]] * 4]), 400, "null"),
        (predict(signature_name="posterior", inputs=[[[0.5, [0.5]]] * 4]), 400, "a mixture of numbers and lists"),
        (predict(signature_name="posterior", inputs=[[0.5, [0.5, 0.5]] * 2]), 400, "a mixture of numbers and lists"),
        (predict(signature_name="posterior", inputs=[[[3.402823466385289e38, 0.0]] * 4]), 400, "too large"),
        (predict(signature_name="posterior", inputs=[[[1e39, 0.0]] * 4]), 400, "too large"),
        (predict(signature_name="posterior", inputs=[[[float("nan"), 0.0]] * 4]), 400, "not valid JSON"),
        (predict(signature_name="posterior", inputs=[[[float("inf"), 0.0]] * 4]), 400, "not valid JSON"),
        (predict(signature_name="posterior", inputs=41 * [X[0].tolist()]), 400, "at most 40 examples. Send"),
        (predict(signature_name="posterior", instances=[]), 400, "one or more"),
        (predict(signature_name="posterior", instances=X[0].tolist()), 400, "shape"),
        (predict(signature_name="decode", instances=[{"z": [0, 1], "seed": SEED}]), 400, '"seed" once for all'),
        (predict(signature_name="decode", inputs={"z": Z.tolist(), "seed": [0.5, 1]}), 400, "fractions"),
        (predict(signature_name="decode", inputs={"z": Z.tolist(), "seed": [2**31, 1]}), 400, "outside"),
        (predict(signature_name="decode", inputs={"z": Z.tolist(), "seed": [2**64, 1]}), 400, "outside"),
        (predict(signature_name="decode", inputs={"z": Z.tolist(), "seed": [2**70, 1]}), 400, "outside"),
        (predict(signature_name="decode", inputs={"z": Z.tolist(), "seed": [True, 1]}), 400, "true or false"),
        (predict(signature_name="sample", inputs={"num_samples": True, "seed": SEED}), 400, "true or false"),
        (predict(signature_name="decode", inputs={"z": Z.tolist(), "seed": [1]}), 400, "shape [2]"),
        (predict(signature_name="sample", inputs={"num_samples": 41, "seed": SEED}), 400, "Received: num_samples=41"),
        (predict(signature_name="elbo", inputs={**INPUTS["elbo"], "num_samples": 51}), 400, "1 to 50"),
        (predict(signature_name="elbo", inputs={**INPUTS["elbo"], "num_samples": 40}), 400, "at most 100 samples in"),
        (predict(signature_name="elbo", inputs={**INPUTS["elbo"], "num_samples": 0}), 400, "1 to 50"),
        (predict(signature_name="elbo", inputs={**INPUTS["elbo"], "num_samples": [4]}), 400, "an integer"),
        (b" " * 20_000, 413, "at most 15,776 bytes"),
    ],
)
def test_refusals_are_one_sentence_and_harm_nobody(client, body, status, message):
    answer = client.post(PREDICT, content=body)
    assert answer.status_code == status, answer.text
    found = answer.json()["error"]
    assert message in found
    assert "\n" not in found
    assert len(found) < 600
    good = client.post(PREDICT, json={"signature_name": "likelihood", "inputs": Z.tolist()})
    assert good.status_code == 200


def test_a_body_of_unknown_length_is_cut(client):
    answer = client.post(PREDICT, content=(b" " * 5_000 for _ in range(100)))
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/redoc", 404),
        ("GET", "/v1/models/other", 404),
        ("GET", "/v1/models/toy/versions/4", 404),
        ("GET", "/v1/models/toy/versions/4/metadata", 404),
        ("GET", "/v1/models/toy/labels/stable", 404),
        ("GET", "/v1/models/toy/labels/stable/metadata", 404),
        ("POST", "/v1/models/toy/labels/stable:predict", 404),
        ("POST", "/v1/models/other/labels/stable:predict", 404),
        ("POST", "/v1/models/other:predict", 404),
        ("POST", "/v1/models/toy/versions/1:predict", 404),
        ("POST", "/v1/models/toy:Predict", 404),
        ("GET", "/v1/models/toy:classify", 405),
        ("GET", PREDICT, 405),
        ("DELETE", "/v1/models/toy", 405),
    ],
)
def test_what_is_not_there(client, method, path, status):
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.json()["error"]


def test_methods_that_are_not_there_are_told_as_tensorflow_serving_does(client):
    for method, kind in (("classify", "classification"), ("regress", "regression")):
        for path in (f"/v1/models/toy:{method}", f"/v1/models/toy/versions/3:{method}"):
            answer = client.post(path, json={})
            assert answer.status_code == 400
            assert f"Expected {kind} signature method_name to be tensorflow/serving/{method}" in answer.json()["error"]
    assert client.put(PREDICT).headers["allow"] == "POST"
    assert client.head("/healthz").status_code == 200


def test_the_page_says_how_to_ask(client, model):
    """Every example on it is answered, and it needs nothing from elsewhere."""
    page = client.get("/")
    assert client.get("/docs").text == page.text
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    style = re.search("<style>(.*)</style>", page.text)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in page.headers["content-security-policy"]
    assert not re.search(r"<script|<link|<img|@import|url\(", page.text)
    assert set(re.findall(r"\w+://[^/]*", page.text)) == {"http://testserver"}
    for link in re.findall('href="([^"]*)"', page.text):
        assert client.get(link).status_code == 200
    commands = [html.unescape(found) for found in re.findall("<pre>(.*?)</pre>", page.text, re.DOTALL)]
    assert len(commands) == len(model.signatures)
    assert commands[0] == (
        """curl -d '{"instances": [[[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]]}' """
        "http://testserver/v1/models/toy:predict"
    )
    for command in commands:
        _, _, body, address = shlex.split(command)
        answer = client.post(address, content=body.encode())
        assert answer.status_code == 200, answer.text


def test_requests_of_the_documentation_are_answered(model):
    """docs/serve.md has a model called NAME with the shapes of this one."""
    named = copy.copy(model)
    named.name = "NAME"
    asked = [command.words[1:] for command in documented.commands("docs/serve.md") if command.program == "curl"]
    assert len(asked) > 3
    with TestClient(make_app(named)) as client:
        for *data, address in asked:
            answer = client.post(address, content=data[1].encode()) if data else client.get(address)
            assert answer.status_code == 200, answer.text


def test_examples_of_large_images_are_short():
    signature = Signature("encode", {"x": TensorInfo(np.dtype("float32"), (None, 28, 28, 1)), "seed": SEED_INFO}, {})
    command = example_command(signature, "http://host/v1/models/toy:predict")
    python, _, curl = command.partition(" | ")
    assert curl == "curl -d @- http://host/v1/models/toy:predict"
    name, option, code = shlex.split(python)
    assert (name, option, len(command) < 200) == ("python3", "-c", True)
    with contextlib.redirect_stdout(io.StringIO()) as written:
        exec(code, {})
    body = json.loads(written.getvalue())
    assert body == {
        "signature_name": "encode",
        "inputs": {"x": np.zeros([1, 28, 28, 1]).tolist(), "seed": [0, 1]},
    }


def strict_json(text):
    """As readers of JSON have it that are not Python's own."""

    def refuse(constant):
        raise ValueError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_numbers_that_are_not_finite_are_text(client, model, monkeypatch):
    """Alone, in rows, among others and in long answers; NumPy reads them."""
    odd = np.array([[np.nan, 1.5], [np.inf, -np.inf], [0.1, 2]], "float32")
    for value in (odd, np.tile(odd, (1, 3_000))):
        monkeypatch.setattr(model, "run", lambda name, inputs, value=value: {"mean": value, "other": value[:, 0]})
        columns = client.post(PREDICT, json={"inputs": X.tolist()})
        found = strict_json(columns.text)["outputs"]
        assert found["mean"][1][:2] == ["Infinity", "-Infinity"]
        np.testing.assert_array_equal(np.asarray(found["mean"], "float32"), value)
        assert found["other"][:2] == ["NaN", "Infinity"]
        rows = strict_json(client.post(PREDICT, json={"instances": X.tolist()}).text)["predictions"]
        assert [row["other"] for row in rows][:2] == ["NaN", "Infinity"]
        np.testing.assert_array_equal(np.asarray([row["mean"] for row in rows], "float32"), value)


def test_pages_of_other_sites_have_nothing_computed(client, model, monkeypatch):
    monkeypatch.setattr(model, "run", lambda name, inputs: pytest.fail("it is computed"))
    foreign = {"origin": "http://evil.example", "content-type": "text/plain"}
    answer = client.post(PREDICT, content=predict(instances=X.tolist()), headers=foreign)
    assert answer.status_code == 403
    assert answer.json()["error"].endswith("Received: Origin='http://evil.example'")


def test_schema_names_the_model(client):
    """So that requests made from it reach `:predict`."""
    paths = client.get("/openapi.json").json()["paths"]
    for path in ("/v1/models/{name}:predict", "/v1/models/{name}/versions/{version}:predict"):
        described = {value["name"]: value["schema"].get("enum") for value in paths[path]["post"]["parameters"]}
        assert described == {"name": ["toy"]} | ({"version": ["3"]} if "{version}" in path else {})


def test_whole_numbers_may_be_written_with_a_point(client, loaded):
    inputs = {"num_samples": 5.0, "seed": [3.0, -7]}
    found = client.post(PREDICT, json={"signature_name": "sample", "inputs": inputs}).json()["outputs"]
    np.testing.assert_array_equal(np.asarray(found["mean"], "float32"), expected(loaded, "sample")["mean"])


def test_largest_number_is_taken(client):
    largest = float(np.finfo("float32").max)
    body = {"signature_name": "likelihood", "inputs": [[largest, -largest]]}
    assert client.post(PREDICT, json=body).status_code == 200


GOOD = predict(signature_name="likelihood", inputs=Z.tolist())


@pytest.mark.parametrize(
    ("encoding", "body", "status"),
    [
        ("gzip", gzip.compress(GOOD), 200),
        ("identity", GOOD, 200),
        ("gzip", GOOD, 400),
        ("gzip", gzip.compress(GOOD)[:-4], 400),
        ("gzip", gzip.compress(GOOD) + b"more", 400),
        ("gzip", gzip.compress(bytes(10_000_000)), 413),
        ("deflate", zlib.compress(GOOD), 415),
    ],
)
def test_compressed_bodies(client, encoding, body, status):
    assert client.post(PREDICT, content=body, headers={"content-encoding": encoding}).status_code == status


def test_large_examples_are_fewer(model):
    """By their inputs or by their outputs; one is always taken."""
    limits = Limits(rows=40, numbers=80)
    assert limits.rows_of(model.signatures["likelihood"]) == 10
    assert Limits(rows=40, numbers=7).rows_of(model.signatures["posterior"]) == 1
    with TestClient(make_app(model, limits=limits)) as client:
        inputs = {"num_samples": 11, "seed": SEED}
        answer = client.post(PREDICT, json={"signature_name": "sample", "inputs": inputs})
        assert "from 1 to 10. Received: num_samples=11" in answer.json()["error"]
        for count, status in ((10, 200), (11, 400)):
            body = {"signature_name": "likelihood", "instances": [[0.1234567890123456e-10, 1]] * count}
            assert client.post(PREDICT, json=body).status_code == status


def test_long_answers_are_those_of_short_ones(model, monkeypatch):
    """They are written in parts."""
    rng = np.random.default_rng(0)
    body = {
        "signature_name": "reconstruct",
        "inputs": {"x": rng.uniform(size=(30, 4, 2)).tolist(), "seed": SEED},
    }
    with TestClient(make_app(model)) as client:
        whole = client.post(PREDICT, json=body)
        monkeypatch.setattr(predict_response, "_CHUNK_SIZE", 5)
        monkeypatch.setattr(predicting, "_SHORT_RESPONSE", 5)
        monkeypatch.setattr(predicting, "_SHORT_BODY", 5)
        assert client.post(PREDICT, json=body).content == whole.content


def test_long_text_among_numbers_costs_no_memory():
    """`np.asarray` would pad each number to it: 1.6 gigabytes."""
    body = predict(signature_name="likelihood", inputs=[["a" * 100_000, *range(7)], *500 * [8 * [0]]])
    signatures = {"likelihood": Signature("likelihood", {"z": TensorInfo(np.dtype("float32"), (None, 8))}, {})}
    tracemalloc.start()
    with pytest.raises(RefusedRequest, match="Received: text"):
        read_predict(body, signatures, Limits(), 10**6)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 2**20


def test_curl_may_leave_out_the_content_type(client):
    headers = {"content-type": "application/x-www-form-urlencoded"}
    body = predict(signature_name="likelihood", inputs=Z.tolist())
    assert client.post(PREDICT, content=body, headers=headers).status_code == 200


@pytest.mark.parametrize("batching", [True, False])
def test_joined_requests_are_answered_as_each_alone(model, loaded, batching, monkeypatch):
    """Forty clients at once, of two signatures and several sizes, and five whose draws depend on their place."""
    rng = np.random.default_rng(7)
    asked = [("likelihood", rng.normal(size=(1 + i % 5, 2)).astype("float32")) for i in range(30)]
    asked += [("posterior", rng.uniform(size=(2, 4, 2)).astype("float32")) for _ in range(10)]
    computed = []
    run = model.run

    def counted(name, inputs):
        computed.append((name, len(next(iter(inputs.values())))))
        return run(name, inputs)

    monkeypatch.setattr(model, "run", counted)
    app = make_app(model, limits=Limits(batch_rows=16), batching=batching)

    async def ask_all():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://host") as client:
            bodies = [{"signature_name": name, "inputs": values.tolist()} for name, values in asked]
            bodies += 5 * [{"signature_name": "decode", "inputs": INPUTS["decode"]}]
            return await asyncio.gather(*(client.post(PREDICT, json=body) for body in bodies))

    answers = run_alone(ask_all())
    for (name, values), answer in zip(asked, answers, strict=False):
        (key,) = model.signatures[name].inputs
        wanted = {out: value.numpy() for out, value in loaded[name](**{key: tf.constant(values)}).items()}
        for out, value in outputs(answer, wanted).items():
            np.testing.assert_allclose(np.asarray(value, "float32"), wanted[out], rtol=2e-6, atol=1e-6)
    for answer in answers[40:]:
        np.testing.assert_array_equal(
            np.asarray(answer.json()["outputs"]["sample"], "float32"), expected(loaded, "decode")["sample"]
        )
    joined = [rows for name, rows in computed if name != "decode"]
    assert sum(joined) == sum(len(values) for _, values in asked)
    assert max(joined) <= 16
    assert (len(computed) < 45) == batching
    assert sum(name == "decode" for name, _ in computed) == 5


def test_too_many_at_once_are_told_so(model):
    app = make_app(model, limits=Limits(waiting=4))

    async def ask_all():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://host") as client:
            body = {"signature_name": "sample", "inputs": {"num_samples": 1000, "seed": SEED}}
            return await asyncio.gather(*(client.post(PREDICT, json=body) for _ in range(20)))

    answers = run_alone(ask_all())
    codes = [answer.status_code for answer in answers]
    assert set(codes) == {200, 429}
    assert codes.count(200) >= 4
    assert {answer.headers.get("retry-after") for answer in answers if answer.status_code == 429} == {"1"}


def test_health_is_answered_while_something_is_computed(model, monkeypatch):
    """And whoever still waits when the server ends is told so."""
    both_run, go_on, run = threading.Barrier(3), threading.Event(), model.run

    def waits(name, inputs):
        both_run.wait(60)
        if not go_on.wait(60):
            raise RuntimeError("nobody let it go on")
        return run(name, inputs)

    monkeypatch.setattr(model, "run", waits)
    app = make_app(model)

    async def ask_all():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://host") as client:
            body = {"signature_name": "decode", "inputs": INPUTS["decode"]}
            one, other = (asyncio.create_task(client.post(PREDICT, json=body)) for _ in range(2))
            await asyncio.to_thread(both_run.wait, 60)
            health, metrics = await client.get("/healthz"), await client.get("/metrics")
            was_done = one.done()
            other.cancel()
            ended = await other
            go_on.set()
            return health, metrics, was_done, await one, ended

    health, metrics, was_done, answer, ended = run_alone(ask_all())
    assert (health.status_code, was_done, answer.status_code, ended.status_code) == (200, False, 200, 503)
    assert "tfvae_waiting 2.0" in metrics.text
    assert "shutting down before" in ended.json()["error"]


def test_short_requests_do_not_wait_for_long_ones(model, monkeypatch):
    """Of five long ones one is computed, and as many as may wait do; a short one, and another, go by."""
    is_computed, go_on, run = threading.Semaphore(0), threading.Event(), model.run

    def waits(name, inputs):
        if name == "elbo":
            is_computed.release()
            go_on.wait(60)
        return run(name, inputs)

    monkeypatch.setattr(model, "run", waits)
    app = make_app(model, limits=Limits(long_draws=10, waiting=16))

    async def ask_all():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://host") as client:
            long = {"signature_name": "elbo", "inputs": {**INPUTS["elbo"], "num_samples": 4}}
            asked = [asyncio.create_task(client.post(PREDICT, json=long)) for _ in range(5)]
            await asyncio.to_thread(is_computed.acquire, True, 60)
            short = [
                await client.post(PREDICT, json={"signature_name": name, "inputs": INPUTS[name]})
                for name in ("likelihood", "decode", "sample")
            ]
            go_on.set()
            return [answer.status_code for answer in await asyncio.gather(*asked)], short

    codes, short = run_alone(asyncio.wait_for(ask_all(), 60))
    assert codes == [200, 200, 200, 200, 429]
    assert [answer.status_code for answer in short] == [200, 200, 200]


def test_examples_are_joined_only_where_they_are_answered_as_alone(folder, model, monkeypatch):
    """As if a layer drew in every call, another number for another place in the batch: no shape tells."""
    assert {name for name, signature in model.signatures.items() if signature.is_by_row} == {
        "posterior",
        "likelihood",
        "serving_default",
    }
    run, noise = ServedModel.run, np.random.default_rng(0).normal(size=(8, 1)).astype("float32")

    def draws(self, name, inputs):
        answers = run(self, name, inputs)
        return {**answers, "loc": answers["loc"] + noise[: len(answers["loc"])]} if name == "posterior" else answers

    monkeypatch.setattr(ServedModel, "run", draws)
    drawing = ServedModel(folder)
    assert {name for name, signature in drawing.signatures.items() if signature.is_by_row} == {
        "likelihood",
        "serving_default",
    }


def test_metrics_count_what_happened(model):
    with TestClient(make_app(model)) as client:
        client.post(PREDICT, json={"signature_name": "likelihood", "inputs": Z.tolist()})
        client.post(PREDICT, json={"signature_name": "likelihood", "inputs": 5})
        text = client.get("/metrics").text
        assert client.get("/healthz").json() == {"status": "ok", "model": "toy", "version": 3}
    for line in (
        'tfvae_requests_total{code="200",signature="likelihood"} 1.0',
        'tfvae_requests_total{code="400",signature="none"} 1.0',
        'tfvae_request_seconds_count{signature="likelihood"} 1.0',
        "tfvae_batch_rows_sum 3.0",
        "tfvae_waiting 0.0",
    ):
        assert line in text


def test_models_are_found(folder, tmp_path, loaded):
    found = ServedModel(folder.parent)
    assert (found.name, found.version) == ("toy", 3)
    assert ServedModel(folder, name="other").name == "other"
    with pytest.raises(ValueError, match="part of URLs"):
        ServedModel(folder, name="a b")
    with pytest.raises(ValueError, match="There is no model at"):
        ServedModel(tmp_path)
    (tmp_path / "config.toml").touch()
    with pytest.raises(ValueError, match=r"has no SavedModel yet. Write it with `tfvae export"):
        ServedModel(tmp_path)
    RunFolder(tmp_path).saved_model.symlink_to(folder)
    run = ServedModel(tmp_path)
    assert (run.name, run.version) == (tmp_path.name, 1)
    np.testing.assert_array_equal(run.run("likelihood", {"z": Z})["mean"], expected(loaded, "likelihood")["mean"])


def test_garbage_collection_does_not_pause_the_server():
    """What is loaded is left out of it, until the server has ended."""
    frozen = []

    def on_start(address):
        frozen.append(gc.get_freeze_count())
        raise KeyboardInterrupt

    loaded = [[] for _ in range(200_000)]
    before = gc.get_freeze_count()
    with pytest.raises(KeyboardInterrupt):
        run_app(FastAPI(), port=0, on_start=on_start)
    assert frozen[0] > before + len(loaded) / 2
    assert gc.get_freeze_count() == 0


def test_small_answers_do_not_wait_for_acknowledgements():
    """Asyncio turns Nagle's algorithm off on sockets that say they are TCP; else each answer takes 40 ms."""
    with _listening("127.0.0.1", 0) as listener:
        assert listener.proto == socket.IPPROTO_TCP
