"""Which proxies a controller is configured with, and for which hosts each does not count."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.cbops.telemetry.plugins.module_utils.java import _proxy_settings
from ansible_collections.cbops.telemetry.plugins.module_utils.probe import _options, _proxies

SECRET = "geheim"


def route(rule: str, *exceptions: str) -> _proxies.Route:
    return _proxies.Route("proxy.example.com", 3128, "here", rule, exceptions)


@pytest.mark.parametrize(
    "options, expected",
    [
        (["-Dhttps.proxyHost=p.example.com"], ("p.example.com", 443)),
        (["-Dhttps.proxyHost=p.example.com", "-Dhttps.proxyPort=3128"], ("p.example.com", 3128)),
        (["-Dhttps.proxyHost=a", "-Dhttps.proxyHost=b", "-Dhttps.proxyPort=1"], ("b", 1)),
        (["-Dhttp.proxyHost=p.example.com"], None),  # for http:// alone
        (["-Xmx1g", "https.proxyHost=p"], None),
        (["-Dhttps.proxyHost="], None),
    ],
)
def test_properties(options: list[str], expected: tuple[str, int] | None) -> None:
    network = _proxies.of_properties(_proxy_settings.properties(options), "cm")
    assert [(one.host, one.port) for one in network.routes] == ([expected] if expected else [])
    assert network.notes == ()


@pytest.mark.parametrize(
    "options",
    [
        ["-Dhttps.proxyHost=a b"],
        ["-Dhttps.proxyHost=p", "-Dhttps.proxyPort=x"],
        ["-Dhttps.proxyHost=p", "-Dhttps.proxyPort=70000"],
        ["-DsocksProxyHost=s"],
        ["-Dhttps.proxyHost=p", "-Dhttp.nonProxyHosts=a b"],
        ["-Djavax.net.ssl.trustStore=relative.jks"],
    ],
)
def test_what_is_not_probed_is_said(options: list[str]) -> None:
    network = _proxies.of_properties(_proxy_settings.properties(options), "the JVM of cm")
    assert network.routes == () and network.trust_store is None
    assert len(network.notes) == 1 and "cm" in network.notes[0]


def test_the_trust_store_of_a_jvm() -> None:
    found = _proxy_settings.properties(
        ["-Djavax.net.ssl.trustStore=/etc/pki/t.jks", f"-Djavax.net.ssl.trustStorePassword={SECRET}"]
    )
    assert SECRET not in str(found)
    assert _proxies.of_properties(found, "cm").trust_store == "/etc/pki/t.jks"


@pytest.mark.parametrize(
    "environment, expected",
    [
        ({"https_proxy": "http://p.example.com:3128"}, ("p.example.com", 3128)),
        ({"https_proxy": "p.example.com:3128/"}, ("p.example.com", 3128)),
        ({"HTTPS_PROXY": f"http://user:{SECRET}@p.example.com:3128"}, ("p.example.com", 3128)),
        ({"ALL_PROXY": "http://[2001:db8::1]:3128"}, ("[2001:db8::1]", 3128)),
        ({"HTTPS_PROXY": "http://b:2", "https_proxy": "http://a:1"}, ("a", 1)),
        ({"http_proxy": "http://a:1"}, None),
        ({"https_proxy": ""}, None),
    ],
)
def test_environment(environment: dict[str, str], expected: tuple[str, int] | None) -> None:
    found = _proxy_settings.variables(environment)
    network = _proxies.of_environment(found, "cm")
    assert [(one.host, one.port) for one in network.routes] == ([expected] if expected else [])
    assert SECRET not in str((found, network))


@pytest.mark.parametrize(
    "value", ["https://p:3128", "socks5://p:1080", "http://p", "http://p:x", "http://a b:1", f"socks5://u:{SECRET}@p:1"]
)
def test_an_environment_that_cannot_be_probed_is_said(value: str) -> None:
    network = _proxies.of_environment(_proxy_settings.variables({"https_proxy": value}), "cm")
    assert network.routes == ()
    assert "https_proxy of cm was not probed" in network.notes[0] and SECRET not in network.notes[0]


def test_settings() -> None:
    proxy = {"host": "p.example.com", "port": 3128, "no_proxy": ["*.example.com"], "authenticated": True}
    network = _proxies.of_settings(proxy, {"state": "seen", "file": "/home/proxy.xml"})
    assert network.routes == (_proxies.Route("p.example.com", 3128, "/home/proxy.xml", "jenkins", ("*.example.com",)),)
    assert _proxies.of_settings(None, {"state": "absent"}) == _proxies.Network((), (), None)
    unknown = _proxies.of_settings("unknown", {"state": "unknown", "reason": "/home/proxy.xml: Permission denied"})
    assert unknown.routes == () and "Permission denied" in unknown.notes[0]


@pytest.mark.parametrize(
    "rule, exception, host, counts",
    [
        ("java", "*.segment.io", "api.segment.io", False),
        ("java", "*.segment.io", "segment.io", True),
        ("java", "api.*", "api.segment.io", False),
        ("java", "segment.io", "api.segment.io", True),
        ("java", "*segment*", "api.segment.io", False),
        ("java", "*", "api.segment.io", False),
        ("java", "a*.io", "api.segment.io", True),  # a star in the middle is no star to Java
        ("java", "127.*", "127.0.0.1", False),
        ("java", "[::1]", "::1", False),
        ("jenkins", "*.segment.io", "api.segment.io", False),
        ("jenkins", "a*.io", "api.segment.io", False),
        ("jenkins", "segment.io", "api.segment.io", True),
        ("jenkins", "api.segment.io", "apixsegment.io", True),
        ("environment", ".segment.io", "api.segment.io", False),
        ("environment", "segment.io", "api.segment.io", False),
        ("environment", "segment.io", "notsegment.io", True),
        ("environment", "*", "api.segment.io", False),
        ("environment", "*.segment.io", "api.segment.io", True),  # curl knows a star only alone
    ],
)
def test_exceptions(rule: str, exception: str, host: str, counts: bool) -> None:
    assert (_proxies.exception_for(route(rule, "other", exception), host) is None) == counts


def test_a_path_names_every_place_that_configures_it() -> None:
    first = _proxies.Route("p", 1, "proxy.xml", "jenkins", ())
    second = _proxies.Route("p", 1, "the JVM", "java", ("*.segment.io",))
    third = _proxies.Route("p", 1, "the environment", "environment", ())
    found, notes = _proxies.paths([first, second, third], "api.segment.io")
    assert found == {("p", 1): ["proxy.xml", "the environment"]}
    assert len(notes) == 1 and "the JVM excludes api.segment.io" in notes[0] and "*.segment.io" in notes[0]


@pytest.mark.parametrize(
    "params, words",
    [
        ({"host": ""}, "host must not be empty"),
        ({"port": 0}, "port must be between"),
        ({"timeout": 0.0}, "timeout must be greater than 0"),
        ({"timeout": float("nan")}, "timeout must be"),
        ({"timeout": 61.0}, "at most 60 seconds"),
        ({"count": 0}, "count must be greater than 0"),
        ({"count": 101}, "at most 100 attempts"),
        ({"interval": 61.0}, "interval must be"),
        ({"via": []}, "via must not be empty"),
        ({"via": ["directly"]}, "neither direct nor configured"),
        ({"via": ["https://p:1"]}, "only plain HTTP proxies"),
        ({"via": [f"http://u:{SECRET}@p:1"]}, "no user and password"),
        ({"endpoints": ["a:b"]}, "no endpoint"),
    ],
)
def test_options_that_are_not_valid(params: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words) as raised:
        _options.check(params)
    assert SECRET not in str(raised.value)


def test_which_paths_are_probed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(_options, "probe_all", lambda pairs, *_rest: asked.extend(pairs) or [{} for _pair in pairs])
    network = _proxies.Network((route("jenkins", "*.example.com"),), ("a note",), None)
    params = {
        "endpoints": ["api.segment.io", "ldap.example.com:636"],
        "via": ["direct", "configured", "http://proxy.example.com:3128", "http://other:1"],
    }
    answers, notes = _options.answers(params, _options.Way(network, ("/cacerts",)))
    proxy = ("proxy.example.com", 3128)
    assert asked == [
        (("api.segment.io", 443), None),
        (("api.segment.io", 443), proxy),
        (("api.segment.io", 443), ("other", 1)),
        (("ldap.example.com", 636), None),
        (("ldap.example.com", 636), proxy),
        (("ldap.example.com", 636), ("other", 1)),
    ]
    assert [answer["configured_by"] for answer in answers] == [
        [],
        ["here", "the task"],
        ["the task"],
        [],
        ["the task"],
        ["the task"],
    ]
    assert notes == [
        "a note",
        "here excludes ldap.example.com from its proxy (*.example.com): there the direct path counts",
    ]
