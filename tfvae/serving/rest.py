"""REST API of TensorFlow Serving for one model, with routes for health and metrics."""

import contextlib
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import FastAPI, Path, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.exceptions import HTTPException

from tfvae._version import __version__
from tfvae.serving.access import SameOrigin
from tfvae.serving.limits import Limits
from tfvae.serving.openapi import describe_predict, describe_refusals
from tfvae.serving.predict_shortcut import PredictShortcut
from tfvae.serving.predicting import Predictor
from tfvae.serving.refusal import RefusedRequest, answer_refusal
from tfvae.serving.served_model import ServedModel
from tfvae.serving.start_page import start_page

_STATE = {"state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
_OTHER_METHODS = {"classify": "classification", "regress": "regression"}


class _ModelName(StringConvertor):
    """Path segment of the model name, which ends before the colon of a method."""

    regex = "[^/:]+"


register_url_convertor("model_name", _ModelName())


def make_app(model: ServedModel, *, limits: Limits | None = None, batching: bool = True) -> FastAPI:
    """Creates an app that is compatible with TensorFlow Serving, so that clients can switch to it without changes.

    * `GET /v1/models/NAME`, also with `/versions/V`: state of the model; `.../metadata`: its signatures;
    * `POST /v1/models/NAME:predict`, also with `/versions/V`: `{"signature_name": ..., "inputs": {...}}`, or
      `"instances"` for a signature whose inputs all have a batch axis. The default signature is `serving_default`;
    * `GET /healthz`; `GET /metrics`, for Prometheus; `GET /openapi.json`;
    * `GET /` and `/docs`: a page without scripts that describes the server.

    An invalid request gets a status 4xx with `{"error": one sentence}`, and so does a request from a page of another
    site (`SameOrigin`). `run_app` also checks host names. Other routes can be added to the app.

    Args:
        model: Model to serve.
        limits: Limits on the size of a request.
        batching: Whether to batch waiting requests if the model handles each example independently.

    References:
        TensorFlow Serving, RESTful API, https://www.tensorflow.org/tfx/serving/api_rest.
    """
    limits = limits or Limits()
    predictor = Predictor(model, limits, batching=batching)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        predictor.close()

    # FastAPI's own pages load scripts from other sites.
    title = f"{model.name}, served by tfvae"
    app = FastAPI(title=title, version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    route = f"/v1/models/{model.name}"
    paths = [f"{route}:predict", f"{route}/versions/{model.version}:predict"]
    app.add_middleware(PredictShortcut, paths=paths, answer=predictor.answer)
    app.add_middleware(SameOrigin)
    app.add_exception_handler(RefusedRequest, answer_refusal)
    app.add_exception_handler(HTTPException, _answer_unknown_route)
    errors, metadata, model_version = describe_refusals(), model.metadata(), str(model.version)
    state = {"model_version_status": [{"version": model_version, **_STATE}]}
    model_route, version_route = (
        "/v1/models/{name:model_name}",
        "/v1/models/{name:model_name}/versions/{version:model_name}",
    )
    Name = Annotated[str, Path(json_schema_extra={"enum": [model.name]})]
    Version = Annotated[str, Path(json_schema_extra={"enum": [model_version]})]

    def check(name: str, version: str | None = None) -> None:
        if name != model.name or (version is not None and version != model_version):
            requested = f"Specific({name[:80]}, {version[:20]})" if version is not None else f"Latest({name[:80]})"
            raise RefusedRequest(404, f"Servable not found for request: {requested}. Expected {model.name}, version "
                                      f"{model.version}.")  # fmt: skip

    # Two routes, because an optional argument would also be read from the query.
    @app.get(model_route, responses=errors(404, 405))
    async def status(name: Name) -> Any:
        check(name)
        return state

    @app.get(version_route, responses=errors(404, 405))
    async def version_status(name: Name, version: Version) -> Any:
        check(name, version)
        return state

    @app.get(f"{model_route}/metadata", responses=errors(404))
    async def signatures(name: Name) -> Any:
        check(name)
        return metadata

    @app.get(f"{version_route}/metadata", responses=errors(404))
    async def version_signatures(name: Name, version: Version) -> Any:
        check(name, version)
        return metadata

    documentation: dict[str, Any] = {
        "openapi_extra": describe_predict(model, limits),
        "responses": errors(400, 403, 404, 408, 413, 415, 429, 503),
    }

    @app.post(f"{model_route}:predict", **documentation)
    async def predict(request: Request, name: Name) -> Response:
        return await answer_predict(request, name)

    @app.post(f"{version_route}:predict", **documentation)
    async def version_predict(request: Request, name: Name, version: Version) -> Response:
        return await answer_predict(request, name, version)

    async def answer_predict(request: Request, name: str, version: str | None = None) -> Response:
        try:
            check(name, version)
        except RefusedRequest as refusal:
            predictor.record_refusal(refusal.status)
            raise
        return await predictor.answer(request)

    @app.post(f"{model_route}:{{method}}", include_in_schema=False)
    async def other_method(name: str, method: str) -> Response:
        check(name)
        return refuse_method(method)

    @app.post(f"{version_route}:{{method}}", include_in_schema=False)
    async def other_version_method(name: str, version: str, method: str) -> Response:
        check(name, version)
        return refuse_method(method)

    def refuse_method(method: str) -> Response:
        if method not in _OTHER_METHODS:
            raise RefusedRequest(404, f"The method must be :predict. Received: :{method[:80]}")
        raise RefusedRequest(
            400,
            f"Expected {_OTHER_METHODS[method]} signature method_name to be tensorflow/serving/{method}. Was: "
            "tensorflow/serving/predict. Use :predict.",
        )

    @app.api_route(f"{model_route}/labels/{{rest:path}}", methods=["GET", "POST"], include_in_schema=False)
    async def labels(name: str, rest: str) -> Response:
        check(name)
        label = rest.split("/")[0].split(":")[0]
        raise RefusedRequest(
            404,
            f"Unrecognized servable version label: {label[:80]}. Version labels are not supported. Use {model.name} "
            f"or its version {model.version} by number.",
        )

    @app.get("/", include_in_schema=False)
    async def start(request: Request) -> Response:
        if _has_explore(app):
            return RedirectResponse("explore/")
        return await about(request)

    @app.get("/docs", include_in_schema=False)
    async def about(request: Request) -> Response:
        return start_page(model, str(request.base_url), has_explore=_has_explore(app))

    @app.head("/healthz", include_in_schema=False)
    @app.get("/healthz")
    async def health() -> Any:
        return {"status": "ok", "model": model.name, "version": model.version}

    @app.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def counts() -> Response:
        return Response(predictor.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return app


def _has_explore(app: FastAPI) -> bool:
    return getattr(app.state, "has_explore", False)


async def _answer_unknown_route(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    message = f"Malformed request: {request.method} {request.url.path[:200]}"
    return JSONResponse({"error": message}, status_code=error.status_code, headers=error.headers)
