"""The web page: serve."""

from __future__ import annotations

import os
import socket
from typing import Annotated

import typer

from attention_filter.cli.session import aside, session, settings, url_of
from attention_filter.errors import UsageError

PANEL = "Read"
KEEP_ALIVE = 75  # seconds that an idle connection is kept: people read for so long between two pages
GRACE = 1  # seconds that requests have to end in after Ctrl-C


def serve(
    ctx: typer.Context,
    host: Annotated[str | None, typer.Option(help="The address to listen at (default: this machine only).")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="0 chooses a free one (default: 8000).")] = None,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the page in your browser.")] = False,
) -> None:
    """Everything in a page, on your own machine: stop it with Ctrl-C, nothing is lost."""
    given = {"db": url_of(ctx), "host": host, "port": port}
    wanted = settings().model_copy(update={name: value for name, value in given.items() if value is not None})
    listener = _listening(wanted.host, wanted.port)

    import uvicorn

    from attention_filter.server import logs
    from attention_filter.server.app import create_app

    app = create_app(wanted, reader=session(ctx).reader)
    address = wanted.base_url or _address(wanted.host, listener.getsockname()[1])
    aside().print(f"Attention Filter is at {address} (Ctrl-C stops it)", soft_wrap=True)
    if app.state.access.needs_setup_code:
        aside().print(f"The first account is made with this code: {app.state.access.setup_code}", soft_wrap=True)
    if open_browser:
        import webbrowser

        webbrowser.open(address)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,  # the server's own log tells neither addresses nor what was asked for
        proxy_headers=False,  # the wall believes trusted proxies only
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=GRACE,
    )
    logs.configure()
    server = uvicorn.Server(config)
    app.state.live.stopping = lambda: server.should_exit  # or open streams would hold Ctrl-C up
    server.run(sockets=[listener])


def _listening(host: str, port: int) -> socket.socket:
    """A socket that takes connections at once, so that a browser may be opened before the server answers."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    if os.name == "posix":  # elsewhere it would let two servers share a port
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise UsageError(f"{host}:{port}: {error.strerror}; choose another with --host or --port") from error
    return listener


def _address(host: str, port: int) -> str:
    """Where a browser on this machine finds it.

    >>> _address("127.0.0.1", 8000), _address("::1", 80), _address("0.0.0.0", 80)
    ('http://127.0.0.1:8000/', 'http://[::1]:80/', 'http://127.0.0.1:80/')
    """
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  named, not listened to
    return f"http://[{shown}]:{port}/" if ":" in shown else f"http://{shown}:{port}/"
