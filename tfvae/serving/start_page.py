"""Page at `/` and `/docs` that describes the server. It loads no other resources."""

import base64
import hashlib
import html
import json
import math
from typing import Any

from fastapi.responses import HTMLResponse

from tfvae.serving.served_model import ServedModel
from tfvae.serving.signature import DEFAULT_SIGNATURE, Signature, TensorInfo

_MAX_NUMBERS = 32  # written out in an example
_STYLE = (
    ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;"
    "padding:0 1rem}pre{overflow-x:auto;padding:.7rem;border:1px solid #8886;border-radius:.3rem}"
    "td,th{padding:.2rem .8rem .2rem 0;text-align:left;vertical-align:top}"
)
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def start_page(model: ServedModel, address: str, *, has_explore: bool) -> HTMLResponse:
    """Creates the start page of a server.

    Args:
        model: Served model.
        address: Address of the server, such as "http://127.0.0.1:8501".
        has_explore: Whether the server also has the page that explores the latent space.
    """
    name = html.escape(model.name)
    links = {
        f"/v1/models/{name}": "state of the model",
        f"/v1/models/{name}/metadata": "signatures in the format of TensorFlow Serving",
        "/openapi.json": "OpenAPI description of all requests",
        "/healthz": "health check",
        "/metrics": "metrics for Prometheus",
    }
    if has_explore:
        links = {"/explore/": "page for exploring the latent space"} | links
    listed = "".join(f'<li><a href="{path}">{path}</a>: {text}</li>' for path, text in links.items())
    ordered = sorted(model.signatures.values(), key=lambda signature: signature.name != DEFAULT_SIGNATURE)
    rows = "".join(
        f"<tr><td><code>{html.escape(s.name)}</code><td>{_tensors(s.inputs)}<td>{_tensors(s.outputs)}" for s in ordered
    )
    predict_url = f"{address.rstrip('/')}/v1/models/{model.name}:predict"
    examples = "".join(
        f"<h3><code>{html.escape(s.name)}</code></h3><pre>{html.escape(example_command(s, predict_url))}</pre>"
        for s in ordered
    )
    return HTMLResponse(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{name}, served by tfvae</title><style>{_STYLE}</style>"
        f"<h1>{name}, version {model.version}</h1>"
        "<p>A variational autoencoder served by tfvae with the REST API of TensorFlow Serving.</p>"
        f"<h2>Pages</h2><ul>{listed}</ul>"
        f"<h2>Signatures</h2><p>Send POST requests to <code>{html.escape(predict_url)}</code>. The default signature "
        f"is <code>{DEFAULT_SIGNATURE}</code>.</p>"
        f"<table><tr><th>signature<th>inputs<th>outputs</tr>{rows}</table><h2>Examples</h2>{examples}</html>",
        headers={"Content-Security-Policy": _POLICY, "Referrer-Policy": "no-referrer"},
    )


def example_command(signature: Signature, address: str) -> str:
    """Returns a shell command that sends one example of zeros to a signature. Python writes the long examples."""
    inputs = {name: _zeros(name, info) for name, info in signature.inputs.items()}
    named = {} if signature.name == DEFAULT_SIGNATURE else {"signature_name": json.dumps(signature.name)}
    if all(info.has_batch for info in signature.inputs.values()):
        row = _object(inputs) if len(inputs) > 1 else next(iter(inputs.values()))
        body = _object(named | {"instances": f"[{row}]"})
    else:
        batch = {name: f"[{text}]" if signature.inputs[name].has_batch else text for name, text in inputs.items()}
        body = _object(named | {"inputs": _object(batch)})
    if all(info.row_size <= _MAX_NUMBERS for info in signature.inputs.values()):
        return f"curl -d '{body}' {address}"
    return f"python3 -c 'import json; print(json.dumps({body}))' | curl -d @- {address}"


def _zeros(name: str, info: TensorInfo) -> str:
    """Returns one example of an input as JSON if it is short, otherwise as a Python expression."""
    if info.num_classes is not None:
        return "0"
    if info.is_whole:
        return json.dumps([0, 1] if name == "seed" else 4)
    shape = [length or 1 for length in info.shape[info.has_batch :]]
    if math.prod(shape) <= _MAX_NUMBERS:
        value: Any = 0.0
        for length in reversed(shape):
            value = [value] * length
        return json.dumps(value)
    text = "0.0"
    for length in reversed(shape):
        text = f"[{text}] * {length}"
    return text


def _object(values: dict[str, str]) -> str:
    return "{" + ", ".join(f"{json.dumps(name)}: {value}" for name, value in values.items()) + "}"


def _tensors(tensors: Any) -> str:
    return ", ".join(
        f"<code>{html.escape(name)}</code> {info.dtype} "
        f"[{', '.join('any' if length is None else str(length) for length in info.shape)}]"
        for name, info in tensors.items()
    )
