"""The filter that puts the flag into a user's own templates."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from hostroot import FLAG

from ansible_collections.cbops.telemetry.plugins.filter.with_flag import with_flag

FALSE = FLAG.replace("=true", "=false")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", FLAG),
        ("-Xmx1g", f"-Xmx1g {FLAG}"),
        (f"-Xmx1g {FLAG} -Da=b", f"-Xmx1g {FLAG} -Da=b"),
        (f"-Xmx1g {FLAG.replace('true', 'TRUE')}", f"-Xmx1g {FLAG.replace('true', 'TRUE')}"),
        (f"-Xmx1g {FALSE} -Da=b", f"-Xmx1g -Da=b {FLAG}"),
        (f"{FLAG} {FALSE}", FLAG),
        (f"-Dx{FLAG}", f"-Dx{FLAG} {FLAG}"),
        ([], [FLAG]),
        (["-Xmx1g", "-Da=two words"], ["-Xmx1g", "-Da=two words", FLAG]),
        ([FALSE, "-Xmx1g"], ["-Xmx1g", FLAG]),
        ([FLAG], [FLAG]),
    ],
)
def test_disabled(options: object, expected: object) -> None:
    assert with_flag(options) == expected
    assert with_flag(with_flag(options)) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", ""),
        (FLAG, ""),
        (f"-Xmx1g {FLAG} -Da=b", "-Xmx1g -Da=b"),
        (f"{FLAG} -Xmx1g", "-Xmx1g"),
        (f"-Xmx1g {FLAG} {FALSE}", f"-Xmx1g {FLAG} {FALSE}"),
        (["-Xmx1g", FLAG], ["-Xmx1g"]),
    ],
)
def test_enabled(options: object, expected: object) -> None:
    assert with_flag(options, "enabled") == expected
    assert with_flag(with_flag(options, "enabled"), "enabled") == expected


@pytest.mark.parametrize("options", ["-Xmx1g", "", "-Xmx1g  -Da=b", ["-Xmx1g"]])
def test_enabled_undoes_disabled(options: object) -> None:
    assert with_flag(with_flag(options), "enabled") == options


def test_wrong_input_is_an_error() -> None:
    with pytest.raises(AnsibleFilterError, match="state is 'off'"):
        with_flag("", "off")
    with pytest.raises(AnsibleFilterError, match="not int"):
        with_flag(7)
