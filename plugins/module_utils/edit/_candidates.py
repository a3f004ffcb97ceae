# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans the edit that puts the telemetry flag into a launch file, or takes it out, and proves it in memory.

Every candidate is read again by the same reader; it counts only where the JVM's option vector differs by
the flag alone and the verdict is the wanted one. Nothing is written here. Private to this collection.
Python 3.6+, standard library only.
"""

import re
from itertools import islice
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

from ..host._files import ADMIN_PATH, OWN_DROP_IN, OWN_DROP_INS, HostFiles
from ..java._jvm import CONTRARY, FLAG, TELEMETRY, WEAKER_ENVIRONMENT
from ..launch._declarations import related_files
from ..launch._definition import Definition, seen_by
from ..launch._environment import Variable, parse_environment_file
from ..launch._live import (
    KNOWN_VARIABLES,
    LIMIT_TRYING,
    MAIN,
    Live,
    append_assignment,
    assigned_in,
    live_of,
    lives_of,
    same_vectors,
    shell_append,
)
from ..launch._outcome import DISABLED, ENABLED, Found, Outcome, judged_again, outcome, unresolved
from ..launch._starters import starter_of
from ..launch._systemd import UnitFiles
from ..launch._unit import Unit, build
from ..launch._unit_syntax import settings_of
from ..shell._nodes import Assignment, Word
from ..shell._read import assignments
from ..text._characters import EMPTY, Run, Value
from ..text._value import Unresolvable, line_of
from ._backups import kept_at
from ._writing import Refused

MARK = "# cbops.telemetry: keeps the value above and adds the flag"
_WHOLE_VALUE = re.compile(r"(?:^|[\s;&|()])[A-Za-z_][A-Za-z0-9_]*\+?=\Z")  # then the quotes are the user's own
_ESCAPED_QUOTE = re.compile(r"(?<!\\)\\(?:\\\\)*[\"']\Z")
#: What the tokenizer of units takes for one character.
_ESCAPE = re.compile(r"\\(?:x[0-9a-fA-F]{2}|[0-3][0-7]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)
#: An option with a value in quotes of its own, or in a variable.
_QUOTED_MENTION = r"%s=(?:(\\*[\"'])[^\s\"'\\]*\1|\$\{?\w+\}?)"
_TOOL_OPTIONS = WEAKER_ENVIRONMENT[0]
_LIMIT_ROUNDS = 8
_LIMIT_CANDIDATES = 200

Candidates = Dict[str, Optional[str]]


class Plan(NamedTuple):
    """Files to write: path -> (content now or None, content then or None)."""

    files: Dict[str, Tuple[Optional[str], Optional[str]]]
    after: Outcome


def plan(
    definition: Definition, files: HostFiles, before: Outcome, live: Optional[Live], desired: str, backup: bool = False
) -> Plan:
    """What to write so that the next start has telemetry ``disabled`` or ``enabled``.

    With ``backup`` a copy of each old file will be kept: it counts among the files that the edit makes, as a launcher
    may read whatever it likes. Raises :class:`Refused` where no edit is safe; the message names file and reason.
    """
    moved = _moved(definition, files)
    if moved:
        view = files.with_candidates(moved)
        then = reload_definition(definition, view)
        now = evaluate(then, view)
        inner = plan(then, view, now, live_of(then, view, now), desired, backup)
        moved.update({path: new for path, (_old, new) in inner.files.items()})
        there = {path: files.read(path) if files.exists(path) else None for path in moved}
        return Plan({path: (there[path], new) for path, new in moved.items() if new != there[path]}, inner.after)
    if before.verdict == desired:
        return Plan({}, before)
    seen_by(definition, files)  # from here on it is known what in a service's own root is a package's
    # An option behind an unknown part decides all the same; one way that lacks the flag is made like the others.
    # A variable can be given a value in both directions.
    may_be_made = desired == DISABLED or definition.switch.environment
    if before.verdict not in (DISABLED, ENABLED) and not (may_be_made and before.walk and before.vectors):
        where = "%s:%s: " % (before.path, before.line) if before.line else ("%s: " % before.path if before.path else "")
        raise Refused(
            "%s: its launch configuration cannot be resolved, so nothing is edited: %s%s; %s"
            % (definition.name, where, before.reason, _by_hand(definition, files, before, live, desired))
        )
    if definition.switch.environment:
        from ._variables import choices as of_variable  # few have one that is policy

        def evaluated(view: HostFiles) -> Outcome:
            return evaluate(definition, view)

        choices = of_variable(
            definition, files, before, live, desired, evaluated, lambda after: same_vectors(before, after), is_own
        )
    elif desired == DISABLED:
        choices = _disabling(definition, files, before, live)
    else:
        choices = _enabling(definition, files, before)
    until = files.work[0] + LIMIT_TRYING
    for count, candidates in enumerate(choices):
        if count >= _LIMIT_CANDIDATES or files.work[0] >= until:
            break
        changed = {
            path: content
            for path, content in candidates.items()
            if content != (files.read(path) if files.exists(path) else None)
        }
        if not changed or not all(map(files.may_be_edited, changed)):
            continue
        written = dict(changed)
        if backup:
            for path in changed:
                copy, record = kept_at(files, path)
                written.update({record: "{}\n"})
                if files.exists(path):
                    written[copy] = files.read(path)
        after = evaluate(definition, files.with_candidates(written))
        if after.verdict == desired and same_vectors(before, after):
            return Plan(
                {
                    path: (files.read(path) if files.exists(path) else None, content)
                    for path, content in changed.items()
                },
                after,
            )
    last = before.mentions[-1] if before.mentions else None
    if last is not None and last.path is not None and not files.may_be_edited(last.path):
        raise Refused(
            "%s: %s in %s decides, and that file is not edited here (it belongs to a package or to the whole "
            "machine); %s"
            % (definition.name, last.layer, last.path, _by_hand(definition, files, before, live, desired))
        )
    raise Refused(
        "%s: no edit was found that changes %s alone, so nothing is edited (%s)%s; %s"
        % (
            definition.name,
            "the flag" if definition.switch == TELEMETRY else definition.switch.key,
            "live file: %s" % live.path if live is not None else "no live launch file is known",
            ": %s" % before.reason if before.reason else "",
            _by_hand(definition, files, before, live, desired, True),
        )
    )


def _by_hand(
    definition: Definition, files: HostFiles, before: Outcome, live: Optional[Live], desired: str, tried: bool = False
) -> str:
    """What a person should write, and where: one line, without anything of what stands there."""
    switch, flag = definition.switch, definition.switch.option
    if switch.environment:
        from ._variables import by_hand

        return by_hand(definition, files, before, live, desired, tried)
    if desired == ENABLED and switch.variable:
        if judged_again(before, switch._replace(name="\0"), files).verdict == DISABLED:  # whatever the options say
            return "by hand: take %s=false out of the environment" % switch.variable
    deciding = [mention for mention in before.mentions if switch.turns_off(mention.value) or desired == DISABLED]
    if desired == ENABLED or (deciding and not switch.turns_off(deciding[-1].value)):
        last = deciding[-1] if deciding else None
        place = last.path if last is not None and last.path else "the launch file"
        if last is not None and last.path and last.length:
            place += ":%d" % line_of(files.read(last.path), last.position)
        return "by hand: %s in %s" % ("take out %s" % flag if desired == ENABLED else "write %s" % flag, place)
    if live is not None and live.variable is not None:
        if live.reader == "shell":
            return "by hand, as the last line of %s: %s" % (live.path, shell_append(live.variable, flag, live.array))
        return "by hand, at the end of the value of %s in %s: %s" % (live.variable, live.path, flag)
    read = before.walk.names if before.walk is not None else ()
    variable = next((name for name in KNOWN_VARIABLES if name in read), None)
    named = [
        path
        for path in related_files(definition, before, files)
        if files.may_be_edited(path) and path.startswith(("/etc/default/", "/etc/sysconfig/")) and files.exists(path)
    ]
    if live is None and variable is not None and named:
        array = assigned_in(files, files.read(named[0]), named[0]).get(variable, False)
        return "by hand, as the last line of %s: %s" % (named[0], shell_append(variable, flag, array))
    followed = before.walk.followed if before.walk is not None else ()
    program = definition.program[0].text if definition.program else ""
    path = live.path if live is not None else next(filter(files.may_be_edited, reversed(followed)), before.path) or ""
    start = definition.start
    if not path and start is not None and not named:
        return "by hand: %s (%s)" % (start.advice, flag)  # its program is a shell, or stands there too
    path = path or program or definition.name
    if live is None and named and not files.may_be_edited(path):
        return "by hand, in %s, among the options of the JVM: %s" % (named[0], flag)
    if definition.unit is not None and not files.may_be_edited(path):
        return "by hand, in the command of the unit (systemctl edit --full %s), before -jar: %s" % (
            definition.unit.name,
            flag,
        )
    return "by hand, in %s, among the words of java before -jar: %s" % (path, flag)


def evaluate(definition: Definition, files: HostFiles) -> Outcome:
    """The outcome with the files as they are in this view, unit and drop-ins read again."""
    try:
        return outcome(reload_definition(definition, files), files)
    except Unresolvable as error:
        return unresolved(error)


def reload_definition(definition: Definition, files: HostFiles) -> Definition:
    """The same installation with what starts it as the files define it now."""
    found = starter_of(definition).again(definition, files)
    if found is None:
        raise Refused("%s: its unit is gone" % definition.name)
    return found._replace(switch=definition.switch)


# -- disabled: put the flag in ----------------------------------------------------------------------


def _disabling(definition: Definition, files: HostFiles, before: Outcome, live: Optional[Live]) -> Iterator[Candidates]:
    flag = definition.switch.option
    # 1. A mention with another value decides: give it the right one.
    for mention in reversed(before.mentions):
        # A value with blanks is the work of quotes that hold several options together: none of them may be lost.
        if (
            mention.path
            and mention.length
            and not definition.switch.turns_off(mention.value)
            and files.may_be_edited(mention.path)
            and not re.search(r"\s", mention.value)
        ):
            content = files.read(mention.path)
            yield {mention.path: content[: mention.position] + flag + content[mention.position + mention.length :]}
    last = before.mentions[-1] if before.mentions else None
    if last is not None and last.path is not None and last.length and not files.may_be_edited(last.path):
        override = _override(definition, files, last, flag)
        if override is not None:
            yield override
    if live is not None:
        yield from _into(definition, files, live)
        for other in lives_of(definition, files, before):
            if other != live:
                yield from _into(definition, files, other)
    # Last, for a unit: the JVM itself reads this variable. It is weaker than any argument.
    if definition.unit is not None and _TOOL_OPTIONS not in definition.environment:
        yield _own(definition.unit.name, files, _TOOL_OPTIONS, flag, None, flag)


def _into(definition: Definition, files: HostFiles, live: Live) -> Iterator[Candidates]:
    """The flag in a live launch file."""
    flag = definition.switch.option
    if live.reader == "shell" and live.variable is not None:
        content = files.read(live.path)
        # 2. In place, in the assignment that counts (the last one that the reader accepts).
        for assignment in reversed(assignments(files, content, live.path)):
            if assignment.name == live.variable:
                edited = _into_assignment(content, assignment, flag)
                if edited is not None:
                    yield {live.path: edited}
        # 3. One more assignment that keeps what was there.
        yield {live.path: append_assignment(content, shell_append(live.variable, flag, live.array) + "  " + MARK)}
    elif live.reader == "command line":
        content = files.read(live.path)
        positions = list(islice(_command_positions(content), _LIMIT_CANDIDATES))
        for position in positions:
            yield {live.path: content[:position] + " " + flag + content[position:]}
        # A script that starts the JVM in several places needs it in each.
        for position in positions:
            content = content[:position] + " " + flag + content[position:]
        yield {live.path: content}
    elif live.reader == "EnvironmentFile" and live.variable is not None:
        yield from _into_environment_file(files, live, flag)
    elif live.reader == "Environment" and live.variable is not None:
        yield from _into_unit(definition, files, live)


def _into_assignment(content: str, assignment: Assignment, flag: str) -> Optional[str]:
    """The text with the flag at the end of an assignment's value, inside its quotes."""
    if assignment.array is not None:
        if assignment.array:
            position = assignment.array[-1].end
            return content[:position] + " " + flag + content[position:]
        position = content.index("(", assignment.value_start) + 1
        return content[:position] + flag + content[position:]
    word = assignment.word
    if word is None or assignment.element is not None:
        return None
    return _into_word(content, word, flag)


def _into_word(content: str, word: Word, flag: str) -> str:
    raw = content[word.start : word.end]
    if not raw:
        return content[: word.end] + flag + content[word.end :]
    last = word.parts[-1] if word.parts else None
    escaped = raw[-1] == '"' and _ESCAPED_QUOTE.search(raw) is not None
    if raw[-1] in "\"'" and last is not None and last.quoted and not escaped:
        blank = "" if raw in ('""', "''", "$''", '$""') else " "
        return content[: word.end - 1] + blank + flag + content[word.end - 1 :]
    # Unquoted: the shell joins it with a quoted piece, and taking that out gives back the same bytes.
    return '%s" %s"%s' % (content[: word.end], flag, content[word.end :])


def _command_positions(content: str) -> Iterator[int]:
    """Ends of the words before ``-jar`` or Tomcat's class, last command first: there an option can be put in."""
    for match in reversed(list(MAIN.finditer(content))):
        position = match.start()
        if (
            content[match.end() : match.end() + 1] == content[position - 1 : position]
            and content[position - 1] in "\"'"
        ):
            position -= 1  # the word is in quotes of its own
        while True:
            while content.endswith((" ", "\t"), 0, position):
                position -= 1
            if not content.endswith("\\\n", 0, position):
                break
            position -= len("\\\n")
            line = content.rfind("\n", 0, position) + 1
            if content[line:position].lstrip().startswith(("#", ";")):
                position = line  # a comment of systemd's amid a command
        if not content.endswith("\\\r\n", 0, position):
            yield position


def _into_environment_file(files: HostFiles, live: Live, flag: str) -> Iterator[Candidates]:
    content = files.read(live.path)
    last: Optional[Variable] = None
    for name, variable in parse_environment_file(content, live.path):
        if name == live.variable:
            last = variable
    if last is None:
        yield {live.path: append_assignment(content, '%s="%s"' % (live.variable, flag))}
        return
    runs = [run for run in last.value if run.path is not None and run.text]
    if not runs:
        end = content.index("=", last.position) + 1
        places = [end, end + 1]
        if content[end : end + 2] in ('""', "''"):
            places.reverse()  # before quotes it would do, too, but they would be part of the value then
        for end in places:
            yield {live.path: content[:end] + flag + content[end:]}
        return
    end = runs[-1].position + len(runs[-1].text)
    yield {live.path: content[:end] + " " + flag + content[end:]}


def _into_unit(definition: Definition, files: HostFiles, live: Live) -> Iterator[Candidates]:
    if live.variable is None or definition.unit is None:
        return
    flag = definition.switch.option
    variable = definition.unit.environment.get(live.variable)
    if variable is not None and variable.path.startswith(ADMIN_PATH):
        content = files.read(variable.path)
        runs = [run for run in variable.value if run.path == variable.path and (run.text or run.unknown)]
        if runs:
            end = _end_in_unit(runs[-1], content)
            if content[end : end + 1] in ('"', "'"):
                yield {variable.path: content[:end] + " " + flag + content[end:]}
            yield {variable.path: '%s" %s"%s' % (content[:end], flag, content[end:])}
        else:
            name = content.index(live.variable + "=", variable.position) + len(live.variable) + 1
            yield {variable.path: content[:name] + flag + content[name:]}
    merged = (variable.value.text + " " if variable is not None and variable.value.text else "") + flag
    yield _own(
        definition.unit.name, files, live.variable, merged, variable.path if variable is not None else None, flag
    )


def _end_in_unit(run: Run, content: str) -> int:
    """Where a run of a value ends in its unit file: an escape and a specifier are longer than what they stand for."""
    escape = _ESCAPE.match(content, run.position)
    if escape is not None:
        return escape.end()
    return run.position + (len(run.text) if run.text and content.startswith(run.text, run.position) else 1)


def _own(unit: str, files: HostFiles, variable: str, value: str, origin: Optional[str], flag: str) -> Candidates:
    """Our own drop-in with this value; what it holds already stays."""
    path = own_drop_in(unit)
    text = drop_in_text(variable, value, origin, flag)
    if files.exists(path):
        text = append_assignment(files.read(path), text.rstrip("\n").rpartition("\n")[2])
    return {path: text}


def _override(definition: Definition, files: HostFiles, mention: Found, word: str) -> Optional[Candidates]:
    """Our own drop-in with the value of a package's unit in which ``word`` stands for a mention of the flag."""
    for name, variable in definition.unit.environment.items() if definition.unit is not None else ():
        start = variable.value.number_at(mention.path, mention.position)
        if variable.reader == "Environment" and start is not None and definition.unit is not None:
            text = variable.value.text
            before, after = text[:start], text[start + mention.length :]
            if not word:
                before, after = before.rstrip(" "), after if before.strip(" ") else after.lstrip(" ")
            return _own(
                definition.unit.name, files, name, before + word + after, variable.path, definition.switch.option
            )
    return None


def own_drop_in(unit: str) -> str:
    """Path of the drop-in that this collection writes for a unit."""
    return "%s%s.d/%s" % (ADMIN_PATH, unit, OWN_DROP_IN)


def own_drop_ins_of(unit: str) -> List[str]:
    """Paths of our drop-in for a unit: what it is called now, and before."""
    return ["%s%s.d/%s" % (ADMIN_PATH, unit, name) for name in OWN_DROP_INS]


def _moved(definition: Definition, files: HostFiles) -> Candidates:
    """Our drop-in with its former name moved to its present one, or taken out where it did not count any more.

    Nothing where there is none, where it holds more than we write, or where the unit would get another environment.
    """
    if definition.unit is None:
        return {}
    own, former = own_drop_ins_of(definition.unit.name)
    units = UnitFiles(files)
    try:
        if former not in units.drop_ins(definition.unit.name):
            return {}
        content = files.read(former)
        if not is_own(content):
            return {}
        now = units.load(definition.unit.name)
        choices: List[Candidates] = [{own: content, former: None}, {former: None}]
        for choice in choices:
            then = UnitFiles(files.with_candidates(choice)).load(definition.unit.name)
            if (
                now is not None
                and then is not None
                and not (own in choice and files.exists(own))
                and _values(now) == _values(then)
            ):
                return choice
    except (Unresolvable, OSError):
        pass  # planning says why
    return {}


def _values(unit: Unit) -> Dict[str, str]:
    return {name: variable.value.text for name, variable in unit.environment.items()}


def drop_in_text(variable: str, value: str, origin: Optional[str], flag: str = FLAG) -> str:
    """Content of our own drop-in: the whole value, since systemd replaces and never appends."""
    kept = "repeats the value of %s, because a later assignment replaces it whole, and" % origin if origin else "only"
    name = "the telemetry flag" if flag == FLAG else flag.partition("=")[0]
    does = 'adds %s.\n# "state: enabled" removes it again.' % name if flag in value else ("leaves %s out." % name)
    return "# Written by the Ansible collection cbops.telemetry: it %s %s\n[Service]\nEnvironment=%s\n" % (
        kept,
        does,
        quoted_assignment("%s=%s" % (variable, value)),
    )


def quoted_assignment(text: str) -> str:
    """A whole ``Environment=`` assignment in quotes, with what is special to systemd escaped."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return '"%s"' % escaped.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")


#: A line of our own drop-in, as we write it: no other setting, nothing that an older systemd takes for one (.include),
#: no character that it takes for the end of a line, no line that goes on in the next.
_OWN_LINE = re.compile(
    r"(?:#(?:[^\x00-\x1f\x7f]*[^\x00-\x1f\x7f\\])?|\[Service\]"
    r'|Environment="(?:[^\x00-\x1f\x7f"\\]|\\["\\nrt])*")?\Z'
)
_MENTION = re.compile(r"(?<![^\s\"'])%s(?:=[A-Za-z]{0,5})?(?![^\s\"'])" % re.escape(FLAG.rpartition("=")[0]))


def why_not_ours(files: HostFiles, unit: str, path: str) -> Optional[str]:
    """Why our own drop-in may hold more than we write, None where it does not.

    It says what we write where each variable in it has the value that it has without it, the flag apart. A drop-in that
    somebody else could write is not made root's before that is known: it may hold ``ExecStartPre=+``.
    """
    content = files.read(path)
    for number, line in enumerate(content.split("\n"), 1):
        if not _OWN_LINE.match(line):
            return "line %d is not one that this collection writes" % number
    below = UnitFiles(files.with_candidates({path: None})).load(unit)
    if below is None:
        return "there is no %s" % unit
    for name, variable in build(unit, path, (), settings_of(files, content, path), files).environment.items():
        under = below.environment.get(name)
        if variable.value.unknown() or (under is not None and under.value.unknown()):
            return "the value of %s is not known" % name
        if _without_flag(variable.value) != _without_flag(under.value if under is not None else EMPTY):
            return "it gives %s another value than %s" % (name, under.path if under is not None else "none")
    return None


def _without_flag(value: Value) -> List[str]:
    return _MENTION.sub("", value.text).split()


# -- enabled: take the flag out ---------------------------------------------------------------------


def _enabling(definition: Definition, files: HostFiles, before: Outcome) -> Iterator[Candidates]:
    candidates: Candidates = {}
    outcome_now = before
    for _round in range(_LIMIT_ROUNDS):
        view = files.with_candidates(candidates)
        step = _without_last(definition, view, outcome_now)
        if step is None:
            return
        candidates.update(step)
        yield dict(candidates)
        outcome_now = evaluate(definition, files.with_candidates(candidates))


def is_own(content: str) -> bool:
    """Whether a drop-in has no line but such as we write: then it may go as a whole."""
    return all(map(_OWN_LINE.match, content.split("\n")))


def _holds_no_other(files: HostFiles, path: str) -> bool:
    """Whether our drop-in sets nothing but options: a variable that is a switch itself has another policy."""
    try:
        content = files.read(path)
    except OSError:
        return False
    lines = [line for line in content.split("\n") if line.startswith("Environment=")]
    return is_own(content) and all("-D" in line or line.rstrip('"').endswith("=") for line in lines)


def _without_last(definition: Definition, files: HostFiles, now: Outcome) -> Optional[Candidates]:  # noqa: C901 -- each way out of a text is a case of its own, in the order in which they are tried
    """Take out the mention that counts now."""
    switch = definition.switch
    live = [mention for mention in now.mentions if switch.turns_off(mention.value)]
    if not live:
        return None
    mention = live[-1]
    if mention.path is not None and mention.length and not files.may_be_edited(mention.path):
        override = _override(definition, files, mention, "")
        if override is not None:
            return override
    if mention.path is None or not files.may_be_edited(mention.path):
        raise Refused(
            "%s: the flag comes from %s, which is not edited here; %s"
            % (definition.name, mention.path or mention.layer, _by_hand(definition, files, now, None, ENABLED))
        )
    content = files.read(mention.path)
    length = mention.length
    if not length:
        quoted = re.compile(_QUOTED_MENTION % re.escape("-D" + switch.name)).match(content, mention.position)
        if quoted is None:
            raise Refused(
                "%s: the flag is put together of several pieces in %s, so nothing is edited; %s"
                % (definition.name, mention.path, _by_hand(definition, files, now, None, ENABLED))
            )
        length = quoted.end() - quoted.start()
    if definition.unit is not None and mention.path == own_drop_in(definition.unit.name):
        without: Candidates = {mention.path: None}
        if _holds_no_other(files, mention.path) and same_vectors(
            now, evaluate(definition, files.with_candidates(without))
        ):
            return without
    start, end = mention.position, mention.position + length
    line_start = content.rfind("\n", 0, start) + 1
    line_end = content.find("\n", end)
    line_end = len(content) if line_end < 0 else line_end
    if content[line_start:line_end].rstrip("\r").endswith(MARK):
        head = content[:line_start]
        rest = (
            head + content[line_end + 1 :] if line_end < len(content) else head[: -2 if head.endswith("\r\n") else -1]
        )
        line: Candidates = {mention.path: rest}
        # Another property may have been put into our line since.
        if same_vectors(now, evaluate(definition, files.with_candidates(line))):
            return line
    before, after = content[:start], content[end:]
    if (
        before.endswith('" ')
        and after.startswith('"')
        and (before[-3:-2] not in ("", " ", "\t", "\\", '"') or _ESCAPED_QUOTE.search(before[:-2]))
        and _WHOLE_VALUE.search(before[:-2]) is None
    ):
        joined = before[:-2] + after[1:]
        if same_vectors(now, evaluate(definition, files.with_candidates({mention.path: joined}))):
            return {mention.path: joined}
    if re.search(r"(?<!\\)(?:\\\\)*\\ \Z", before):
        before = before[:-2]  # a blank that a backslash quotes
    elif before.endswith(" "):
        before = before[:-1]
    elif before[-1:] in ('"', "'") and after[:1] == before[-1:]:
        # The quotes hold nothing else. What stays of them may be an empty word, which is an argument.
        inner: Candidates = {mention.path: before + after}
        outside = before[:-2] if before.endswith("$'") else before[:-1]
        outside = outside[:-1] if outside.endswith(" ") else outside
        whole: Candidates = {mention.path: outside + after[1:]}
        if not same_vectors(now, evaluate(definition, files.with_candidates(inner))) and same_vectors(
            now, evaluate(definition, files.with_candidates(whole))
        ):
            return whole
    plain: Candidates = {mention.path: before + after}
    if line_end < len(content) and not (content[line_start:start] + content[end:line_end]).strip():
        # An empty line that stays may be an option, too.
        alone: Candidates = {mention.path: content[:line_start] + content[line_end + 1 :]}
        if not same_vectors(now, evaluate(definition, files.with_candidates(plain))) and same_vectors(
            now, evaluate(definition, files.with_candidates(alone))
        ):
            return alone
    return plain


# -- what people see --------------------------------------------------------------------------------


def describe_mended(path: str, before: str, after: str) -> Dict[str, str]:
    """A diff of whose a file is."""
    return {"before_header": path, "after_header": path, "before": before + "\n", "after": after + "\n"}


def describe_moved(path: str, to: str) -> Dict[str, str]:
    """A diff of a backup that is moved away."""
    return {
        "before_header": path,
        "after_header": "%s (moved)" % to,
        "before": "a backup of an earlier version\n",
        "after": "",
    }


def describe(path: str, old: Optional[str], new: Optional[str], flag: str = FLAG) -> Dict[str, str]:
    """A diff that shows where an option comes or goes and nothing else of the file (values can be secret)."""
    return {
        "before_header": path,
        "after_header": path if new is not None else "%s (removed)" % path,
        "before": _redacted(old, flag),
        "after": _redacted(new, flag),
    }


def _redacted(content: Optional[str], flag: str) -> str:
    if content is None:
        return ""
    lines = []
    name = re.escape(flag.rpartition("=")[0])
    told = (
        name + r"(?![\w.-])(?:=[A-Za-z]{0,5})?"
        if flag.startswith("-D")
        else r"(?i)(?<![\w.-])%s=(?:(?:%s)(?![^\s\"';)]))?" % (name, "|".join(CONTRARY))
    )
    for match in re.finditer(told, content):
        lines.append("line %d: ... %s ...\n" % (line_of(content, match.start()), match.group(0)))
    return "".join(lines)
