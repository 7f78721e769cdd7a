"""Settings of agents and servers."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from connscope.config.capture_keys import CaptureKeys

__all__ = ("FleetKeys",)


class FleetKeys(CaptureKeys, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every setting of this kind, each documented here and nowhere else; with those of capture,
    because the class has to be one line of descent."""

    window_s: Annotated[
        int,
        Meta(
            ge=2,
            le=300,
            description="How many seconds the server's live window is long: what ended before is "
            "not shown any more, and rates are over it.",
        ),
    ] = 15
    report_interval_s: Annotated[
        float,
        Meta(
            ge=0.2,
            le=300,
            description="How often an agent looks and reports. Agents of a fleet do with 3 or "
            "more.",
        ),
    ] = 1.0
    server_url: Annotated[
        str,
        Meta(
            pattern="^[^\\x00-\\x20]*$",
            description="The server that an agent reports to, `https://HOST:PORT`. Empty: that of "
            "this machine, over `server_socket`.",
        ),
    ] = ""
    server_plaintext: Annotated[
        bool,
        Meta(
            description="Lets `server_url` be http to another machine: everybody on the way can "
            "read who talks to whom.",
        ),
    ] = False
    agent_token_file: Annotated[
        str,
        Meta(
            pattern="^[^\\x00\\n]*$",
            description="A file with the token of this host, as `connscope server --agent-token` "
            "prints it, for `server_url`; nobody but its owner may read it.",
        ),
    ] = ""
    agent_user: Annotated[
        str,
        Meta(
            pattern="^[^\\x00\\n]*$",
            description="The user that agent and server become. Empty: who called sudo, else "
            "`connscope`, else 65534, nobody.",
        ),
    ] = ""
    spool_dir: Annotated[
        str,
        Meta(
            pattern="^/[^\\x00\\n]*$",
            description="Where reports wait while no server takes them.",
        ),
    ] = "/var/lib/connscope/spool"
    spool_bytes_max: Annotated[
        int,
        Meta(
            ge=1 << 20,
            le=1 << 40,
            description="How many bytes of reports wait at most; then the oldest give way.",
        ),
    ] = 64 << 20
    server_host: Annotated[
        str,
        Meta(
            pattern="^[^\\x00-\\x20/]+$",
            description="The address that the server is reached at. Any other than one of loopback "
            "is for networks that you trust, or for a proxy with TLS: the server has none.",
        ),
    ] = "127.0.0.1"
    server_port: Annotated[
        int,
        Meta(ge=0, le=65535, description="The TCP port of the server; 0: any that is free."),
    ] = 4040
    server_names: Annotated[
        str,
        Meta(
            pattern="^[^\\x00\\n]*$",
            description="Names that the server is reached by, besides `server_host`, `localhost` "
            "and the loopback addresses: `scope.example.org, 10.0.0.5`. A request with another "
            "name in Host is refused.",
        ),
    ] = ""
    server_token_file: Annotated[
        str,
        Meta(
            pattern="^[^\\x00\\n]*$",
            description="A file with the server's token, 16 characters or more, that nobody but "
            "its owner may read. Without one a token is made at each start.",
        ),
    ] = ""
    server_socket: Annotated[
        str,
        Meta(
            pattern="^[^\\x00\\n]*$",
            description="The unix socket where root and the server's own user may send reports "
            "without a token. Empty: none.",
        ),
    ] = "/run/connscope/connscope.sock"
    server_report_bytes_max: Annotated[
        int,
        Meta(
            ge=4096,
            le=1 << 30,
            description="How large a report may be as it is sent. Decompressed it may be eight "
            "times as large.",
        ),
    ] = 16 << 20
    server_reports_per_s: Annotated[
        float,
        Meta(
            ge=0.1,
            le=1000,
            description="How many reports of a host are taken in a second; of more the host is "
            "told to wait.",
        ),
    ] = 10.0
    server_hosts_max: Annotated[
        int,
        Meta(ge=1, le=65000, description="How many hosts may report."),
    ] = 1000
    server_forget_s: Annotated[
        float,
        Meta(
            ge=10,
            le=86400,
            description="After how long a host that does not report any more is not shown.",
        ),
    ] = 300.0
    server_viewers_max: Annotated[
        int,
        Meta(ge=1, le=1000, description="How many pages may be fed at a time."),
    ] = 32
