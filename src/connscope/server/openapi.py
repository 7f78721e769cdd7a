"""The API described for machines: OpenAPI 3.1, from the same words that the answers are made of."""

from __future__ import annotations

from typing import Any

import connscope
from connscope.server.connections import SORTS
from connscope.server.lateness import AGE
from connscope.server.node_keys import GROUPS
from connscope.server.parameters import LIMIT_MOST
from connscope.server.sight import OWN
from connscope.server.sums import EDGE_SUMS, NODE_SUMS
from connscope.server.topology import ACTIVITY, HEALTH, METRICS

__all__ = ("description",)

Plain = dict[str, Any]
TEXT: Plain = {"type": "string"}
WHOLE: Plain = {"type": "integer"}
NUMBER: Plain = {"type": "number"}
FLAG: Plain = {"type": "boolean"}
TIME: Plain = {"type": "string", "format": "date-time"}


def _object(**properties: Plain) -> Plain:
    return {"type": "object", "properties": properties}


def _list(items: Plain) -> Plain:
    return {"type": "array", "items": items}


def _one_of(words: Any) -> Plain:
    return {"type": "string", "enum": list(words)}


def _named(name: str) -> Plain:
    return {"$ref": f"#/components/schemas/{name}"}


OTHERS = ("nodes", "edges", "connections", "sent_bps", "received_bps")
SCHEMAS: Plain = {
    "Error": _object(error=TEXT, need=_one_of(["full"]), position=WHOLE),
    "Node": _object(
        **dict.fromkeys(("id", "label", "detail", "host", "box"), TEXT),
        kind=_one_of(GROUPS),
        outside=FLAG,
        **dict.fromkeys((*NODE_SUMS, "problems"), WHOLE),
        listeners=_list(_object(protocol=TEXT, address=TEXT, port=WHOLE, clients=WHOLE)),
    ),
    "Edge": _object(
        **dict.fromkeys(("id", "source", "target"), TEXT),
        ports=_list(WHOLE),
        role_known=FLAG,
        ends={"type": "integer", "enum": [1, 2]},
        **dict.fromkeys((*EDGE_SUMS, "rtt_us"), WHOLE),
        health=_one_of(HEALTH),
        activity=_one_of(ACTIVITY),
        reasons={"type": "object", "additionalProperties": WHOLE},
    ),
    "Connection": {
        **_object(host=TEXT, client=TEXT, server=TEXT, ends=WHOLE, own=FLAG),
        "additionalProperties": True,
        "description": "What `connscope list -o json` prints, with host, client and server.",
    },
    "Listener": _object(
        **dict.fromkeys(("host", "node", "process", "protocol", "address"), TEXT),
        **dict.fromkeys(("pid", "uid", "port", "clients", "queue_length", "queue_limit"), WHOLE),
        reach=_one_of(["all", "private", "loopback"]),
    ),
    "Host": _object(
        **dict.fromkeys(("host", "id", "name", "tier", "audit"), TEXT),
        groups={"type": "object", "additionalProperties": TEXT},
        limits=_list(TEXT),
        completeness=NUMBER,
        behind_s=NUMBER,
        silent_s=NUMBER,
        last_seen_at=TIME,
        **dict.fromkeys(("lost", "missed", "connections", "listeners"), WHOLE),
    ),
    "Totals": _object(
        **dict.fromkeys(
            (
                *("nodes", "edges", "connections", "own", "own_hidden"),
                *("shown_nodes", "shown_edges", "total_connections"),
            ),
            WHOLE,
        ),
        **dict.fromkeys(("opened", "closed", "failed", "sent_bps", "received_bps", "lost"), WHOLE),
        others=_object(**dict.fromkeys(OTHERS, WHOLE)),
        empty=TEXT,
    ),
}


def _asked(name: str, schema: Plain, where: str = "query") -> Plain:
    return {"name": name, "in": where, "required": where == "path", "schema": schema}


GROUP = _asked("group", _one_of(GROUPS))
FILTER = _asked("filter", TEXT)
LIMIT = _asked("limit", {**WHOLE, "minimum": 1, "maximum": LIMIT_MOST})
ID = _asked("id", TEXT, "path")
EDGES, CONNECTIONS = _list(_named("Edge")), _list(_named("Connection"))
LISTENERS = _list(_named("Listener"))
OWN_ASKED = _asked("own", _one_of(OWN))
VIEW = [
    GROUP,
    FILTER,
    OWN_ASKED,
    LIMIT,
    _asked("metric", _one_of(METRICS)),
    _asked("window_s", WHOLE),
]
READ: dict[str, tuple[str, list[Plain], Plain]] = {
    "topology": (
        "Who talks to whom",
        VIEW,
        _object(
            time=TIME,
            group=TEXT,
            window_s=WHOLE,
            nodes=_list(_named("Node")),
            edges=EDGES,
            totals=_named("Totals"),
        ),
    ),
    "connections": (
        "Single connections",
        [
            *(GROUP, FILTER, OWN_ASKED, LIMIT, _asked("sort", _one_of(SORTS))),
            *(_asked("node", TEXT), _asked("edge", TEXT)),
        ],
        _object(connections=CONNECTIONS, matching=WHOLE, total=WHOLE),
    ),
    "nodes/{id}": (
        "One node",
        [ID, GROUP, FILTER, OWN_ASKED],
        _object(
            node=_named("Node"),
            inbound=EDGES,
            outbound=EDGES,
            connections=CONNECTIONS,
            listeners=LISTENERS,
        ),
    ),
    "edges/{id}": (
        "One edge",
        [ID, GROUP, FILTER, OWN_ASKED],
        _object(edge=_named("Edge"), connections=CONNECTIONS),
    ),
    "listeners": ("What listens", [FILTER], _object(listeners=LISTENERS)),
    "hosts": ("Hosts, and how well they are watched", [], _object(hosts=_list(_named("Host")))),
}


def _answers(codes: dict[str, str], content: Plain | None = None) -> Plain:
    answers: Plain = {
        code: {
            "description": text,
            "content": {"application/json": {"schema": _named("Error")}},
        }
        for code, text in codes.items()
    }
    if content is None:
        return answers | {"204": {"description": "taken"}}
    return answers | {
        "200": {"description": "found", "content": {"application/json": {"schema": content}}}
    }


def _body(media_type: str, schema: Plain) -> Plain:
    return {"required": True, "content": {media_type: {"schema": schema}}}


def _paths() -> Plain:
    refused = {"400": "what is asked for can not be had", "401": "without the token"}
    paths: Plain = {
        f"/{path}": {
            "get": {
                "summary": summary,
                "parameters": parameters,
                "responses": _answers(
                    refused | ({"404": "not there now"} if ID in parameters else {}), content
                ),
            }
        }
        for path, (summary, parameters, content) in READ.items()
    }
    paths["/session"] = {
        "post": {
            "summary": "Swaps the token for a cookie",
            "security": [],
            "requestBody": _body("application/json", _object(token=TEXT)),
            "responses": _answers({"401": "not the token", "422": "no token"}),
        }
    }
    reasons = {
        "401": "without the token",
        "403": "of another host than the token",
        "408": "too slow",
        "409": "a report is missing before this one: send a full one",
        "413": "too large",
        "422": "not a report",
        "429": "too often",
    }
    paths["/reports"] = {
        "post": {
            "summary": "Takes the report of an agent, docs/report.md",
            "parameters": [_asked(AGE, WHOLE, "header")],
            "requestBody": _body("application/octet-stream", {"type": "string"}),
            "responses": _answers(reasons),
        }
    }
    return paths


def description() -> Plain:
    """The document."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "connscope", "version": connscope.__version__},
        "servers": [{"url": "/api/v1"}],
        "security": [{"token": []}, {"cookie": []}],
        "paths": _paths(),
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "connscope_…"},
            },
        },
    }
