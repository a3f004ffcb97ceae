# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The probe's outcomes, and what an answer of it shows: did something get through, or is it proved that nothing did?

Pure. Private to this collection. Runs on the managed host (Python 3.6+, standard library only) and on the control node.
"""

from typing import Any, List, Mapping, NamedTuple, Sequence, Tuple

REACHABLE, BLOCKED, NEITHER = "reachable", "blocked", "neither"


class Outcome(NamedTuple):
    """What can become of an attempt."""

    name: str
    meaning: str
    #: What it proves. NEITHER: somebody answered, and a JVM with another trust store, other protocol versions or the
    #: proxy's password may well get on with the same peer; or nothing was learned of the network.
    camp: str


TABLE: Tuple[Outcome, ...] = (
    Outcome("connected", "a verified TLS session (with http: true an answer below 500)", REACHABLE),
    Outcome("dns_nxdomain", "the name has no address", BLOCKED),
    Outcome("dns_timeout", "the name servers did not answer, or failed", BLOCKED),
    Outcome("dns_sinkholed", "the name leads to an address that leads nowhere", BLOCKED),
    Outcome("refused", "the TCP connection was refused", BLOCKED),
    Outcome("reset", "the TCP connection was reset, or closed during the handshake", BLOCKED),
    Outcome("timeout", "the TCP connection, the handshake or a proxy's answer did not come in time", BLOCKED),
    Outcome("unreachable", "there is no way to the address, or the proxy says that it has none", BLOCKED),
    Outcome("proxy_unreachable", "the proxy was not reached, or is none", BLOCKED),
    Outcome("proxy_denied", "the proxy refuses this host", BLOCKED),
    Outcome("proxy_auth_required", "the proxy wants a password, which the controller may have", NEITHER),
    Outcome("tls_alert", "somebody answered, and the handshake ended with an alert or was no TLS", NEITHER),
    Outcome("tls_untrusted", "somebody answered, with a certificate that this machine does not trust", NEITHER),
    Outcome("tls_name_mismatch", "somebody answered, with a certificate for another name", NEITHER),
    Outcome("tls_expired", "somebody answered, with a certificate that is not valid now", NEITHER),
    Outcome("tls_intercepted", "the machine trusts the certificate, but its authority is no public one", NEITHER),
    Outcome("http_error", "an answer of 500 or more to HEAD, or one that is no HTTP", NEITHER),
    Outcome("peer_silent", "a connection, or a request, was taken and never answered", BLOCKED),
    Outcome(
        "unknown",
        "a failure of this machine, or a name with more than 64 addresses: it says nothing of the network",
        NEITHER,
    ),
)

OUTCOMES: Tuple[str, ...] = tuple(one.name for one in TABLE)
BLOCKED_OUTCOMES: Tuple[str, ...] = tuple(one.name for one in TABLE if one.camp == BLOCKED)
REACHABLE_OUTCOMES: Tuple[str, ...] = tuple(one.name for one in TABLE if one.camp == REACHABLE)

EXPECTATIONS: Tuple[str, ...] = (REACHABLE, BLOCKED, "any")


def meets(outcome: str, expect: str) -> bool:
    """Whether an outcome is what was expected; "unknown" meets nothing but "any"."""
    if expect == REACHABLE:
        return outcome in REACHABLE_OUTCOMES
    if expect == BLOCKED:
        return outcome in BLOCKED_OUTCOMES
    return True


def outcomes_of(answer: Mapping[str, Any]) -> List[str]:
    """What became of each attempt of an answer, each outcome once."""
    return list((answer.get("samples") or {}).get("outcomes") or [answer["outcome"]])


def trusts_of(answer: Mapping[str, Any]) -> List[bool]:
    """Whether each trust store of a JVM that was asked trusts the peer, where that is known."""
    return [one["trusted"] for one in answer.get("java") or [] if one["trusted"] is not None]


def answers_meet(answers: Sequence[Mapping[str, Any]], expect: str) -> bool:
    """Whether each path, in each of its samples, is as it was expected to be. No answer at all meets only "any".

    What a JVM's trust store refuses is not reachable for that JVM, whatever the machine itself thinks of it; and what
    one trusts is not blocked, for it has seen the peer's certificate.
    """
    trusts = [trusted for answer in answers for trusted in trusts_of(answer)]
    if (expect == REACHABLE and False in trusts) or (expect == BLOCKED and True in trusts):
        return False
    outcomes = [outcome for answer in answers for outcome in outcomes_of(answer)]
    return all(meets(outcome, expect) for outcome in outcomes) and (bool(outcomes) or expect == "any")


def lets_through(answer: Mapping[str, Any]) -> bool:
    """Whether something got through on this path, in any attempt or by the trust of any JVM."""
    return "connected" in outcomes_of(answer) or any(trusts_of(answer))


def serves_a_sender(answer: Mapping[str, Any]) -> bool:
    """Whether a JVM's sender would get through: the trust of its own store counts for more, where that was asked."""
    trusts = trusts_of(answer)
    return any(trusts) if trusts else lets_through(answer)
