"""What a JVM makes of its options, as far as one flag is concerned: last -D wins, _JAVA_OPTIONS beats the
command line, JDK_JAVA_OPTIONS and JAVA_TOOL_OPTIONS lose to it; only "true", in any case, counts as true."""

from __future__ import annotations

import re

PROPERTY = "com.cloudbees.analytics.gatherer.Sender.disabled"
OPTION = "-D" + PROPERTY
BOOTSTRAP = "org.apache.catalina.startup.Bootstrap"  # what a Tomcat's JVM runs in place of -jar

# Stands for text that only a running shell knows. The name of the variable is between the two marks.
UNKNOWN_OPEN, UNKNOWN_CLOSE = "\x01", "\x02"

# Answers of this module: the flag is true, is something else than true, is absent, or cannot be known.
TRUE, FALSE, ABSENT, UNKNOWN = "true", "false", "absent", "unknown"

WAR = re.compile(r"(^|/)(cloudbees-core-(oc|cm)|jenkins[\w.-]*|[\w.-]*cloudbees[\w.-]*)\.war$")


def unknown_name(text: str) -> str:
    found = re.search(UNKNOWN_OPEN + "([^\x02]*)" + UNKNOWN_CLOSE, text)
    return found.group(1) if found else ""


def of_option(token: str) -> str | None:
    """TRUE/FALSE/UNKNOWN where the token is our option or might be it, else None."""
    if token == OPTION:
        return FALSE
    if token.startswith(OPTION + "="):
        value = token[len(OPTION) + 1 :]
        if UNKNOWN_OPEN in value:
            return UNKNOWN
        return TRUE if value.lower() == "true" else FALSE
    if UNKNOWN_OPEN in token:
        head = token.split(UNKNOWN_OPEN, 1)[0]
        # "-Dfile=$X" cannot become our option, "$X" and "-D$X" can.
        return UNKNOWN if OPTION.startswith(head) or head.startswith(OPTION) else None
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
                why = f"the value of ${name} is known only to the shell" if name else "an @argument file is in the way"
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
