"""Takes the reports of agents and serves the API, the live feed and the pages, without privileges.

Where to look is printed at start, with the token. Without --token-file the token is another one at
each start. See docs/api.md.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from connscope.cli.port_owner import with_port_owner
from connscope.config import load_config
from connscope.errors import ConfigError, UsageError
from connscope.server.host import ID
from connscope.server.run import make_application, open_sockets, page_url, serve
from connscope.tokens import agent_token, make_token, read_token

__all__ = ("add_arguments", "run")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of ``connscope server``."""
    parser.add_argument("--host", metavar="ADDRESS", help="to listen on; default: 127.0.0.1")
    parser.add_argument("--port", type=int, metavar="PORT", help="0: any free; default: 4040")
    parser.add_argument(
        "--token-file", metavar="FILE", help="with the token; only its owner may read it"
    )
    parser.add_argument(
        "--agent-token", metavar="HOST_ID", help="prints the token of one host's agent and ends"
    )
    parser.add_argument("--socket", metavar="PATH", help="for agents of this machine; '' for none")
    parser.add_argument("--config", type=Path, metavar="FILE", help="instead of the default file")


def run(arguments: argparse.Namespace) -> int:
    """Serves until somebody stops it."""
    config = load_config(
        arguments.config,
        os.environ,
        server_host=arguments.host,
        server_port=arguments.port,
        server_token_file=arguments.token_file,
        server_socket=arguments.socket,
    )
    given = config.server_token_file
    token = read_token(Path(given)) if given else make_token()
    if arguments.agent_token is not None:
        print(_token_of_agent(token if given else "", arguments.agent_token))
        return 0
    try:
        sockets = open_sockets(config)
    except ConfigError as error:
        raise ConfigError(with_port_owner(str(error), config.server_port)) from error
    port = sockets[0].getsockname()[1]
    print(page_url(config, port, "…" if given else token), flush=True)
    serve(make_application(config, token, os.geteuid()), sockets)
    return 0


def _token_of_agent(token: str, host_id: str) -> str:
    """The token of one host.

    Raises:
        UsageError: the server's token is another one at each start, or that is no host.
    """
    if not token:
        raise UsageError(
            "an agent's token follows from that of the server, which has to stay the same: give "
            "--token-file, or server_token_file"
        )
    if not ID.fullmatch(host_id):
        raise UsageError(
            f"{host_id!r} is no id of a host: `connscope agent --host-id` prints it there"
        )
    return agent_token(token, host_id)
