"""Puts the page and what it asks for into a server's app."""

from fastapi import FastAPI

from tfvae.serving.access import SameOrigin
from tfvae.serving.explore.api import explore_api
from tfvae.serving.explore.explored_model import ExploredModel
from tfvae.serving.explore.page_files import explore_page
from tfvae.serving.refusal import RefusedRequest, answer_refusal


def add_explore(app: FastAPI, explored: ExploredModel) -> FastAPI:
    """Serves the page at `/explore/` beside whatever the app serves already; returns the app.

    Pages of other sites are not answered (`SameOrigin`), and `run_app` refuses foreign names.
    """
    if not any(middleware.cls is SameOrigin for middleware in app.user_middleware):
        app.add_middleware(SameOrigin)
    app.state.has_explore = True
    app.include_router(explore_api(explored))
    app.include_router(explore_page())
    app.add_exception_handler(RefusedRequest, answer_refusal)
    return app
