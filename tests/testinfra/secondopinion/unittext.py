"""What systemd says about a unit, and what its environment files add: values as the service would get them."""

from __future__ import annotations

import re

SINGLE = {"Id", "LoadState", "ActiveState", "SubState", "Result", "User", "Group", "FragmentPath", "SourcePath",
          "DropInPaths", "Environment", "EnvironmentFiles", "ExecStart", "ControlGroup", "NeedDaemonReload",
          "NRestarts", "ExecMainStatus", "UnitFileState", "WorkingDirectory"}  # fmt: skip


def properties(lines: list[str]) -> dict[str, list[str]]:
    """`systemctl show` as name -> values; a line that opens no property continues the one before."""
    out: dict[str, list[str]] = {}
    last = ""
    for line in lines:
        name, sep, value = line.partition("=")
        if sep and name in SINGLE:
            out.setdefault(name, []).append(value)
            last = name
        elif last and line:
            out[last][-1] += "\n" + line
    return out


ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "s": " "}


def environment(value: str) -> dict[str, str]:
    """The Environment= property: assignments that systemctl quotes for a shell where it must."""
    out: dict[str, str] = {}
    current, quote, begun, at = "", "", False, 0
    words = []
    while at < len(value):
        char = value[at]
        if char == "\\" and quote != "'" and at + 1 < len(value):
            following = value[at + 1]
            current += ESCAPES.get(following, following) if quote == "$" else following
            at += 2
            continue
        if quote:
            if char == ("'" if quote == "$" else quote):
                quote = ""
            else:
                current += char
        elif value.startswith("$'", at) and not current:
            quote, begun, at = "$", True, at + 1
        elif char in "\"'":
            quote, begun = char, True
        elif char.isspace():
            if current or begun:
                words.append(current)
            current, begun = "", False
        else:
            current += char
        at += 1
    if current or begun:
        words.append(current)
    for word in words:
        name, sep, text = word.partition("=")
        if sep:
            out[name] = text
    return out


def environment_file(text: str) -> dict[str, str]:
    """systemd's own reading of an EnvironmentFile: no expansion, quotes around parts, \\ continues a line."""
    out: dict[str, str] = {}
    at = 0
    text = text.replace("\r\n", "\n")
    while at < len(text):
        char = text[at]
        if char in " \t\n":
            at += 1
            continue
        if char in "#;":
            while at < len(text) and text[at] != "\n":
                at += 2 if text[at] == "\\" else 1
            continue
        found = re.compile(r"([^=\n]*)=[ \t]*").match(text, at)
        if not found:
            end = text.find("\n", at)
            at = len(text) if end < 0 else end
            continue
        name, at = found.group(1).strip(), found.end()
        value, quote, keep = "", "", 0
        while at < len(text):
            char = text[at]
            if quote == "'":
                quote, value, keep = ("", value, len(value)) if char == "'" else (quote, value + char, len(value) + 1)
            elif char == "\\":
                following = text[at + 1 : at + 2]
                if following != "\n":
                    value += following if not quote or following in '"\\`$' else "\\" + following
                    keep = len(value)
                at += 1
            elif quote == '"':
                quote, value, keep = ("", value, len(value)) if char == '"' else (quote, value + char, len(value) + 1)
            elif char == "\n":
                break
            elif char in "\"'":
                quote = char
            else:
                value += char
                keep = len(value) if char not in " \t" else keep
            at += 1
        out[name] = value[:keep]
    return out


def commands(values: list[str]) -> list[tuple[str, str]]:
    """(executable, arguments in one text) of every ExecStart=; quotes are lost in what systemctl prints."""
    out = []
    for value in values:
        found = re.search(r"path=(.*?) ; argv\[\]=(.*?) ; ignore_errors=", value, re.S)
        if found:
            out.append((found.group(1), found.group(2)))
    return out


def arguments(text: str, variables: dict[str, str]) -> list[str]:
    """The argument list as systemd builds it: $NAME alone is split at blanks, ${NAME} is not."""
    out = []
    for word in text.split():
        if re.fullmatch(r"\$[A-Za-z_][A-Za-z0-9_]*", word):
            out += variables.get(word[1:], "").split()
        else:
            out.append(re.sub(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}", lambda m: variables.get(m.group(1), ""), word))
    return out
