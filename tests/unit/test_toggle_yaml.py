"""The YAML that bundles are read by, held against PyYAML: what it says is so, and what it is not sure of it says."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest
import yaml

from ansible_collections.cbops.telemetry.plugins.module_utils.java import _yaml as reader

WORDS = (
    *("a", "b", "true", "'false'", '"no"', "x y", "http://h:80/p", "é", "-1", "~", "C:\\p", '"a\\tb"', "'it''s'"),
    *("", "{}", "[]", "{a: b, c: [d, e f]}", "[a, {b: 'c'}]", '"a: {b"', "'- a'", "a#b", "a # b", "&x y", "*x", "!t z"),
    *("|\n{0}  text: {{\n\n{0}  more", ">-\n{0}    a\n{0}    b", '"two\n{0}  lines"', "plain\n{0} goes on", "# c"),
    *("{{a: b,\n{0}  c: d}}", "[a,\n{0}  b # c\n{0}  ]", "| # c\n{0}   d"),
)
ODD = (
    "? a",
    "%a",
    "@b",
    "a: b",
    "- a",
    "\ta",
    "x:",
    "{a",
    "'b",
    "&",
    "|x",
    "[a: b]",
    "{a:b}",
    "{a, b}",
    "[a,]",
    "{'a':b}",
)
SIGNS = (
    "\n",
    " ",
    "  ",
    ":",
    ": ",
    "- ",
    "-",
    "#",
    " #",
    '"',
    "'",
    "{",
    "}",
    "[",
    "]",
    ",",
    "\t",
    "|",
    ">",
    "&a ",
    "*a",
    "!",
)
MORE = (
    "\r\n",
    "\n\n",
    "---\n",
    "...\n",
    "a",
    "%",
    "@",
    "\\",
    "? ",
    "<<: ",
    "\n  ",
    "é",
    "\x85",
    "\u2028",
    "\x00",
    "\x7f",
)


def made(draw: random.Random, column: int = 0) -> str:
    """Lines of a mapping or a sequence at a column."""
    lines = []
    blank = " " * column
    is_list = draw.random() < 0.25
    for number in range(draw.randint(1, 4)):
        head = "-" if is_list else draw.choice((f"k{number}:", f'"k{number}":', f"'k {number}' :", f"k-{number}:"))
        if draw.random() < 0.4 and column < 12:
            deeper = column + draw.choice((1, 2, 2, 4))
            if is_list and draw.random() < 0.5:
                lines.append(f"{blank}- " + made(draw, column + 2).lstrip(" "))
            else:
                lines.append(f"{blank}{head}\n" + made(draw, deeper if is_list or draw.random() < 0.9 else column))
        else:
            word = draw.choice(ODD if draw.random() < 0.03 else WORDS)
            lines.append(f"{blank}{head} {word.format(blank) if chr(10) in word else word}")
        if draw.random() < 0.1:
            lines.append(draw.choice(("", "# c", f"{blank}# c", "   # d", "  ")))
    return "\n".join(lines)


def text_of(seed: int) -> str:
    """A text, most of the time one that was changed a little."""
    draw = random.Random(seed)
    text = draw.choice(("", "", "---\n", "# head\n", "\ufeff")) + made(draw) + draw.choice(("\n", "", "\n...\n"))
    for _number in range(draw.choice((0, 0, 0, 1, 1, 2))):
        at = draw.randrange(len(text) + 1)
        text = text[:at] + draw.choice(SIGNS + MORE) + text[at + draw.choice((0, 0, 1)) :]
    return text.replace("\n", "\r\n") if draw.random() < 0.1 else text


def ours(node: reader.Node | None) -> Any:
    """A tree to compare."""
    if node is None:
        return None
    if node.kind == reader.MAP:
        return [(ours(key), ours(value)) for key, value in node.value]
    if node.kind == reader.LIST:
        return [ours(one) for one in node.value]
    if node.kind == reader.ODD:
        return ...
    return None if node.value is None else node.value.encode("latin-1", "replace").decode("utf-8", "replace")


def same(mine: Any, theirs: yaml.Node | None) -> bool:
    """Whether a tree of ours is PyYAML's; texts of several lines are compared without their lines."""
    if mine is ...:
        return True
    if theirs is None:
        return mine is None
    if isinstance(theirs, yaml.MappingNode):
        return (
            isinstance(mine, list)
            and len(mine) == len(theirs.value)
            and all(same(one[0], two[0]) and same(one[1], two[1]) for one, two in zip(mine, theirs.value, strict=True))
        )
    if isinstance(theirs, yaml.SequenceNode):
        return (
            isinstance(mine, list)
            and len(mine) == len(theirs.value)
            and all(same(one, two) for one, two in zip(mine, theirs.value, strict=True))
        )
    value = str(theirs.value)
    if mine is None or isinstance(mine, list):
        return mine in (None, []) and value == ""
    return (
        theirs.style in ("|", ">")
        or "\n" in mine
        or "\\" in mine
        or "\ufffd" in mine
        or "?" in mine
        or mine.split() == value.split()
    )


def compared(text: str) -> str:
    """What became of a text: "same", "unsure", or what is wrong."""
    latin = text.encode("utf-8").decode("latin-1")
    try:
        mine = ours(reader.Reader(latin).document())
    except reader.Unsure as error:
        assert str(error)
        return "unsure"
    try:
        (theirs,) = list(yaml.compose_all(text, yaml.SafeLoader)) or [None]
    except (yaml.YAMLError, ValueError) as error:
        return (
            f"we read {mine!r} where PyYAML says {error}" if not str(error).startswith("found undefined alias") else ""
        )
    return "same" if same(mine, theirs) else f"we read {mine!r}, and PyYAML {yaml.serialize(theirs)}"


@pytest.mark.parametrize("part", range(4))
def test_what_it_reads_is_what_pyyaml_reads(part: int) -> None:
    became = {"same": 0, "unsure": 0}
    for seed in range(part * 1000, (part + 1) * 1000):
        text = text_of(seed)
        said = compared(text)
        if (
            "*" in text or "&" in text or "!" in text
        ):  # an alias of no anchor, two anchors: the node is odd all the same
            said = said if said in became else "unsure"
        assert said in became, f"{text!r}: {said}"
        became[said] += 1
    assert min(became.values()) > 300, became


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "{a: " * 100_000,
        "".join(f"{' ' * depth}a:\n" for depth in range(2000)),
        "- " * 100_000 + "a",
        "a: '" + "''" * 100_000,
        'a: "' + "\\\\" * 100_000,
        "a" * 1_000_000 + ": b",
        "a: &a [x]\n" + "".join(f"b{number}: &b{number} [*a, *a]\n" for number in range(10_000)),
        "a: x\n" + "   y\n" * 100_000,
        "#" * 1_000_000,
        " " * 1_000_000 + "a: b",
        "a: |\n" + " \n" * 100_000 + "  b\n",
        "a: {" + " " * 1_000_000,
        "x" + " " * 50_000 + "y",
        "a: [" + "b " * 50_000 + "c]",
        "{" + "a: b, " * 200_000 + "c: d}",
        "\n" * 500_000 + "[" + "a, " * 200_000 + "b]",
    ],
)
def test_bombs_cost_little_and_raise_nothing_else(text: str) -> None:
    began = time.process_time()
    try:
        reader.Reader(text).document()
    except reader.Unsure as error:
        assert len(str(error)) < 200
    assert time.process_time() - began < 5, "not by the size of the text squared"
