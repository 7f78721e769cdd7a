"""What counting UDP flows costs: those that are counted, and TCP, which passes the same places.

``trace -t`` and ``trace -tu`` take turns, each first as often as the other; ratios are made within
a turn. A loop is cut into parts of a few milliseconds and its fastest one counts, so that who else
is on the machine is not measured.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping

from bench.result import Result, spread
from bench.rigs.network import PrivateNetwork
from bench.rigs.redis import RedisServer
from bench.rigs.tracers import TraceProgram

__all__ = ("measure",)

TURNS = 20
PARTS, ROUNDS, BYTES = 150, 150, 64
DATAGRAMS = 2  # of a round: there and back
REQUEST_RATE = 0.95
DATAGRAM_NS = 300
TCP_TIME = 1.03
REDIS_RATE = 0.98
LOOPS = {
    "tcp": ("tcp",),
    "connected": ("connected",),
    "named": ("udp",),
    "connected, two": ("connected", "echo"),
    "named, two": ("udp", "echo"),
}
"""Arguments of tests/traffic/ping.c."""

Run = Mapping[str, float]
Ratio = Callable[[float, float], float]


def measure() -> tuple[Result, ...]:
    """The medians of twenty turns."""
    with PrivateNetwork() as network, RedisServer(network) as redis:
        turns = [_take_turn(network, redis, number) for number in range(TURNS)]

    def compare(name: str, ratio: Ratio) -> list[float]:
        return [ratio(off[name], on[name]) for off, on in turns]

    def rate_of(name: str, what: str) -> Result:
        rates = compare(name, lambda off, on: off / on)
        return _least(f"UDP request and response, {what}: rate", rates, REQUEST_RATE)

    def price_of(name: str, what: str) -> Result:
        added = compare(name, lambda off, on: (on - off) / DATAGRAMS)
        return Result(
            f"a UDP datagram, {what}, sent and received",
            f"+{spread(added, 0)} ns",
            f"<= +{DATAGRAM_NS} ns",
            statistics.median(added) <= DATAGRAM_NS,
        )

    times = compare("tcp", lambda off, on: on / off)
    return (
        rate_of("connected, two", "connected"),
        rate_of("named, two", "sendto and recvfrom"),
        price_of("connected", "connected"),
        price_of("named", "sendto and recvfrom"),
        Result(
            f"TCP send and receive of {BYTES} bytes with udp: time",
            f"{spread(times, 3)} of without",
            f"<= {TCP_TIME}",
            statistics.median(times) <= TCP_TIME,
        ),
        _least("redis-benchmark with udp: rate", compare("redis", _rate), REDIS_RATE),
    )


def _rate(off: float, on: float) -> float:
    return on / off


def _least(what: str, rates: list[float], target: float) -> Result:
    measured = f"{spread(rates, 3)} of without"
    return Result(what, measured, f">= {target}", statistics.median(rates) >= target)


def _take_turn(network: PrivateNetwork, redis: RedisServer, number: int) -> tuple[Run, Run]:
    """Without and with UDP."""

    def run(option: str) -> Run:
        with TraceProgram(option):
            return _run_all(network, redis)

    if number % 2:
        on = run("-tu")
        return run("-t"), on
    return run("-t"), run("-tu")


def _run_all(network: PrivateNetwork, redis: RedisServer) -> Run:
    """Nanoseconds of a round; of redis, requests a second."""
    found = {
        name: float(network.run("ping", kind, PARTS, ROUNDS, BYTES, *echo)["ns_per_round"])
        for name, (kind, *echo) in LOOPS.items()
    }
    return {**found, "redis": redis.requests_per_s()}
