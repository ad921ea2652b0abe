"""`serve`: the HTTP application, with an embedded worker and a prober."""

import gc
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.middleware.trustedhost import TrustedHostMiddleware

from orchestrator.bootstrap import Application
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.entrypoints.failures import MEANING
from orchestrator.entrypoints.http.limits import HEAD_BYTES, BodyLimit, PunctualProtocol
from orchestrator.usecases.probing.discovering import discover

STOP_SECONDS = 10


def http_application(app: Application, *names: str) -> FastAPI:
    """The routes, answering to the host names in the settings and to `names`. Failures are RFC 9457 problem documents
    with the messages of the command line."""
    http = FastAPI(title="Shared service orchestrator", openapi_url=None)
    http.add_middleware(BodyLimit)
    http.add_middleware(TrustedHostMiddleware, allowed_hosts=[*app.settings.http.hosts, *names], www_redirect=False)

    @http.get("/healthz")
    def healthz() -> dict[str, str]:
        """The process responds."""
        return {"status": "ok"}

    @http.get("/readyz", response_model=None)
    def readyz() -> dict[str, object] | JSONResponse:
        """The database responds too, and keys and state directory are in place. Returns the number of live workers."""
        try:
            app.base.require_installation()
            return {"status": "ready", "workers": len(app.engine.live_workers())}
        except OrchestratorError as error:
            return problem_document(error, status=503)

    @http.get("/metrics")
    def metrics(request: Request, tier: str = "detail") -> Response:
        """Prometheus or OpenMetrics text, as the scraper prefers; `?tier=summary` leaves out single agencies.

        It is rendered in slices as the scraper reads it, outside the event loop.
        """
        slices, content_type = app.exposition.render(request.headers.get("accept", ""), tier)
        return StreamingResponse(slices, headers={"Content-Type": content_type})

    @http.get("/sd/{kind}")
    def discovery(kind: str) -> list[dict[str, object]]:
        """Targets of one kind of probe for an existing Prometheus, in its HTTP service discovery format."""
        return [
            {
                "targets": [found.target],
                "labels": {
                    "agency": found.agency,
                    "component": found.component,
                    "site": found.site,
                    "__param_module": found.module,
                },
            }
            for found in discover(app.probing.targeting.targets(), kind)
        ]

    @http.exception_handler(OrchestratorError)
    def problem(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, OrchestratorError)
        return problem_document(error)

    return http


def problem_document(error: OrchestratorError, *, status: int | None = None) -> JSONResponse:
    status = status or MEANING[error.kind].http_status
    body = {"type": f"urn:orchestrator:{error.kind.value}", "title": error.message, "status": status}
    extra = {"detail": "\n".join(error.details), "hint": error.hint, "ids": error.ids}
    headers = {"Retry-After": "5"} if error.kind is Kind.UNAVAILABLE else None
    content = body | {k: v for k, v in extra.items() if v}
    return JSONResponse(content, status_code=status, media_type="application/problem+json", headers=headers)


class _Server(uvicorn.Server):
    """uvicorn that a signal ends quietly: stopping a service is not a failure."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        def stop(_signal: int, _frame: FrameType | None) -> None:
            self.should_exit = True

        before = {sign: signal.signal(sign, stop) for sign in (signal.SIGINT, signal.SIGTERM)}
        yield
        for sign, handler in before.items():
            signal.signal(sign, handler)


def configuration(app: Application, host: str, port: int) -> uvicorn.Config:
    return uvicorn.Config(
        http_application(app, f"[{host}]" if ":" in host else host),
        host=host,
        port=port,
        http=PunctualProtocol,
        ws="none",
        h11_max_incomplete_event_size=HEAD_BYTES,
        limit_concurrency=app.settings.http.connections,
        timeout_graceful_shutdown=STOP_SECONDS,
        log_level="error",
        access_log=False,
    )


def serve_forever(app: Application, *, host: str, port: int, with_worker: bool) -> None:
    """Serve until SIGINT or SIGTERM. Running steps are then stopped and left to other workers, as is probing."""
    server = _Server(configuration(app, host, port))
    done = threading.Event()
    app.base.store, app.exposition  # noqa: B018 - a database that cannot be used is an error now, not at the first scrape
    gc.enable()
    gc.freeze()  # imported modules stay: collecting them would block every thread for a tenth of a second
    wanted = {
        "worker": app.engine.work if with_worker else None,
        "prober": app.probing.probe if app.settings.probing.enabled else None,
    }
    beside = [
        threading.Thread(target=work, args=(done.is_set,), name=name, daemon=True)
        for name, work in wanted.items()
        if work
    ]
    for thread in beside:
        thread.start()
    try:
        with app.scheduling():
            server.run()
    except SystemExit:
        hint = "is another server running there? choose another port with --port"
        raise OrchestratorError(Kind.UNAVAILABLE, f"cannot listen on {host}:{port}", hint=hint) from None
    finally:
        done.set()
        for thread in beside:
            thread.join(STOP_SECONDS)
