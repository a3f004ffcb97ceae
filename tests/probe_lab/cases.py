"""What a probe can meet, as data: names, what is behind them, and the outcome that each must have."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

#: Seconds for a probe in the laboratory, and for each tool that is compared with it.
TIMEOUT = 2.0
COMPARE_TIMEOUT = 5

DOMAIN = "lab.example"
PROXY_PORT = 3128


@dataclass(frozen=True)
class Peer:
    """A name of the laboratory: the last parts of its addresses, and what a server does there."""

    name: str
    v4: tuple[int, ...] = ()
    v6: tuple[int, ...] = ()
    behaviour: str | None = None  # see peers.py; None: nothing listens
    certificate: str = "good"
    answer: str = "200 OK"


@dataclass(frozen=True)
class Case:
    """A probe and what it must find: an outcome for each path."""

    name: str
    says: str  # what is wrong there, for the table
    host: str
    outcomes: tuple[str, ...]
    options: dict[str, Any] = field(default_factory=dict)
    place: str = ""  # how the host itself is broken: no-resolver | no-authorities
    words: str = ""  # what the message must say
    compared: bool = True  # whether other tools can be asked the same


PEERS = [
    Peer("good", (101,), (0x101,), "tls"),
    Peer("v4-only", (101,), (), "tls"),
    Peer("dead-v6", (101,), (0x150,), "tls"),
    Peer("mostly-dead", (150, 151, 152, 153, 154, 155, 156, 157, 158, 101), (), "tls"),
    Peer("nothing-listens", (102,)),
    Peer("firewall-resets", (103,), (), "tls"),
    Peer("firewall-rejects", (104,), (), "tls"),
    Peer("resets", (105,), (), "reset"),
    Peer("resets-in-handshake", (106,), (), "reset-in-handshake"),
    Peer("closes-in-handshake", (126,), (), "close-in-handshake"),
    Peer("firewall-drops", (107,), (0x107,), "tls"),
    Peer("silent", (108,), (), "silent"),
    Peer("drips", (109,), (), "drip"),
    Peer("name-refused", (110,), (), "tls-name-refused"),
    Peer("old-tls", (127,), (), "tls-old"),
    Peer("plain-http", (111,), (), "http"),
    Peer("stranger", (112,), (), "tls", "stranger"),
    Peer("incomplete", (128,), (), "tls", "incomplete"),
    Peer("expired", (113,), (), "tls", "expired"),
    Peer("not-yet", (114,), (), "tls", "not-yet"),
    Peer("other-name", (115,), (), "tls", "other-name"),
    Peer("inspected", (116,), (), "tls", "inspected"),
    Peer("second-root", (129,), (), "tls", "second-root"),
    Peer("java-only", (130,), (), "tls", "java-only"),
    Peer("error-500", (117,), (), "tls", answer="500 Internal Server Error"),
    Peer("not-found", (118,), (), "tls", answer="404 Not Found"),
    Peer("swallows-requests", (119,), (), "tls", answer="silence"),
    Peer("flapping", (140,), (), "tls"),
    Peer("proxy-open", (131,)),
    Peer("proxy-denies", (132,)),
    Peer("proxy-asks", (133,)),
    Peer("proxy-down", (134,)),
    Peer("proxy-silent", (135,), (), "silent"),
]

#: Names without a server: what the resolver says of them.
NXDOMAIN = "no-such-name"
SINKHOLES = {"sinkholed": ["0.0.0.0", "::"], "sinkholed-home": ["127.0.0.1"]}  # noqa: S104 -- nobody binds to it
SILENT_DNS, REFUSING_DNS = "dns-silent", "dns-refuses"


def direct(name: str, says: str, outcome: str, **more: Any) -> Case:
    options = {"via": ["direct"], "timeout": TIMEOUT, **more.pop("options", {})}
    return Case(name, says, more.pop("host", f"{name}.{DOMAIN}"), (outcome,), options, **more)


def proxied(name: str, says: str, outcome: str, proxy: str, **more: Any) -> Case:
    return Case(
        name,
        says,
        more.pop("host", f"good.{DOMAIN}"),
        (outcome,),
        {"via": [f"http://{proxy}.{DOMAIN}:{PROXY_PORT}"], "timeout": TIMEOUT},
        compared=False,
        **more,
    )


CASES = [
    direct(
        "segment",
        "the fleet's api.segment.io",
        "connected",
        host="api.segment.io",
        words="Connection to api.segment.io port 443 [tcp/https] succeeded!",
    ),
    direct("good", "a good server, IPv4 and IPv6", "connected"),
    direct("dead-v6", "IPv6 is dropped, IPv4 works", "connected"),
    direct("mostly-dead", "nine of ten addresses are dropped", "connected"),
    direct("no-such-name", "the name does not exist", "dns_nxdomain"),
    direct("dns-silent", "the name server does not answer", "dns_timeout"),
    direct("dns-refuses", "the name server fails (SERVFAIL)", "dns_timeout"),
    direct("sinkholed", "a DNS filter answers 0.0.0.0", "dns_sinkholed"),
    direct("sinkholed-home", "a DNS filter answers 127.0.0.1", "dns_sinkholed"),
    direct("nothing-listens", "nothing listens on the port", "refused"),
    direct("firewall-resets", "a firewall rejects with a reset", "refused"),
    direct("firewall-rejects", "a firewall rejects with ICMP", "unreachable"),
    direct("firewall-drops", "a firewall drops", "timeout"),
    direct("resets", "the peer resets at once", "reset"),
    direct("resets-in-handshake", "the peer resets when it sees the name", "reset"),
    direct("closes-in-handshake", "the peer closes when it sees the name", "reset"),
    direct("silent", "the peer accepts and stays silent", "peer_silent"),
    direct("drips", "the peer drips a byte a second", "timeout"),
    direct("name-refused", "the peer refuses the name with an alert", "tls_alert"),
    direct("old-tls", "the peer speaks TLS 1.1 at most", "tls_alert"),
    direct("plain-http", "plain HTTP on port 443", "tls_alert", words="plain HTTP"),
    direct("stranger", "an authority nobody trusts", "tls_untrusted"),
    direct("incomplete", "an intermediate certificate is missing", "tls_untrusted"),
    direct("expired", "the certificate has expired", "tls_expired"),
    direct("not-yet", "the certificate is not valid yet", "tls_expired"),
    direct("other-name", "the certificate is for another name", "tls_name_mismatch"),
    direct("inspected", "a company's inspection, trusted by the machine", "tls_intercepted"),
    Case(
        "second-root",
        "public, but the controller's JVM lacks its authority",
        f"second-root.{DOMAIN}",
        ("connected", "connected", "proxy_auth_required", "proxy_denied"),
        {"timeout": TIMEOUT},
        words="This machine trusts the certificate, but a JVM with",
    ),
    Case(
        "java-only",
        "only the controller's JVM trusts the authority",
        f"java-only.{DOMAIN}",
        ("tls_untrusted", "tls_untrusted", "proxy_auth_required", "proxy_denied"),
        {"timeout": TIMEOUT},
        words="This machine does not trust the certificate, but a JVM with",
    ),
    direct("error-500", "the peer answers HEAD with 500", "http_error", options={"http": True}),
    direct("not-found", "the peer answers HEAD with 404", "connected", options={"http": True}, words="404"),
    direct("swallows-requests", "the peer takes HEAD and stays silent", "peer_silent", options={"http": True}),
    direct("flapping", "every third connection is reset", "refused", options={"count": 9, "interval": 0.0}),
    direct("no-resolver", "the machine has no name server", "unknown", host=f"good.{DOMAIN}", place="no-resolver"),
    direct("no-route", "the machine has no route", "unknown", host="203.0.113.5"),
    direct(
        "no-authorities", "the machine has no authorities", "unknown", host=f"good.{DOMAIN}", place="no-authorities"
    ),
    proxied("proxy-open", "through a proxy", "connected", "proxy-open", words="through the proxy"),
    proxied(
        "proxy-open-expired",
        "an expired certificate through a proxy",
        "tls_expired",
        "proxy-open",
        host=f"expired.{DOMAIN}",
    ),
    proxied(
        "proxy-open-refused",
        "the proxy cannot reach the peer",
        "unreachable",
        "proxy-open",
        host=f"nothing-listens.{DOMAIN}",
    ),
    proxied("proxy-denies", "the proxy refuses this host", "proxy_denied", "proxy-denies"),
    proxied("proxy-asks", "the proxy wants a password", "proxy_auth_required", "proxy-asks"),
    proxied("proxy-down", "nothing listens at the proxy's port", "proxy_unreachable", "proxy-down"),
    proxied("proxy-name", "the proxy's name does not exist", "proxy_unreachable", "no-such-name"),
    proxied("proxy-silent", "the proxy does not answer", "timeout", "proxy-silent"),
    Case(
        "configured",
        "direct, and the three proxies of a controller",
        f"good.{DOMAIN}",
        ("connected", "connected", "proxy_auth_required", "proxy_denied"),
        {"timeout": TIMEOUT},
        compared=False,
    ),
]
