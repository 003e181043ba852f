"""The application: its parts put together."""

from __future__ import annotations

import importlib.resources
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from ci_core import CiError, NotFound, StoreError
from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, JSONResponse, Response
from fastapi.routing import APIRoute
from fastapi.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import actions, api, health, live, pages, report, seed
from .config import Config
from .state import State

HERE = Path(__file__).parent
ABOUT = """Runs every new commit of a repository, and tells how it went. `/runs` and `/run/{commit}` have
the simple shapes; everything else is under `/api/v1`. What changes something needs the token, as
`Authorization: Bearer …`."""


def create_app(config: Config) -> FastAPI:
    """The application for a repository. It watches from its start to its end."""

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        server = State(config)
        app.state.server = server
        await server.open()
        yield
        await server.close()

    app = FastAPI(
        title="CI server", description=ABOUT, version="1", lifespan=life, docs_url=None, redoc_url=None
    )
    # The more specific paths first: names of jobs may have slashes.
    parts = (seed, health, live, report, api, actions, pages)
    for part in parts:
        app.include_router(part.router)
    app.mount("/static", StaticFiles(directory=HERE / "static"))
    # The package has the files of Swagger UI; nothing comes from elsewhere when it runs.
    swagger = importlib.resources.files("fastapi_swagger") / "resources"
    app.mount("/swagger", StaticFiles(directory=str(swagger)))

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title="CI server",
            swagger_js_url="/swagger/swagger-ui-bundle.js",
            swagger_css_url="/swagger/swagger-ui.css",
            swagger_favicon_url="/swagger/favicon-32x32.png",
        )

    async def not_so(request: Request, error: Exception) -> Response:
        """Names every method of a path: one of its endpoints knows only its own."""
        routes = [route for part in parts for route in part.router.routes if isinstance(route, APIRoute)]
        fitting = [route for route in routes if route.path_regex.match(request.url.path)]
        methods = {method for route in fitting for method in route.methods or ()}
        headers = {"Allow": ", ".join(sorted(methods))} if methods else {}
        return JSONResponse({"detail": "Method Not Allowed"}, 405, headers)

    app.add_exception_handler(CiError, refused)
    app.add_exception_handler(405, not_so)
    app.add_middleware(Guard)
    return app


async def refused(request: Request, error: Exception) -> Response:
    """What the engine does not do, as an answer."""
    code = 404 if isinstance(error, NotFound) else 503 if isinstance(error, StoreError) else 400
    return JSONResponse({"detail": str(error)}, code)


class Guard:
    """Counts answers, and tells browsers what pages of this server never do.

    In the plain form of ASGI: one that wraps requests costs each of them as much as the rest together.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "other")
                key = (route, message["status"])
                counts: dict[tuple[str, int], int] = scope["app"].state.server.requests
                counts[key] = counts.get(key, 0) + 1
                if scope["method"] == "POST":
                    scope["app"].state.server.index.forget()
                headers = message.setdefault("headers", [])
                headers.append((b"x-content-type-options", b"nosniff"))
                named = any(name == b"content-security-policy" for name, _ in headers)
                if scope["path"] != "/docs" and not named:
                    headers.append((b"content-security-policy", POLICY))
            await send(message)

        await self.app(scope, receive, guarded)


POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    b"connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""Scripts only from here, whatever a log or the name of a branch says."""
