"""The filter that sets CloudBees' checkbox in configuration as code: one value or one key, and not a byte more."""

from __future__ import annotations

import difflib
import random

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from test_toggle_yaml import text_of

from ansible_collections.cbops.telemetry.plugins.filter.with_toggle import with_toggle

BLOCK = "unclassified:\n  usageStatisticsCloudBees:\n    usageStatisticsCollected: {0}\n"
HEAD = "# of the team\njenkins:\n  systemMessage: |+\n    a: {b\n\n  numExecutors: 2   # two\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (BLOCK.format("true"), BLOCK.format("false")),
        (BLOCK.format("'true' # why"), BLOCK.format("false # why")),
        (HEAD + BLOCK.format("YES"), HEAD + BLOCK.format("false")),
        (BLOCK.format("").replace(": \n", ":\n"), BLOCK.format("false")),
        (BLOCK.format("~"), BLOCK.format("false")),
        ("", BLOCK.format("false")),
        ("# nothing\n", "# nothing\n" + BLOCK.format("false")),
        (HEAD, HEAD + BLOCK.format("false")),
        (HEAD + "...\n", HEAD + BLOCK.format("false") + "...\n"),
        ("a: b", "a: b\n" + BLOCK.format("false")),
        (
            "unclassified:\n    # where\n    location: x\nz: 1\n",
            "unclassified:\n    usageStatisticsCloudBees:\n      usageStatisticsCollected: false\n    # where\n    location: x\nz: 1\n",
        ),
        (
            "unclassified:\n  usageStatisticsCloudBees: # ours\n    disabledJenkinsUsageStatistics: true\n",
            "unclassified:\n  usageStatisticsCloudBees: # ours\n    usageStatisticsCollected: false\n    disabledJenkinsUsageStatistics: true\n",
        ),
        ("unclassified:\nz: 1\n", BLOCK.format("false") + "z: 1\n"),
        ("unclassified: {}\n", "unclassified: {usageStatisticsCloudBees: {usageStatisticsCollected: false}}\n"),
        (
            "unclassified: {a: b}\n",
            "unclassified: {usageStatisticsCloudBees: {usageStatisticsCollected: false}, a: b}\n",
        ),
        (
            "unclassified: {usageStatisticsCloudBees: {usageStatisticsCollected: on}}",
            "unclassified: {usageStatisticsCloudBees: {usageStatisticsCollected: false}}",
        ),
        ("{}\n", "{unclassified: {usageStatisticsCloudBees: {usageStatisticsCollected: false}}}\n"),
        (
            "Unclassified:\n  UsageStatisticsCloudBees: {}\n",
            "Unclassified:\n  UsageStatisticsCloudBees: {usageStatisticsCollected: false}\n",
        ),
        ("\ufeffä: ü\n", "\ufeffä: ü\n" + BLOCK.format("false")),
        ("\ufeffunclassified:\nz: 1\n", "\ufeff" + BLOCK.format("false") + "z: 1\n"),
        ("\ufeffunclassified:\n  usageStatisticsCloudBees:\n", "\ufeff" + BLOCK.format("false")),
    ],
)
def test_disabled(text: str, expected: str) -> None:
    for ends in ("\n", "\r\n"):
        now, then = text.replace("\n", ends), expected.replace("\n", ends)
        if ends in now or ends == "\n":
            assert with_toggle(now) == then
        assert with_toggle(then) == then, "nothing is left to be done"
    assert with_toggle(with_toggle(text, "enabled"), "disabled") == with_toggle(text)


@pytest.mark.parametrize("value", ["false", "'no'", "OFF", "0"])
def test_what_is_so_already_stays_as_it_is(value: str) -> None:
    assert with_toggle(BLOCK.format(value)) == BLOCK.format(value)


@pytest.mark.parametrize(
    "text",
    [
        BLOCK.format("${X}"),
        BLOCK.format("&a true"),
        BLOCK.format("*a"),
        BLOCK.format("[true]"),
        BLOCK.format("|\n      true"),
        BLOCK.format("tr\n      ue"),
        BLOCK.format("true") * 2,
        BLOCK.format("true") + "---\n" + BLOCK.format("true"),
        "unclassified: &a {}\n",
        "unclassified: *a\n",
        "unclassified:\n  <<: *a\n",
        "unclassified: text\n",
        "- a\n",
        "text\n",
        "a: b: c\n",
        "{unclassified}\n",
    ],
)
def test_what_would_be_a_guess_is_refused_with_the_lines_to_write(text: str) -> None:
    with pytest.raises(AnsibleFilterError, match="usageStatisticsCollected: false"):
        with_toggle(text)


def test_wrong_input_is_an_error() -> None:
    with pytest.raises(AnsibleFilterError, match="state is 'off'"):
        with_toggle("", "off")
    with pytest.raises(AnsibleFilterError, match="not int"):
        with_toggle(7)


def test_in_any_text_pyyaml_sees_the_value_and_no_line_is_lost() -> None:
    done = 0
    for seed in range(3000):
        text = text_of(seed)
        if random.Random(seed).random() < 0.5 and "\r" not in text:
            text += "unclassified:\n  a: b\n" if text.endswith("\n") else ""
        try:
            made = with_toggle(text)
        except AnsibleFilterError:
            continue
        done += 1
        document = yaml.compose(made, yaml.SafeLoader)
        values = {str(key.value): value for key, value in document.value}
        (inner,) = (value for key, value in values["unclassified"].value if key.value == "usageStatisticsCloudBees")
        assert [value.value for _key, value in inner.value] == ["false"]
        lost = [line for line in difflib.ndiff(text.splitlines(), made.splitlines()) if line.startswith("- ")]
        assert not lost or "{" in lost[0], (text, made)
    assert done > 500
