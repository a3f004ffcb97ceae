"""What a JVM makes of its options, as far as one property is concerned: last -D wins, _JAVA_OPTIONS beats the
command line, JDK_JAVA_OPTIONS and JAVA_TOOL_OPTIONS lose to it; only "true", in any case, counts as true."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator

PROPERTY = "com.cloudbees.analytics.gatherer.Sender.disabled"
OPTION = "-D" + PROPERTY
BOOTSTRAP = "org.apache.catalina.startup.Bootstrap"  # what a Tomcat's JVM runs in place of -jar

# Stands for text that only a running shell knows. The name of the variable is between the two marks.
UNKNOWN_OPEN, UNKNOWN_CLOSE = "\x01", "\x02"

# Answers of this module: the flag is true, is something else than true, is absent, or cannot be known.
TRUE, FALSE, ABSENT, UNKNOWN = "true", "false", "absent", "unknown"

WAR = re.compile(r"(^|/)(cloudbees-core-(oc|cm)|jenkins[\w.-]*|[\w.-]*cloudbees[\w.-]*)\.war$")


class _Looked(threading.local):
    """What is looked for, in this thread: the flag, or another switch for a while."""

    option = OPTION
    off = "true"


_looked = _Looked()


@contextlib.contextmanager
def looking_for(name: str, off: str) -> Iterator[None]:
    """Another property than the flag. TRUE then means: it has the value with which nothing is sent."""
    before = _looked.option, _looked.off
    _looked.option, _looked.off = f"-D{name}", off
    try:
        yield
    finally:
        _looked.option, _looked.off = before


def of_value(value: str) -> str:
    """A word that is neither of the two turns nothing off where "true" does; else nobody knows what its reader makes of
    it."""
    if value.lower() == _looked.off:
        return TRUE
    return FALSE if _looked.off == "true" or value.lower() == "true" else UNKNOWN


def unknown_name(text: str) -> str:
    found = re.search(UNKNOWN_OPEN + "([^\x02]*)" + UNKNOWN_CLOSE, text)
    return found.group(1) if found else ""


def of_option(token: str) -> str | None:
    """TRUE/FALSE/UNKNOWN where the token is our option or might be it, else None."""
    option = _looked.option
    if token == option:
        return of_value("")
    if token.startswith(option + "="):
        value = token[len(option) + 1 :]
        return UNKNOWN if UNKNOWN_OPEN in value else of_value(value)
    if UNKNOWN_OPEN in token:
        head = token.split(UNKNOWN_OPEN, 1)[0]
        # "-Dfile=$X" cannot become our option, "$X" and "-D$X" can.
        return UNKNOWN if option.startswith(head) or head.startswith(option) else None
    if token.startswith("@") and len(token) > 1:
        return UNKNOWN
    return None


def of_tokens(tokens: list[str]) -> tuple[str, str]:
    """(answer, why it is unknown) for JVM options up to the war or Tomcat's class; the last mention counts."""
    answer, why = ABSENT, ""
    after_jar = False
    for token in tokens:
        if after_jar and not token.startswith("-") or token == BOOTSTRAP:
            break
        if token == "-jar":
            after_jar = True
            continue
        found = of_option(token)
        if found is not None:
            answer = found
            why = ""
            if found == UNKNOWN:
                name = unknown_name(token)
                why = (
                    f"the value of ${name} is known only to the shell"
                    if name
                    else "an @argument file is in the way"
                    if token.startswith("@")
                    else "its value is neither true nor false"
                )
    return answer, why


def split_environment(text: str) -> list[str]:
    """Tokens of a *_JAVA_OPTIONS variable: blanks separate, both kinds of quotes group."""
    tokens, current, quote, begun = [], "", "", False
    for char in text:
        if quote:
            if char == quote:
                quote = ""
            else:
                current += char
        elif char in "\"'":
            quote, begun = char, True
        elif char.isspace():
            if current or begun:
                tokens.append(current)
            current, begun = "", False
        else:
            current += char
    if current or begun:
        tokens.append(current)
    return tokens


def in_effect(arguments: list[str], environment: dict[str, str]) -> tuple[str, str, str]:
    """(answer, layer that decides, why unknown) from JVM arguments and the three variables."""
    layers = [
        ("_JAVA_OPTIONS", of_tokens(split_environment(environment.get("_JAVA_OPTIONS", "")))),
        ("the command line", of_tokens(arguments)),
        ("JDK_JAVA_OPTIONS", of_tokens(split_environment(environment.get("JDK_JAVA_OPTIONS", "")))),
        ("JAVA_TOOL_OPTIONS", of_tokens(split_environment(environment.get("JAVA_TOOL_OPTIONS", "")))),
    ]
    for layer, (answer, why) in layers:
        if answer != ABSENT:
            return answer, layer, why
    return ABSENT, "", ""
