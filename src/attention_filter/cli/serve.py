"""The web page: serve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from attention_filter.cli.session import aside, session, settings, url_of
from attention_filter.errors import UsageError

if TYPE_CHECKING:
    from attention_filter.settings import Settings

PANEL = "Read"


def serve(
    ctx: typer.Context,
    host: Annotated[
        str | None, typer.Option(help="The address to listen at; by default 127.0.0.1, this machine only.")
    ] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="By default 8000; 0 chooses a free one.")] = None,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the page in your browser.")] = False,
) -> None:
    """Everything in a page, on your own machine: stop it with Ctrl-C, nothing is lost."""
    import socket
    import webbrowser

    import uvicorn

    from attention_filter.server import logs
    from attention_filter.server.app import create_app

    wanted = wished(settings(), url_of(ctx), host, port)
    app = create_app(wanted, reader=session(ctx).reader)
    listener = socket.socket(socket.AF_INET6 if ":" in wanted.host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((wanted.host, wanted.port))
    except OSError as error:
        raise UsageError(f"{wanted.host}:{wanted.port}: {error.strerror}; choose another with --port") from error
    address = address_of(wanted, listener.getsockname()[1])
    aside().print(f"Attention Filter is at {address} (Ctrl-C stops it)", soft_wrap=True)
    if app.state.access.needs_setup_code:
        told = f"Nobody has an account yet. Make the first one there with the setup code {app.state.access.setup_code}"
        aside().print(told, soft_wrap=True)
    if open_browser:
        webbrowser.open(address)
    config = uvicorn.Config(app, log_config=None, proxy_headers=False, server_header=False, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    app.state.live.stopping = lambda: server.should_exit  # or open streams would hold Ctrl-C up
    logs.configure()
    server.run(sockets=[listener])


def wished(settings: Settings, db: str, host: str | None, port: int | None) -> Settings:
    """The settings with what the command line says in their place: who may come in depends on the address, too."""
    said = {"db": db, "host": host, "port": port}
    return settings.model_copy(update={name: value for name, value in said.items() if value is not None})


def address_of(settings: Settings, port: int) -> str:
    """Where a browser finds the page that listens at the port.

    >>> from attention_filter.settings import Settings
    >>> address_of(Settings(db="sqlite:///x.db", host="::1"), 8000)
    'http://[::1]:8000/'
    >>> address_of(Settings(db="sqlite:///x.db", host="0.0.0.0", hosts=("nas.home",)), 8000)
    'http://nas.home:8000/'
    """
    if settings.base_url:
        return settings.base_url.rstrip("/") + "/"
    anywhere = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104  no browser can go to these
    name = settings.hosts[0] if settings.hosts and settings.host in anywhere else settings.host
    name = anywhere.get(name, name)
    return f"http://{f'[{name}]' if ':' in name else name}:{port}/"
