"""The one typed configuration: a TOML file, ``CONNSCOPE_*`` and arguments fill one class."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from connscope.errors import ConfigError

__all__ = ("DEFAULT_PATH", "Config", "Key", "keys", "load_config")

DEFAULT_PATH = Path("/etc/connscope/config.toml")
ENVIRONMENT_PREFIX = "CONNSCOPE_"
ENVIRONMENT = f"environment {ENVIRONMENT_PREFIX}*"


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every setting of connscope, each documented here and nowhere else."""

    tier: Annotated[
        Literal["auto", "btf", "netlink", "procfs"],
        Meta(
            description="The way to capture. `auto`: the best that can be had here. Any other: "
            "that one or none."
        ),
    ] = "auto"
    excluded_kernels: Annotated[
        str,
        Meta(
            pattern="^[^\\x00\\n]*$",
            description="Kernels on which no BPF program may be loaded, by their releases as "
            "`uname -r` says them or the numbers these begin with: `5.4.228, 6.1.0-13-amd64`. "
            "Ubuntu's 4.4.0-119 to 4.4.0-126 always are: they crash (Launchpad 1763454).",
        ),
    ] = ""
    accept_owner: Annotated[
        Literal["auto", "exact", "listener"],
        Meta(
            description="Who owns an accepted connection. `auto`: the task that accept returned "
            "to where fexit may be loaded, else the process that listens, corrected by the process "
            "that closes. `exact`: always the accepting task, at the price of about 90 ns on every "
            "system call of the machine. `listener`: never looks at accept."
        ),
    ] = "auto"
    ring_bytes: Annotated[
        int,
        Meta(
            ge=4096,
            le=1 << 30,
            description="Size of the ring between kernel and user space; a power of two, at least "
            "a page. A row takes 232 bytes.",
        ),
    ] = 8 << 20
    drain_interval_s: Annotated[
        float,
        Meta(
            ge=0.001,
            le=10,
            description="The shortest time between two reads of the ring. The first event after a "
            "quiet time is read at once.",
        ),
    ] = 0.05
    accept_owners_max: Annotated[
        int,
        Meta(
            ge=1,
            le=1 << 24,
            description="How many open accepted connections `accept_owner = exact` remembers the "
            "owner of; what does not fit is counted and has its listener's owner.",
        ),
    ] = 65536
    look_interval_s: Annotated[
        float,
        Meta(
            ge=0.05,
            le=3600,
            description="How often we look at all sockets: what a tier is not told by events has "
            "opened or closed between two looks.",
        ),
    ] = 1.0
    debug_dir: Annotated[
        str,
        Meta(
            pattern="^/[^\\x00\\n]*$",
            description="A directory of root's, which nobody else may write to. A file `kill-tier` "
            "made there ends the tier that captures, as if it had died; what follows can be "
            "watched. The file is deleted.",
        ),
    ] = "/run/connscope/debug"
    owner_check_interval_s: Annotated[
        float,
        Meta(
            ge=0,
            le=3600,
            description="How often looks compare the owners of sockets with the fd tables of all "
            "processes, which finds sockets that were passed on and processes that are gone. A "
            "socket of which no event told the owner is looked for at once. 0: with each look.",
        ),
    ] = 5.0
    netlink_receive_bytes: Annotated[
        int,
        Meta(
            ge=4096,
            le=1 << 30,
            description="How much news of closed connections may wait in the kernel, in each "
            "network namespace, for the netlink tier; what finds no room is counted as lost. A "
            "connection takes about 1,300 bytes, both ends. Without CAP_NET_ADMIN in the first "
            "user namespace it is at most net.core.rmem_max.",
        ),
    ] = 4 << 20

    proc_root: Annotated[
        str,
        Meta(
            pattern="^/[^\\x00]*$",
            description="Where the procfs tier finds the proc file system, e.g. `/host/proc` in a "
            "container that has the machine's mounted there.",
        ),
    ] = "/proc"
    procfs_fds_per_tick: Annotated[
        int,
        Meta(
            ge=1,
            le=1 << 20,
            description="How many descriptors of processes the procfs tier reads in a tick at "
            "most. A tick is 1 ms when somebody waits for the look, else see "
            "`procfs_period_min_s`.",
        ),
    ] = 300
    procfs_period_min_s: Annotated[
        float,
        Meta(
            ge=0.001,
            le=60,
            description="The shortest tick of the procfs tier in the background. It begins with "
            "this one; after each pass the tick is made so long that a pass takes "
            "`procfs_target_s`.",
        ),
    ] = 0.05
    procfs_period_max_s: Annotated[
        float,
        Meta(
            ge=0.001,
            le=60,
            description="The longest tick of the procfs tier in the background.",
        ),
    ] = 0.5
    procfs_target_s: Annotated[
        float,
        Meta(
            ge=0.1,
            le=3600,
            description="How long a pass of the procfs tier in the background should take, and the "
            "time from the start of one to that of the next.",
        ),
    ] = 10.0
    procfs_warn_s: Annotated[
        float,
        Meta(
            ge=0.1,
            le=3600,
            description="A pass of the procfs tier that takes longer than this counts as late, and "
            "its rows are said to be old.",
        ),
    ] = 15.0
    closed_rows: Annotated[
        int,
        Meta(
            ge=1,
            le=1 << 24,
            description="How many closed and failed connections wait for the readers that have not "
            "taken them yet; each takes 224 bytes, however many readers there are. What does not "
            "fit is counted for each reader that missed it.",
        ),
    ] = 50000
    when_full: Annotated[
        Literal["evict_empty", "refuse"],
        Meta(
            description="What gives way when `closed_rows` wait. `evict_empty`: the oldest "
            "connections on which not a byte was sent or received, then the oldest. `refuse`: the "
            "new ones."
        ),
    ] = "evict_empty"
    reader_expires_s: Annotated[
        float,
        Meta(
            ge=1,
            le=86400,
            description="A reader of closed connections that has not asked for so long is "
            "forgotten, and nothing is kept for it any more. When it asks again it starts anew.",
        ),
    ] = 120.0

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

    def __post_init__(self) -> None:
        if self.ring_bytes & (self.ring_bytes - 1):
            raise ValueError(f"ring_bytes is {self.ring_bytes}: it must be a power of two")
        if self.procfs_period_min_s > self.procfs_period_max_s:
            raise ValueError(
                f"procfs_period_min_s is {self.procfs_period_min_s}: it must not be more than "
                f"procfs_period_max_s, {self.procfs_period_max_s}"
            )


class Key(NamedTuple):
    """One key as the documentation shows it."""

    name: str
    default: object
    environment: str
    values: str
    description: str


def keys() -> Iterator[Key]:
    """All keys with what is said about them."""
    defaults = Config()
    for name, hint in get_type_hints(Config, include_extras=True).items():
        kind, meta = get_args(hint)
        environment, values = ENVIRONMENT_PREFIX + name.upper(), _describe_values(kind, meta)
        yield Key(name, getattr(defaults, name), environment, values, meta.description or "")


def _describe_values(kind: Any, meta: Meta) -> str:
    if get_origin(kind) is Literal:
        return f"one of {', '.join(get_args(kind))}"
    if kind is str:
        return "a path that begins with /" if str(meta.pattern).startswith("^/") else "text"
    return f"{'a whole number' if kind is int else 'a number'} from {meta.ge} to {meta.le}"


def load_config(
    path: Path | None = None, environment: Mapping[str, str] | None = None, **settings: Any
) -> Config:
    """Fills the configuration: defaults, then the file, then the environment, then the arguments.

    Args:
        path: a TOML file that has to exist; None reads the default one if there is one.
        environment: where to look for ``CONNSCOPE_*``, e.g. ``os.environ``; None for nowhere.
        settings: by key; None means not given.

    Raises:
        ConfigError: a key is unknown or a value wrong, named with where it came from; or the file
            can not be read.
    """
    config = Config()
    for source, found in (
        _from_file(path),
        (ENVIRONMENT, _from_environment(environment or {})),
        ("arguments", {name: value for name, value in settings.items() if value is not None}),
    ):
        config = _merge(config, source, found)
    return config


def _merge(config: Config, source: str, found: dict[str, Any]) -> Config:
    for name in found:
        if name not in Config.__struct_fields__:
            near = difflib.get_close_matches(name, Config.__struct_fields__, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ConfigError(f"{source}: unknown key {name!r}{hint}")
    try:
        return msgspec.convert(
            {**msgspec.structs.asdict(config), **found}, Config, strict=source != ENVIRONMENT
        )
    except msgspec.ValidationError as error:
        raise ConfigError(f"{source}: {_explain(str(error), found)}") from error


def _explain(message: str, found: dict[str, Any]) -> str:
    """What msgspec says of a value leaves out the value and what could be instead. Its message ends
    in "- at `$.key`", unless it is one of ours."""
    name = message.rpartition(" - at `$.")[2].rstrip("`")
    key = next((key for key in keys() if key.name == name), None)
    return f"{name} is {found[name]!r}: it must be {key.values}" if key else message


def _from_file(path: Path | None) -> tuple[str, dict[str, Any]]:
    file = path or DEFAULT_PATH
    try:
        return str(file), tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        if path is None and isinstance(error, FileNotFoundError):
            return str(file), {}
        raise ConfigError(f"can not read {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is not UTF-8: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file} is no TOML: {error}") from error


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """Only names of ours; CONNSCOPE_FOO that is no key is refused, because it is a typing error."""
    return {
        name.removeprefix(ENVIRONMENT_PREFIX).lower(): value
        for name, value in environment.items()
        if name.startswith(ENVIRONMENT_PREFIX)
    }
