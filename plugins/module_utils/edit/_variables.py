# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a variable of the environment may be set for the next start, or be taken out, and what a person writes else.

These are candidates only: :mod:`_candidates` reads each again, and takes the first that changes nothing else. Private
to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

import re
from typing import Callable, Dict, Iterator, List, Optional, Tuple

from ..host._files import ADMIN_PATH, OWN_DROP_IN, HostFiles
from ..java._jvm import CONTRARY
from ..launch._definition import Definition
from ..launch._live import MAIN, Live, append_assignment
from ..launch._outcome import DISABLED, ENABLED, Found, Outcome
from ..text._value import line_of
from ._writing import Refused

Candidates = Dict[str, Optional[str]]
MARK = "# cbops.telemetry: a switch of the policy"
_LIMIT_ROUNDS = 8
_OPTIONS_OF = r"(?:export[ \t]+|(?:declare|typeset)[ \t]+-x[ \t]+)?"
_QUOTE = r"[\"']?"
#: What would do something else without the word behind it: with none, export prints all the environment.
_NEEDS_MORE = re.compile(
    r"(?:(?:^|[\s;&|({\"'])(?:export|declare|typeset|readonly|local)(?:[ \t]+-\w+)*|&&|\|\|?|!|\\\r?\n)\s*\Z"
)


def choices(
    definition: Definition,
    files: HostFiles,
    before: Outcome,
    live: Optional[Live],
    desired: str,
    evaluated: Callable[[HostFiles], Outcome],
    is_same: Callable[[Outcome], bool],
    is_own: Callable[[str], bool],
) -> Iterator[Candidates]:
    """What might be written; ``evaluated`` reads a view again, ``is_same`` says that it changes nothing else.

    ``is_own`` says of a drop-in's text that it has no line but such as we write. Raises :class:`Refused` where the
    variable has a value that no switch has, which would be lost: a secret may be called anything.
    """
    switch = definition.switch
    for mention in before.mentions:
        if switch.is_other(mention.value):
            raise Refused(
                "%s: %s has a value in %s that is none of %s, so nothing is edited; %s"
                % (
                    definition.name,
                    switch.name,
                    mention.path or mention.layer,
                    ", ".join(CONTRARY),
                    by_hand(definition, files, before, live, desired, False),
                )
            )
    if desired == ENABLED:
        yield from _taken_out(definition, files, before, evaluated, is_same, is_own)
    word = switch.off if desired == DISABLED else CONTRARY[switch.off]
    others = {
        (mention.path or "", mention.position): mention.length
        for mention in before.mentions
        if mention.value != word and _assigned_at(definition, files, mention) is not None
    }
    together: Candidates = {}
    for path, start in sorted(others, reverse=True):  # from the end of a file on: what is before it does not move
        content, end = files.read(path), start + others[path, start]
        yield {path: content[:start] + word + content[end:]}
        content = together.get(path) or content
        together[path] = content[:start] + word + content[end:]
    if len(others) > 1:  # each way through the launch files has its own
        yield together
    for path, reader in _places(definition, files, before, live):
        content = files.read(path)
        if reader == "EnvironmentFile":
            yield {path: append_assignment(content, "%s=%s" % (switch.name, word))}
        elif reader == "shell":
            yield {path: append_assignment(content, "export %s=%s  %s" % (switch.name, word, MARK))}
        else:
            for position in _lines_before(content):
                line = "export %s=%s  %s\n" % (switch.name, word, MARK)
                yield {path: content[:position] + line + content[position:]}
    if definition.unit is not None:
        yield _own(definition.unit.name, files, switch.name, word)
    yield from _before_java(definition, files, before, word)


def by_hand(
    definition: Definition, files: HostFiles, before: Outcome, live: Optional[Live], desired: str, tried: bool
) -> str:
    """What a person should write, and where: one line, without anything of what stands there.

    Where all of it was ``tried`` and does not count, what starts the JVM takes it away again.
    """
    switch = definition.switch
    word = switch.off if desired == DISABLED else CONTRARY[switch.off]
    last = before.mentions[-1] if before.mentions else None
    if last is not None and last.path is not None and last.length:
        try:
            place = "%s:%d" % (last.path, line_of(files.read(last.path), last.position))
        except OSError:
            place = last.path
        return "by hand: set %s to %s in %s, or behind it" % (switch.name, word, place)
    if tried:
        followed = before.walk.followed if before.walk is not None else ()
        return "by hand, in %s, before the word java of its command: env %s=%s" % (
            (followed[-1] if followed else definition.unit and definition.unit.fragment) or definition.name,
            switch.name,
            word,
        )
    path, reader = next(_places(definition, files, before, live), ("", ""))
    if reader == "EnvironmentFile":
        return "by hand, as the last line of %s: %s=%s" % (path, switch.name, word)
    if path:
        return "by hand, in %s, before it starts java: export %s=%s" % (path, switch.name, word)
    if definition.unit is not None:
        return 'by hand, in a drop-in of the unit (systemctl edit %s): Environment="%s=%s"' % (
            definition.unit.name,
            switch.name,
            word,
        )
    return "by hand: set %s=%s in the environment of what starts %s" % (switch.name, word, definition.name)


# -- put in -----------------------------------------------------------------------------------------


def _places(
    definition: Definition, files: HostFiles, before: Outcome, live: Optional[Live]
) -> Iterator[Tuple[str, str]]:
    """Files in which one more assignment may count, the one beside the flag first, each with who reads it."""
    result = before.walk
    if result is None:
        return
    found: List[Tuple[str, str]] = []
    known = definition.unit.environment.get(definition.switch.name) if definition.unit is not None else None
    if known is not None and known.reader == "EnvironmentFile":
        found.append((known.path, known.reader))
    scripts = [path for path in reversed(result.followed) if path != (definition.unit and definition.unit.fragment)]
    if live is not None and live.reader in ("shell", "EnvironmentFile"):
        found.append((live.path, live.reader))
    elif live is not None and live.path in scripts:
        found.append((live.path, "script"))
    stems = {definition.name} | {program.rsplit("/", 1)[-1].rsplit(".", 1)[0] for program in before.programs}
    sourced = list(reversed(result.sourced))
    sourced.sort(key=lambda path: path.rsplit("/", 1)[-1].rsplit(".", 1)[0] not in stems)
    found += [(path, "shell") for path in sourced]
    if definition.unit is None:
        found += [(path, "script") for path in scripts]
    for path, reader in dict.fromkeys(found):
        if files.may_be_edited(path) and files.exists(path):
            yield path, reader


def _lines_before(content: str) -> List[int]:
    """Where a line may come into a script: at its top, and before each line that starts a JVM."""
    top = content.find("\n") + 1 if content.startswith("#!") else 0
    if content.startswith("#!") and not top:
        return []
    found = [top]
    for match in MAIN.finditer(content):
        start = content.rfind("\n", 0, match.start()) + 1
        while content.endswith("\\\n", 0, start):
            start = content.rfind("\n", 0, start - 1) + 1
        found.append(start)
    return list(dict.fromkeys(found))[:20]


def _before_java(definition: Definition, files: HostFiles, before: Outcome, word: str) -> Iterator[Candidates]:
    """The ``env`` program before java, in the variable that names it: a login on the way starts from nothing.

    Only where nothing else uses that variable, such as what stops the service.
    """
    result = before.walk
    if result is None:
        return
    read = [files.read(path) for path in dict.fromkeys(result.followed + result.sourced) if files.exists(path)]
    texts = [re.sub(r"\n.*%s" % re.escape(MARK), "", text) for text in read]  # another variable of ours may be there
    for path in reversed(result.sourced):
        if not files.may_be_edited(path) or not files.exists(path):
            continue
        content = files.read(path)
        for match in re.finditer(
            r"^[ \t]*(?:export[ \t]+)?(\w+)=[\"']?[^\s\"'#]*java[\"']?[ \t\r]*$", content, re.MULTILINE
        ):
            name = match.group(1)
            used = re.compile(r"\$(?:%s\b|\{%s\b)" % (name, name))
            if sum(len(used.findall(text)) for text in texts) == 1:
                line = '%s="env %s=%s $%s"  %s' % (name, definition.switch.name, word, name, MARK)
                yield {path: append_assignment(content, line)}


def _own(unit: str, files: HostFiles, name: str, word: str) -> Candidates:
    """Our own drop-in with the variable; what it holds already stays."""
    path = "%s%s.d/%s" % (ADMIN_PATH, unit, OWN_DROP_IN)
    line = 'Environment="%s=%s"' % (name, word)
    if files.exists(path):
        return {path: append_assignment(files.read(path), line)}
    head = "# Written by the Ansible collection cbops.telemetry: it only sets %s, a switch of the policy." % name
    return {path: "%s\n[Service]\n%s\n" % (head, line)}


# -- take out ---------------------------------------------------------------------------------------


def _assigned_at(definition: Definition, files: HostFiles, mention: Found) -> Optional[Tuple[int, int]]:
    """Where an assignment begins, and its value, that stands there whole and plain in a file which may be edited."""
    if mention.path is None or not mention.length or not files.may_be_edited(mention.path):
        return None
    content = files.read(mention.path)
    if content[mention.position : mention.position + mention.length] != mention.value:
        return None
    head = content[max(0, mention.position - 200) : mention.position]
    match = re.search(r"(?<![\w$.-])%s[ \t]*=[ \t]*%s\Z" % (re.escape(definition.switch.name), _QUOTE), head)
    return None if match is None else (mention.position - len(match.group()), mention.position)


def _taken_out(
    definition: Definition,
    files: HostFiles,
    before: Outcome,
    evaluated: Callable[[HostFiles], Outcome],
    is_same: Callable[[Outcome], bool],
    is_own: Callable[[str], bool],
) -> Iterator[Candidates]:
    """The assignment that counts taken out, and then the one that counts thereafter."""
    done: Candidates = {}
    now = before
    for _round in range(_LIMIT_ROUNDS):
        view = files.with_candidates(done)
        step = None
        for candidate in _without(definition, view, now, is_own):
            after = evaluated(view.with_candidates(candidate))
            if is_same(after) and after.mentions != now.mentions:
                step, now = candidate, after
                break
        if step is None:
            return
        done.update(step)
        yield dict(done)


def _without_line(path: str, content: str, first: int, last: int) -> Candidates:
    if last < len(content):
        return {path: content[:first] + content[last + 1 :]}
    return {path: content[: max(0, first - (2 if content.endswith("\r\n", 0, first) else 1))]}


def _without(
    definition: Definition, files: HostFiles, now: Outcome, is_own: Callable[[str], bool]
) -> Iterator[Candidates]:
    """Ways to take one assignment out of its file."""
    switch = definition.switch
    for mention in reversed(now.mentions):
        place = _assigned_at(definition, files, mention) if switch.turns_off(mention.value) else None
        if place is None or mention.path is None:
            continue
        path, content = mention.path, files.read(mention.path)
        if definition.unit is not None and path == "%s%s.d/%s" % (ADMIN_PATH, definition.unit.name, OWN_DROP_IN):
            if is_own(content):
                yield {path: None}
        first = content.rfind("\n", 0, place[0]) + 1
        last = content.find("\n", place[1])
        last = len(content) if last < 0 else last
        line = content[first:last]
        ours = r"[ \t]*(?:export %s|(\w+)=\"env %s \$\1\")  %s[ \t\r]*\Z"
        told = re.escape("%s=%s" % (switch.name, mention.value))
        if re.match(ours % (told, told, re.escape(MARK)), line):
            yield _without_line(path, content, first, last)
        assignment = r"%s[ \t]*=[ \t]*(%s)%s\1" % (re.escape(switch.name), _QUOTE, re.escape(mention.value))
        whole = r"[ \t]*(?:Environment[ \t]*=[ \t]*)?(%s)%s%s\1[ \t]*;?(?:[ \t]*%s)?[ \t\r]*\Z"
        if (
            re.match(whole % (_QUOTE, _OPTIONS_OF, assignment.replace(r"\1", r"\2"), re.escape(MARK)), line)
            and _NEEDS_MORE.search(content[max(0, first - 200) : first]) is None
        ):
            yield _without_line(path, content, first, last)
            continue
        # One of several words of a line.
        word = re.compile(r"(?:(?<=[\s=])|\A)([\"']?)%s\1(?=[\s;]|\Z)" % assignment.replace(r"\1", r"\2")).search(
            content, max(0, place[0] - 1), last
        )
        if word is not None and word.start() <= place[0] < word.end():
            start, end = word.start(), word.end()
            if _NEEDS_MORE.search(content[max(0, start - 200) : start]) is not None and not re.match(
                r"(?:[ \t]|\\\r?\n)*[A-Za-z_/]", content[end:]
            ):
                continue
            if content[end : end + 1] in (" ", "\t"):
                end += 1
            elif content[start - 1 : start] in (" ", "\t"):
                start -= 1
            yield {path: content[:start] + content[end:]}
