"""TensorFlow Serving's REST API for one model, with health and metrics beside it."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import tensorflow as tf
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from tfvae._version import __version__
from tfvae.serving.limits import Limits
from tfvae.serving.metrics import Metrics
from tfvae.serving.openapi import describe_predict, describe_refusals
from tfvae.serving.predict_body import predict_answer, read_predict
from tfvae.serving.refusal import RefusedRequest
from tfvae.serving.scheduler import Scheduler
from tfvae.serving.served_model import ServedModel

_NO_SIGNATURE = "none"


def make_app(model: ServedModel, *, limits: Limits | None = None, batching: bool = True) -> FastAPI:
    """An app that answers as TensorFlow Serving does, so that a client can move there without change.

    * `GET /v1/models/NAME`, also with `/versions/V`: the model's state; `.../metadata`: its signatures;
    * `POST /v1/models/NAME:predict`, also with `/versions/V`: `{"signature_name": ..., "inputs": {...}}`, or
      `"instances"` for a signature whose inputs all count examples; `serving_default` where no signature is named;
    * `GET /healthz`; `GET /metrics`, for Prometheus; `GET /openapi.json` and `/docs`.

    A mistake in a request is a 4xx with `{"error": one sentence}`. Other routes can be added to the app.

    Args:
        model: what is served.
        limits: how much one request may ask for.
        batching: whether waiting requests are joined where each example is answered for itself.

    References:
        TensorFlow Serving, RESTful API, https://www.tensorflow.org/tfx/serving/api_rest.
    """
    limits = limits or Limits()
    metrics = Metrics(lambda: scheduler.num_waiting)
    scheduler = Scheduler(model, limits, batching=batching, on_batch=metrics.computed)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        scheduler.close()

    app = FastAPI(title=f"{model.name}, served by tfvae", version=__version__, lifespan=lifespan)
    app.add_exception_handler(RefusedRequest, _answer_refusal)
    app.add_exception_handler(HTTPException, _answer_unknown_route)
    refusals, metadata = describe_refusals(), model.metadata()

    def check(name: str, version: str | None) -> None:
        if name != model.name or (version is not None and version != str(model.version)):
            wanted = f"Specific({name[:80]}, {version[:20]})" if version is not None else f"Latest({name[:80]})"
            raise RefusedRequest(404, f"Servable not found for request: {wanted}. There is {model.name}, version "
                                      f"{model.version}.")  # fmt: skip

    # A route each with and without a version: an optional argument would also be read from the query.
    @app.get("/v1/models/{name}", responses=refusals(404))
    async def status(name: str) -> Any:
        return state(name)

    @app.get("/v1/models/{name}/versions/{version}", responses=refusals(404))
    async def version_status(name: str, version: str) -> Any:
        return state(name, version)

    def state(name: str, version: str | None = None) -> Any:
        check(name, version)
        found = {
            "version": str(model.version),
            "state": "AVAILABLE",
            "status": {"error_code": "OK", "error_message": ""},
        }
        return {"model_version_status": [found]}

    @app.get("/v1/models/{name}/metadata", responses=refusals(404))
    async def signatures(name: str) -> Any:
        check(name, None)
        return metadata

    @app.get("/v1/models/{name}/versions/{version}/metadata", responses=refusals(404))
    async def version_signatures(name: str, version: str) -> Any:
        check(name, version)
        return metadata

    described = describe_predict(model, limits)

    documented: dict[str, Any] = {"openapi_extra": described, "responses": refusals(400, 404, 413, 429, 503)}

    @app.post("/v1/models/{name}:predict", **documented)
    async def predict(request: Request, name: str) -> Response:
        return await answer_predict(request, name)

    @app.post("/v1/models/{name}/versions/{version}:predict", **documented)
    async def version_predict(request: Request, name: str, version: str) -> Response:
        return await answer_predict(request, name, version)

    async def answer_predict(request: Request, name: str, version: str | None = None) -> Response:
        start, signature, code = time.perf_counter(), _NO_SIGNATURE, 500
        try:
            check(name, version)
            asked = read_predict(await _body(request, limits.request_bytes), model, limits)
            signature = asked.signature.name
            answer = predict_answer(asked, await scheduler.answer(asked))
            code = 200
            return Response(answer, media_type="application/json")
        except RefusedRequest as refusal:
            code = refusal.status
            raise
        except tf.errors.OpError as error:
            code = 400
            raise RefusedRequest(400, str(error.message).splitlines()[0]) from error
        except asyncio.CancelledError as error:  # the seconds that requests have to end are over
            code = 503
            raise RefusedRequest(503, "The server ends before this is computed.") from error
        except ClientDisconnect:
            code = 400
            return Response(status_code=400)
        finally:
            metrics.answered(signature, code, time.perf_counter() - start)

    @app.get("/healthz")
    async def health() -> Any:
        return {"status": "ok", "model": model.name, "version": model.version}

    @app.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def counts() -> Response:
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return app


async def _body(request: Request, most: int) -> bytes:
    """The body, refused as soon as it is too long."""
    too_long = RefusedRequest(413, f"A request's body has at most {most:,} bytes; this one is longer.")
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:20]) > most:
        raise too_long
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > most:
            raise too_long
    return bytes(body)


async def _answer_refusal(request: Request, refusal: Exception) -> Response:
    if not isinstance(refusal, RefusedRequest):
        raise refusal
    headers = {"retry-after": "1"} if refusal.status == 429 else None
    return JSONResponse({"error": refusal.message}, status_code=refusal.status, headers=headers)


async def _answer_unknown_route(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    message = f"Malformed request: {request.method} {request.url.path[:200]}"
    return JSONResponse({"error": message}, status_code=error.status_code, headers=error.headers)
