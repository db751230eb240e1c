"""The REST server for models with conditions, labels and missing values."""

import asyncio
import html
import json
import re
import shlex
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from fastapi.testclient import TestClient
from steered_models import conditional_vae, data, labelled_vae, vae_with_holes, with_holes

import tfvae
from tfvae.serving import Limits, ServedModel, make_app
from tfvae.serving.openapi import _tensor
from tfvae.serving.predict_body import read_predict
from tfvae.serving.refusal import RefusedRequest
from tfvae.serving.scheduler import Scheduler
from tfvae.serving.signature import Signature, TensorInfo

SEED = [3, -7]
FLOAT, INT = np.dtype("float32"), np.dtype("int32")
CONDITION = TensorInfo(FLOAT, (None, 3), num_classes=3, is_shared=True)
IMAGE = TensorInfo(FLOAT, (None, 2, 2), is_shared=True)
LABEL = TensorInfo(INT, (None,), num_classes=3, is_shared=True)
Z = TensorInfo(FLOAT, (None, 2))
SIGNATURES = {
    "likelihood": Signature("likelihood", {"z": Z, "condition": CONDITION}, {"mean": Z}, is_by_row=True),
    "sample": Signature(
        "sample", {"num_samples": TensorInfo(INT, ()), "label": LABEL, "condition": IMAGE}, {"mean": Z}
    ),
    "posterior": Signature("posterior", {"x": TensorInfo(FLOAT, (None, 2), takes_null=True)}, {"loc": Z}),
}
X = data()


def read(signature, **inputs):
    key = "instances" if "instances" in inputs else "inputs"
    body = {"signature_name": signature, key: inputs.get("instances", inputs)}
    return read_predict(json.dumps(body).encode(), SIGNATURES, Limits(rows=8), 10**5)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ([[0, 0.5, 1], [1, 0, 0]], [[0, 0.5, 1], [1, 0, 0]]),
        ([2, 0], [[0, 0, 1], [1, 0, 0]]),
        ([[0, 0.5, 1]], 2 * [[0, 0.5, 1]]),
        ([1], 2 * [[0, 1, 0]]),
        (1, 2 * [[0, 1, 0]]),
    ],
)
def test_conditions_are_vectors_or_classes_for_all_or_each(condition, expected):
    found = read("likelihood", z=[[0, 1], [2, 3]], condition=condition).inputs["condition"]
    assert found.dtype == FLOAT
    np.testing.assert_array_equal(found, expected)


def test_rows_have_their_conditions():
    rows = [{"z": [0, 1], "condition": 2}, {"z": [2, 3], "condition": 0}]
    request = read("likelihood", instances=rows)
    np.testing.assert_array_equal(request.inputs["condition"], [[0, 0, 1], [1, 0, 0]])
    assert request.num_rows == 2


@pytest.mark.parametrize(("label", "expected"), [(2, [2, 2]), ([-1], [-1, -1]), ([0, 1.0], [0, 1])])
def test_labels_are_for_all_samples_or_each(label, expected):
    request = read("sample", num_samples=2, label=label, condition=[[[1, 2], [3, 4]]])
    np.testing.assert_array_equal(request.inputs["label"], expected)
    assert request.inputs["label"].dtype == INT
    assert request.inputs["condition"].shape == (2, 2, 2)


@pytest.mark.parametrize(
    ("signature", "inputs", "message"),
    [
        ("likelihood", {"condition": 3}, "condition must be an integer from 0 to 2. Received: condition=3"),
        ("likelihood", {"condition": [0, -1]}, "condition must be an integer from 0 to 2. Received: condition=-1"),
        ("likelihood", {"condition": [0, 1, 2]}, "one condition for all 2, or one for each. Received: condition of"),
        ("likelihood", {"condition": [[0, 1]]}, "numbers of shape [any, 3] or indices of classes. Received: shape"),
        ("likelihood", {"condition": [0.5, 1]}, "numbers of shape [any, 3] or indices of classes"),
        ("likelihood", {"condition": True}, "Received: true or false"),
        ("likelihood", {"condition": []}, "Received: shape [0]"),
        ("likelihood", {"condition": [[0, None, 1]]}, "Received: null"),
        ("sample", {"label": 3}, "label must be an integer from 0 to 2, or -1 for a label that is drawn. Received"),
        ("sample", {"label": [0, -2]}, "Received: label=-2"),
        ("sample", {"label": [2**70]}, "Received: label="),
        ("sample", {"label": [0, 1, 2]}, "one label for all 2, or one for each. Received: label of length 3"),
        ("sample", {"label": [0.5]}, "fractions"),
        ("sample", {"condition": [1, 2]}, "numbers of shape [any, 2, 2]. Received"),
        ("posterior", {"x": [[0.5, "NaN"]]}, "text"),
        ("posterior", {"x": [[None, 1e39]]}, "too large"),
    ],
)
def test_refusals(signature, inputs, message):
    given = {
        "likelihood": {"z": [[0, 1], [2, 3]]},
        "sample": {"num_samples": 2, "label": 0, "condition": [[[1, 2], [3, 4]]]},
        "posterior": {},
    }[signature]
    with pytest.raises(RefusedRequest) as refused:
        read(signature, **{**given, **inputs})
    assert refused.value.status == 400
    assert message in refused.value.message


def test_null_is_a_missing_value():
    found = read("posterior", x=[[0.5, None], [None, None]]).inputs["x"]
    np.testing.assert_array_equal(found, [[0.5, np.nan], [np.nan, np.nan]])


def test_conditions_ride_along_when_requests_are_joined():
    joined = []

    class Model:
        def run(self, name, inputs):
            joined.append(len(inputs["z"]))
            return {"mean": np.concatenate([inputs["z"], inputs["condition"]], axis=1)}

    requests = [read("likelihood", z=[[i, i]] * (1 + i % 3), condition=i % 3) for i in range(12)]

    async def answers():
        scheduler = Scheduler(Model(), Limits())
        found = await asyncio.gather(*(scheduler.answer(request) for request in requests))
        scheduler.close()
        return found

    with ThreadPoolExecutor(1) as thread:  # a browser of other tests may have left a loop running in this one
        found = thread.submit(asyncio.run, answers()).result()
    assert max(joined) > 3
    for i, answer in enumerate(found):
        np.testing.assert_array_equal(answer["mean"], [[i, i, *np.eye(3)[i % 3]]] * (1 + i % 3))


@pytest.fixture(scope="module")
def vaes():
    return {"conditional": conditional_vae(), "labelled": labelled_vae(), "holes": vae_with_holes()}


@pytest.fixture(scope="module")
def models(vaes, tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    return {name: ServedModel(tfvae.export.save(vae, root / name / "1")) for name, vae in vaes.items()}


@pytest.fixture
def ask(models):
    def ask(name, signature, **inputs):
        with TestClient(make_app(models[name])) as client:
            body = {"signature_name": signature, "inputs": inputs}
            answer = client.post(f"/v1/models/{name}:predict", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()["outputs"]

    return ask


def close(actual, expected):
    np.testing.assert_allclose(np.asarray(actual, "float32"), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
class TestServed:
    def test_a_conditional_model(self, ask, vaes, models):
        vae = vaes["conditional"]
        answer = ask("conditional", "sample", num_samples=3, condition=1, seed=SEED)
        close(answer["sample"], vae.sample(3, condition=1, seed=SEED))
        answer = ask("conditional", "encode", x=X.tolist(), condition=[0, 1, 2, 2, 0], seed=SEED)
        close(answer["z"], vae.encode(X, condition=[0, 1, 2, 2, 0]).sample(seed=SEED))
        given = {"x": X, "condition": np.array([0, 1, 2, 2, 0])}
        found = ask("conditional", "log_marginal", x=X.tolist(), condition=[0, 1, 2, 2, 0], num_samples=9, seed=SEED)
        close(found, tfvae.evaluation.log_marginal(vae, given, num_importance_samples=9, seed=SEED).per_example)
        by_row = {name for name, signature in models["conditional"].signatures.items() if signature.is_by_row}
        assert by_row == {"posterior", "likelihood", "serving_default"}

    def test_a_model_with_labels(self, ask, vaes, models):
        vae = vaes["labelled"]
        answer = ask("labelled", "classify", x=X.tolist())
        close(answer["probs"], vae.classify(X))
        assert answer["label"] == np.argmax(vae.classify(X), axis=1).tolist()
        answer = ask("labelled", "sample", num_samples=3, label=2, seed=SEED)
        close(answer["sample"], vae.sample(3, label=2, seed=SEED))
        found = ask("labelled", "log_marginal", x=X.tolist(), num_samples=9, seed=SEED)
        close(found, tfvae.evaluation.log_marginal(vae, X, num_importance_samples=9, seed=SEED).per_example)
        by_row = {name for name, signature in models["labelled"].signatures.items() if signature.is_by_row}
        assert by_row == {"posterior", "likelihood", "classify", "serving_default"}

    def test_a_model_with_missing_values(self, ask, vaes):
        x = with_holes(X)
        given = [[[None if np.isnan(value) else value for value in row] for row in one] for one in x.tolist()]
        close(ask("holes", "posterior", x=given)["loc"], vaes["holes"].encode(x).mean())

    @pytest.mark.parametrize("name", ["conditional", "labelled", "holes"])
    def test_examples_of_the_page_are_answered(self, models, name):
        with TestClient(make_app(models[name])) as client:
            page = client.get("/docs").text
            commands = [html.unescape(found) for found in re.findall("<pre>(.*?)</pre>", page, re.DOTALL)]
            assert len(commands) == len(models[name].signatures)
            for command in commands:
                _, _, body, address = shlex.split(command)
                assert client.post(address, content=body.encode()).status_code == 200


def test_the_schema_describes_indices_and_null():
    limits = Limits(rows=8)
    index = {"type": "integer", "minimum": -1, "maximum": 2}
    one_for_each = {"type": "array", "items": index, "minItems": 1, "maxItems": 8}
    assert _tensor("label", LABEL, SIGNATURES["sample"], limits) == {"anyOf": [one_for_each, index]}
    vectors, *_, single = _tensor("condition", CONDITION, SIGNATURES["likelihood"], limits)["anyOf"]
    assert (vectors["items"]["maxItems"], single) == (3, {"type": "integer", "minimum": 0, "maximum": 2})
    x = _tensor("x", SIGNATURES["posterior"].inputs["x"], SIGNATURES["posterior"], limits)
    assert x["items"]["items"]["anyOf"][1] == {"type": "null"}
    num_samples = _tensor("num_samples", TensorInfo(INT, ()), SIGNATURES["sample"], limits)
    assert num_samples == {"type": "integer", "minimum": 1, "maximum": 8}
