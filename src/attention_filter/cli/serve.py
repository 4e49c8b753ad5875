"""The web page: serve."""

from __future__ import annotations

from typing import Annotated

import typer

from attention_filter.cli.session import aside, session, settings, url_of
from attention_filter.errors import UsageError

PANEL = "Read"


def serve(
    ctx: typer.Context,
    host: Annotated[str, typer.Option(help="The address to listen at; this machine only by default.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 chooses a free one.")] = 8000,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the page in your browser.")] = False,
) -> None:
    """Everything in a page, on your own machine: stop it with Ctrl-C, nothing is lost."""
    import socket
    import webbrowser

    import uvicorn

    from attention_filter.server import logs
    from attention_filter.server.app import create_app

    wanted = settings().model_copy(update={"db": url_of(ctx)})
    app = create_app(wanted, reader=session(ctx).reader)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        raise UsageError(f"{host}:{port}: {error.strerror}; choose another with --port") from error
    name = f"[{host}]" if ":" in host else host
    address = f"http://{name}:{listener.getsockname()[1]}/"
    aside().print(f"Attention Filter is at {address} (Ctrl-C stops it)")
    if open_browser:
        webbrowser.open(address)
    config = uvicorn.Config(app, log_config=None, proxy_headers=False, server_header=False, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    app.state.live.stopping = lambda: server.should_exit  # or open streams would hold Ctrl-C up
    logs.configure()
    server.run(sockets=[listener])
