"""Hypothesis strategies that write launch files: every construct seen in the field, in combination with the others."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, Callable

from hypothesis import strategies as st

from .real import PROPERTY

FLAG = f"-D{PROPERTY}=true"
WAR = "/opt/app/jenkins.war"

#: Launchers that source the file: name -> (shells that can be its interpreter, live variable, text).
LAUNCHERS: dict[str, tuple[tuple[str, ...], str, str]] = {
    "split": (("bash", "dash"), "JAVA_OPTS", f'. "@CONFIG@"\njava $JAVA_OPTS -jar {WAR} --httpPort=8080\n'),
    "su -c": (
        ("bash", "dash"),
        "JAVA_ARGS",
        '[ -r @CONFIG@ ] && . @CONFIG@\nNAME=app\nsu -l $NAME --shell=/bin/bash -c "${UMASK:+umask $UMASK;} '
        f'export JENKINS_HOME=/var; setsid java $JAVA_ARGS -jar -Dcb.name=Debian {WAR} </dev/null >/dev/null &"\n',
    ),
    "su -c, dash": (
        ("bash", "dash"),
        "JAVA_ARGS",
        f'. @CONFIG@\nsu app -s /bin/dash -c "exec java $JAVA_ARGS -jar {WAR}"\nexit 0\n',
    ),
    "eval exec": (
        ("dash", "bash"),
        "JAVA_OPTS",
        f'. "@CONFIG@"\nopts="${{JAVA_OPTS}}"\nunset JAVA_OPTS\neval exec "java" ${{opts}} -jar "{WAR}"\n',
    ),
    "catalina": (
        ("dash", "bash"),
        "CATALINA_OPTS",
        'if [ -r "@CONFIG@" ]; then\n  . "@CONFIG@"\nfi\nJAVA_OPTS="$JAVA_OPTS -Djava.util.logging=x"\n'
        f'eval exec "\\"java\\"" $JAVA_OPTS $CATALINA_OPTS -Djava.io.tmpdir="/tmp" \\\n  -jar {WAR} "start"\n',
    ),
    "array": (("bash",), "JENKINS_JAVA_OPTIONS", f'. "@CONFIG@"\njava "${{JENKINS_JAVA_OPTIONS[@]}}" -jar {WAR}\n'),
    "declare -p": (
        ("bash",),
        "JENKINS_JAVA_OPTIONS",
        '[ -f "@CONFIG@" ] && . "@CONFIG@"\nstart() {\n  local opts\n'
        '  case "$(declare -p JENKINS_JAVA_OPTIONS 2>/dev/null)" in\n'
        '    "declare -a"*) opts=("${JENKINS_JAVA_OPTIONS[@]}") ;;\n    *) opts=($JENKINS_JAVA_OPTIONS) ;;\n'
        f'  esac\n  setsid runuser -u app -- java "${{opts[@]}}" -DHOME="$HOME_OF" -jar "{WAR}"\n}}\nstart\n',
    ),
    "strict": (("bash", "dash"), "JAVA_OPTS", f'set -eu\n. "@CONFIG@"\nexec java ${{JAVA_OPTS:-}} -jar {WAR}\n'),
    "in a function": (
        ("bash", "dash"),
        "JAVA_OPTS",
        f'run() {{ java "$@" -jar {WAR} || return 1; }}\nload() {{ . "@CONFIG@"; }}\nload\nrun $JAVA_OPTS\n',
    ),
}
#: The generated file is the launch script itself.
SCRIPT = "script"

PLAIN = ("-Xmx1g", "-Da=b", "-Djava.awt.headless=true", "-XX:+UseG1GC", "-Dp=%p/%t", "-Dport=8080")
#: Words that a reader sees differently according to quoting and evaluation.
ODD = (
    "-Dn=M\xfcller",
    "-Du=\xc3\xbc",
    "-Dsp=two words",
    "-Dq=a'b",
    '-Dq=a"b',
    "-Dg=*",
    "-Dg=[ab]?",
    "-Dt=~",
    "-Dt=~/x:~",
    "-De={a,b}",
    "-De={1..3}",
    "-Db=a\\b",
    "-Dd=$5",
    "-Dd=$HOME_OF",
    "-D#=#",
    "-#x",
    "-Dc=b;c",
    "-Dc=a&c",
    "-Dc=(x)",
    "-Dk=`",
    "-D!=!",
    "-De=",
    "--",
    "-",
    "-Dtab=a\tb",
    "-Dbs=a\\",
    "'-Dq=a b'",
    '"-Dq=a b"',
    "-Dx=${OFF}",
    "-Dn=\\n",
)
VALUES = ("=true", "=TRUE", "=True", "=false", "=yes", "=", "", "=1")
OTHERS = ("OFF", "MEM", "EXTRA")


@dataclass(frozen=True)
class Case:
    """A launch file, who reads it, what is in it, and what in it no static reader can know."""

    launcher: str
    shell: str
    text: str
    constructs: frozenset[str] = frozenset()
    unknown: frozenset[str] = frozenset()
    open: bool = False  # started by hand, from an environment that nobody knows

    @property
    def argument(self) -> str:
        """What the script is started with: a launch script may hand it on to the JVM."""
        return "-Dstarted=by-hand" if self.launcher == SCRIPT else "start"

    @property
    def launcher_text(self) -> str | None:
        """The launcher, None where the file is the launch script itself."""
        if self.launcher == SCRIPT:
            return None
        return f"#!/bin/{self.shell}\n{LAUNCHERS[self.launcher][2]}"


class Writer:
    """Writes one launch file; ``choose(n)`` gives a number below n wherever there is a choice."""

    def __init__(self, choose: Callable[[int], int]) -> None:
        self.choose = choose
        self.constructs: set[str] = set()
        self.unknown: set[str] = set()
        self.launcher = self.pick(*LAUNCHERS, SCRIPT, SCRIPT, SCRIPT, SCRIPT)
        shells, self.live = ("bash", "dash"), "JAVA_OPTS"
        if self.launcher != SCRIPT:
            shells, self.live, _text = LAUNCHERS[self.launcher]
        self.shell = self.pick(*shells)
        # Bash only: mostly not for dash, where it changes what happens.
        self.bash = self.shell == "bash" or self.chance(4)
        self.nesting = 0
        self.functions = 0

    # -- choices ------------------------------------------------------------------------------

    def pick(self, *items: Any) -> Any:
        """One of the items."""
        return items[self.choose(len(items))]

    def chance(self, percent: int) -> bool:
        """True in so many cases of a hundred."""
        return self.choose(100) >= 100 - percent

    def number(self, low: int, high: int) -> int:
        """A number from low to high."""
        return low + self.choose(high - low + 1)

    def note(self, construct: str) -> None:
        """Remember that a construct is in the file."""
        self.constructs.add(construct)

    # -- words --------------------------------------------------------------------------------

    def flag(self) -> str:
        """The flag with some value."""
        value = self.pick(*VALUES) if self.chance(40) else "=true"
        if value != "=true":
            self.note("flag with another value than true")
        return "-D" + PROPERTY + value

    def token(self) -> str:
        """One option, as the JVM is to get it."""
        if self.chance(35):
            return self.flag()
        if self.chance(14):
            self.note("odd characters in a value")
            return str(self.pick(*ODD))
        return str(self.pick(*PLAIN))

    def tokens(self, low: int = 1, high: int = 3) -> list[str]:
        """Some options."""
        return [self.token() for _ in range(self.number(low, high))]

    @staticmethod
    def double(text: str) -> str:
        """The text as it is written inside double quotes."""
        return "".join("\\" + char if char in '\\"$`' else char for char in text)

    @staticmethod
    def bare(text: str) -> str:
        """The text as it is written without quotes."""
        return "".join("\\" + char if char in " \t\\\"'$`;&|()<>*?[]#~{}!" else char for char in text)

    def single(self, text: str) -> str:
        """The text in single quotes."""
        return "'" + text.replace("'", "'\\''") + "'"

    def ansi(self, text: str) -> str:
        """The text in ``$'…'``."""
        self.note("$'...'")
        text = text.replace("\\", "\\\\").replace("'", "\\'").replace("\t", "\\t")
        return "$'" + (text.replace("=", self.pick("=", "\\x3d", "\\075")) if self.chance(30) else text) + "'"

    def variable(self) -> str:
        """A name to refer to."""
        return str(self.pick(*OTHERS, self.live, "UNSET"))

    def reference(self, quoted: bool) -> str:
        """An expansion."""
        name = self.variable()
        if self.chance(55):
            return f"${name}" if self.chance(50) else f"${{{name}}}"
        kind = self.pick(
            "default",
            "default",
            "alternative",
            "strip",
            "echo",
            "positional",
            "special",
            "bash",
            "unknown",
            "assign",
            "arithmetic",
        )
        inner = self.token()
        inner = self.double(inner) if quoted else self.bare(inner)
        inner = inner.replace("}", "\\}")
        if self.chance(15):
            self.note("quotes inside ${...}")
            inner = self.pick(f'"{self.double(self.token())}"', f"'{self.pick(*PLAIN)}'", f'a"b {FLAG}"').replace(
                "}", ""
            )
        elif self.chance(10):
            inner = f"${self.pick(*OTHERS)}"
        if kind in ("default", "alternative", "assign"):
            operator = {"default": (":-", "-"), "alternative": (":+", "+"), "assign": (":=", "=")}[kind]
            self.note("${name:-...} and relatives")
            return f"${{{name}{self.pick(*operator)}{inner}}}"
        if kind == "strip":
            self.note("${name%...}")
            pattern = self.pick(" *", "-*", "*=", "-D?", "*[ ]", "e", '"*"', "\\*", "[!-]*", " -D*", "*true")
            return f"${{{name}{self.pick('%', '%%', '#', '##')}{pattern}}}"
        if kind == "echo":
            self.note("$(echo ...)")
            word = self.pick(*PLAIN, FLAG, "'-Dq=a b'", f'"$OFF" {FLAG}')
            return f"`echo {word}`".replace('"', "") if self.chance(40) else f"$(echo {word})"
        if kind == "positional":
            self.note("positional parameters")
            return str(self.pick("$1", "$2", "${10}", "$10", "$*", "$@", "${1:-x}", "$#"))
        if kind == "special":
            self.unknown.add("state of the shell")
            return "-Dpid=" + str(self.pick("$$", "$?", "$-", "$!", "$0"))
        if kind == "arithmetic":
            self.note("arithmetic")
            return "-Xms" + str(self.pick("$((1+1))", "$(( (2*3) ))")) + "m"
        if kind == "bash" and self.bash:
            self.note("bash expansions")
            expansion = self.pick("/-D/-X", "//true/false", ":0:4", "^^", ",,", "[@]", "[0]", "/%e/x", "@Q")
            return f"${{{name}{expansion}}}"
        self.unknown.add("command substitution")
        self.note("$(cat ...)")
        return "$(cat /dev/null)" if self.chance(70) else "`cat /dev/null`"

    def pieces(self) -> list[tuple[str, bool]]:
        """Options and expansions (text, is an expansion)."""
        found = [(token, False) for token in self.tokens(0, 3)]
        if self.chance(40):
            found.insert(self.number(0, len(found)), ("", True))
        return found

    def value(self) -> str:
        """A right-hand side."""
        style = self.pick("double", "double", "double", "single", "bare", "mixed", "lines", "ansi", "empty")
        pieces = self.pieces()
        if style == "empty":
            return str(self.pick("", '""', "''"))
        if style == "ansi" and self.bash:
            return self.ansi(" ".join(self.tokens()))
        if style == "single":
            self.note("single quotes")
            join = self.pick(" ", " ", " \\\n  ", "\n")
            if join != " ":
                self.note("single quotes over several lines")
            return self.single(join.join(self.tokens()))
        if style == "bare":
            self.note("no quotes")
            return "\\ ".join(self.reference(False) if expansion else self.bare(text) for text, expansion in pieces)
        if style == "mixed":
            self.note("mixed quotes")
            parts = []
            for text, expansion in pieces:
                if expansion:
                    parts.append(self.pick(f'"{self.reference(True)}"', self.reference(False)))
                else:
                    parts.append(self.pick(f'"{self.double(text)}"', self.single(text), self.bare(text)))
            return str(self.pick('" "', "' '", "\\ ")).join(parts)
        join = " "
        if style == "lines":
            join = self.pick(" \\\n    ", "\\\n ", " \\\n", "\n", " \\ \n", "\n\t")
            self.note("continuation lines" if join.strip() == "\\" else "line ends in double quotes")
        texts = [self.reference(True) if expansion else self.double(text) for text, expansion in pieces]
        tail = join if style == "lines" and self.chance(30) else self.pick("", "", "", " ")
        return f'"{join.join(texts)}{tail}"'

    def argument(self) -> str:
        """A word in a command line."""
        if self.chance(25):
            reference = self.reference(False)
            return f'"{reference}"' if self.chance(50) and '"' not in reference else reference
        text = self.token()
        return str(
            self.pick(
                self.bare(text),
                f'"{self.double(text)}"',
                self.single(text),
                text if text.isascii() and not set(text) & set(" \t\"'`;&()\\$") else self.single(text),
            )
        )

    def arguments(self, low: int = 1, high: int = 3) -> str:
        """Words in a command line."""
        return " ".join(self.argument() for _ in range(self.number(low, high)))

    # -- conditions ---------------------------------------------------------------------------

    def condition(self) -> str:
        """A command whose status decides."""
        name = self.variable()
        kind = self.pick("test", "test", "true", "coin", "bracket2", "negated", "both", "arithmetic", "grep")
        if kind == "coin":
            self.unknown.add("condition")
            self.note("unknown condition")
            return str(self.pick("coin", "coin 2>/dev/null", "! coin", "coin -x && true"))
        if kind == "grep":
            self.unknown.add("condition")
            return str(self.pick("grep -q x /dev/null", "echo x | grep -q x", "command -v coin >/dev/null 2>&1"))
        self.note("known condition")
        if kind == "true":
            return str(self.pick("true", "false", ":", "test x"))
        if kind == "bracket2" and self.bash:
            self.note("[[ ... ]]")
            return (
                "[[ "
                + self.pick(
                    f"-n ${name}",
                    f"-z ${name}",
                    f"${name} == *true*",
                    f'${name} = "*"',
                    f"! -n ${name}",
                    f"${name} != -D*",
                    f"-z ${name} || 1 -eq 1",
                    f"${name} =~ true",
                    f"${name}",
                    f"-n ${name} && -z $UNSET",
                    "1 < 2",
                    f"${name} == -D* && ( a = a )",
                )
                + " ]]"
            )
        if kind == "arithmetic" and self.bash:
            self.note("arithmetic")
            return str(self.pick("((1))", "(( 0 ))", "let 1", "((2 > 1))"))
        if kind == "negated":
            return f'! [ -n "${name}" ]'
        if kind == "both":
            return f'[ -n "${name}" ] {self.pick("&&", "||")} {self.pick("true", "false", "[ -z a ]")}'
        return str(
            self.pick(
                f'[ -n "${name}" ]',
                f'[ -z "${name}" ]',
                f'[ "${name}" = "" ]',
                f'[ "x${name}" != x ]',
                f'test -n "${{{name}:-}}"',
                "[ -f /nonexistent ]",
                "[ -d / ]",
                "[ 1 -lt 2 ]",
                f"[ -n ${name} ]",
                f"[ ${name} ]",
                '[ "$1" = start ]',
                "[ $# -gt 0 ]",
                f'[ "{name}" == {name} ]',
                f'[ -n "${name}" -a 1 = 1 ]',
                f'[ ! -z "${name}" ]',
                "[ -e /dev/null ]",
            )
        )

    # -- statements ---------------------------------------------------------------------------

    def block(self, indent: str = "    ") -> str:
        """One or two statements on lines of their own."""
        self.nesting += 1
        lines = [self.statement() for _ in range(self.number(1, 2))]
        self.nesting -= 1
        return "\n".join(indent + line for line in lines) + "\n"

    def statement(self) -> str:
        """One statement; the more usual ones come more often."""
        simple: list[Callable[[], str]] = [
            self.assign,
            self.assign,
            self.assign,
            self.append,
            self.append,
            self.other,
            self.other,
            self.export,
            self.comment,
            self.noise,
            self.document,
            self.environment,
            self.short,
            self.unset,
            self.evaluate,
            self.prefix,
            self.positional,
            self.array,
            self.array,
            self.settings,
            self.declare,
            self.read,
            self.beside,
            self.text_of_a_file,
            self.paths,
        ]
        compound: list[Callable[[], str]] = [self.branch, self.branch, self.case, self.function, self.loop, self.apart]
        if self.nesting < 2 and self.chance(24):
            return str(self.pick(*compound)())
        if self.nesting and self.chance(4):
            self.note("return or exit")
            return str(self.pick("return", "return 0", "exit 0", "return 1"))
        return str(self.pick(*simple)())

    def name(self) -> str:
        """A variable to assign: mostly the live one."""
        return self.live if self.chance(75) else str(self.pick(*OTHERS, "JENKINS_JAVA_OPTIONS", "UMASK_OF"))

    def assign(self) -> str:
        """NAME=value"""
        self.note("assignment")
        tail = self.pick("", "", "", "", " # memory", ";", " ; :")
        return f"{self.name()}={self.value()}{tail}"

    def append(self) -> str:
        """The value once more, with something added."""
        self.note("append")
        name, token = self.name(), self.token()
        forms = [
            f'{name}="${name} {self.double(token)}"',
            f'{name}="${{{name}}} {self.double(token)}"',
            f'{name}="{self.double(token)} ${name}"',
            f"{name}=${name}\\ {self.bare(token)}",
            f'{name}=${name}" {self.double(token)}"',
            f'{name}="${{{name}:+${name} }}{self.double(token)}"',
            f"{name}=\"${name}\"' '{self.single(token)}",
            f'{name}="${name} \\\n  {self.double(token)}"',
        ]
        if self.bash:
            forms += [f'{name}+=" {self.double(token)}"', f"{name}+={self.single(' ' + token)}"]
        text = str(self.pick(*forms))
        if "+=" in text:
            self.note("+=")
        return text

    def other(self) -> str:
        """A variable that others refer to."""
        return f"{self.pick(*OTHERS)}={self.value()}"

    def export(self) -> str:
        """export, in its forms."""
        self.note("export")
        name = self.name()
        return str(
            self.pick(
                f"export {name}",
                f"export {name}={self.value()}",
                f'export "{name}={self.pick(*PLAIN)}"',
                f"{name}={self.value()}; export {name}",
                f"export A=b {name}={self.value()} C",
                f"export -n {name}" if self.bash else f"export {name}",
            )
        )

    def declare(self) -> str:
        """declare, typeset, readonly, local."""
        name = self.name()
        if self.bash:
            self.note("declare")
            return str(
                self.pick(
                    f"declare {name}={self.value()}",
                    f"typeset -x {name}={self.value()}",
                    f"declare -a {name}",
                    f"declare -r X={self.value()}",
                    f"declare -g {name}={self.value()}",
                    f"declare -x {name}",
                    f"declare +x {name}",
                )
            )
        self.note("readonly")
        return str(self.pick(f"readonly X={self.value()}", f"readonly {name}"))

    def array(self) -> str:
        """Arrays; strings for a dash."""
        if not self.bash:
            return self.assign()
        self.note("array")
        name, words = self.name(), self.arguments(0, 3)
        return str(
            self.pick(
                f"{name}=({words})",
                f"{name}=( {words} )",
                f"{name}+=({self.argument()})",
                f"{name}=(\n  {words}\n  # a comment\n)",
                f'{name}=("${{{name}[@]}}" {self.argument()})',
                f"declare -a {name}=({words})",
                f"{name}[0]={self.argument()}",
                f"{name}=(\"{self.double(self.token())}\" '{self.pick(*PLAIN)}')",
                f"{name}+=({words})",
                f"{name}[${{#{name}[@]}}]={self.argument()}",
            )
        )

    def comment(self) -> str:
        """A comment, some with traps in them."""
        self.note("comment")
        return str(
            self.pick(
                f"# {FLAG}",
                f'#{self.live}="{FLAG}"',
                "# it's",
                '# a "quote',
                "# $(",
                "#",
                "# ends in \\",
                f': # {self.live}="x',
                "# if",
            )
        )

    def noise(self) -> str:
        """Commands that do not matter."""
        if self.chance(6):
            self.note("sourced file")
            return str(
                self.pick(
                    "[ -f /nonexistent/env ] && . /nonexistent/env",
                    ". /nonexistent/env",
                    "if [ -r /nonexistent ]; then . /nonexistent; fi",
                    "test -d /nonexistent || :",
                )
            )
        return str(
            self.pick(
                "umask 022",
                ":",
                "cd /",
                "ulimit -n 64",
                "echo x >/dev/null",
                "true",
                "LANG=C",
                "trap '' HUP",
                "true &",
                'echo "a\'b" | cat >/dev/null',
                "cat </dev/null",
                "! true",
                "{ :; }",
                "test -n ''",
                "wait",
                "hash -r",
                "echo `echo x` >/dev/null",
                ": ${X:=1}",
                "printf '%s\\n' x >/dev/null",
                "type cat >/dev/null 2>&1",
                "exec 3>/dev/null",
                "nosuchcommand 2>/dev/null || :",
                "set +x",
            )
        )

    def document(self) -> str:
        """Here-documents and here-strings."""
        self.note("here-document")
        body = self.pick(f'{self.live}="{FLAG}"', "it's", '"', f"{self.live}=x\\", "$(echo x)", "EOF x", "\tEOF")
        return str(
            self.pick(
                f"cat <<EOF >/dev/null\n{body}\nEOF",
                f"cat >/dev/null <<'EOF'\n{body}\nEOF",
                f": <<-EOF\n\tx {body}\n\tEOF",
                f': <<"E O"\n{body}\nE O',
                f"cat <<A >/dev/null; {self.assign()}\nx\nA" if self.chance(30) else f": <<\\EOF\n{body}\nEOF",
                f": <<A <<B\n{body}\nA\n{body}\nB",
                f': <<< "{FLAG}"' if self.bash else ": </dev/null",
            )
        )

    def environment(self) -> str:
        """Variables that the JVM reads itself."""
        name = self.pick("_JAVA_OPTIONS", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS")
        self.note("JAVA_TOOL_OPTIONS and relatives")
        value = " ".join(self.pick(*PLAIN, FLAG, self.flag()) for _ in range(self.number(1, 2)))
        return str(
            self.pick(
                f'export {name}="{value}"',
                f'{name}="{value}"',
                f"{name}='{value}'; export {name}",
                f'export {name}="${name} {value}"',
                f"unset {name}",
            )
        )

    def short(self) -> str:
        """&& and ||."""
        self.note("&& and ||")
        operator = self.pick("&&", "||")
        text = f"{self.condition()} {operator} {self.inline()}"
        return text + f" {self.pick('||', '&&')} {self.inline()}" if self.chance(25) else text

    def inline(self) -> str:
        """A statement that fits behind an operator."""
        self.nesting += 1
        text = self.pick(self.assign, self.append, self.group, self.plain, self.export)()
        self.nesting -= 1
        return str(text).partition(" #")[0].removesuffix(" ; :").removesuffix(";")

    def plain(self) -> str:
        """Something that leaves, or nothing."""
        return str(self.pick("true", ":", "return 0", "exit 0", "false")) if self.chance(30) else ":"

    def group(self) -> str:
        """{ …; }"""
        return "{\n" + self.block() + "}"

    def unset(self) -> str:
        """unset"""
        self.note("unset")
        return str(
            self.pick(
                f"unset {self.pick(*OTHERS)}",
                f"unset {self.live}",
                "unset NOTHING",
                f"unset -v {self.live}",
                "unset -f nothing",
            )
        )

    def evaluate(self) -> str:
        """eval"""
        self.note("eval")
        name, token = self.name(), self.pick(*PLAIN, FLAG)
        return str(
            self.pick(
                f'eval "{name}=\\"\\${name} {token}\\""',
                f"eval '{name}={token}'",
                f"eval {name}={token}",
                f"eval \"{name}='{token} {token}'\"",
                f"eval {name}=\\$OFF",
                f'eval "{self.pick(*OTHERS)}=x"',
            )
        )

    def prefix(self) -> str:
        """Assignments in front of a command."""
        self.note("prefix assignment")
        name, token = self.name(), self.pick(*PLAIN, FLAG)
        return str(
            self.pick(
                f"{name}={token} true",
                f"{name}={token} :",
                f"{name}={token} eval :",
                f"{name}={token} cat </dev/null",
                f"{name}={token} export Y=1",
                f"{name}={token} eval 'OFF=${name}'",
                f"{name}={token} readonly Z",
                f"{name}={token} A=b",
                f"{name}={token} >/dev/null",
                f"{name}={token} command :",
                f"{name}={token} unset NOTHING",
            )
        )

    def positional(self) -> str:
        """set, shift and what they feed."""
        self.note("positional parameters")
        return str(
            self.pick(
                f"set -- {self.arguments(1, 4)}",
                f'{self.live}="$*"',
                f'{self.live}="${self.live} $1"',
                "shift",
                f'set -- "$@" {self.argument()}',
                f"set {self.pick(*PLAIN[1:2])} x" if self.chance(10) else "set --",
                "set -- a b c d e f g h i " + FLAG,
                f'{self.live}="${{10}} $10"',
                f"set -- ${self.live}",
                f'{self.live}="$@"',
                "shift 2",
            )
        )

    def settings(self) -> str:
        """set -e and its relatives, IFS."""
        kind = self.pick(
            "-e",
            "-u",
            "-a",
            "+e",
            "+u",
            "+a",
            "-f",
            "IFS",
            "-o allexport",
            "shopt",
            "alias",
            "-eu",
            "trap",
            "restore IFS",
        )
        if kind == "IFS":
            self.note("IFS changed")
            return str(self.pick("IFS=,", "IFS=:", "IFS=$OFF", "IFS=", "IFS=' '"))
        if kind == "restore IFS":
            self.note("IFS changed")
            return str(self.pick("unset IFS", "IFS=' \t\n'", "OLD=$IFS; IFS=:; set -- a:b; IFS=$OLD"))
        if kind == "alias":
            self.note("alias")
            return str(self.pick("alias ll=cat", "unalias -a", f"alias java='java {FLAG}'"))
        if kind == "trap":
            self.note("trap")
            return str(self.pick("trap - INT", "trap : EXIT", f"trap '{self.live}=x' EXIT"))
        if kind == "shopt":
            return str(self.pick("shopt -s nullglob", "shopt -s extglob", "set -o pipefail")) if self.bash else ":"
        self.note("set " + kind)
        return f"set {kind}"

    def read(self) -> str:
        """read and its relatives."""
        self.note("read")
        name = self.name()
        forms = [
            f"read {name} <<EOF\n{FLAG} -Da=b\nEOF",
            f"read -r A {name} </dev/null",
            f"echo {FLAG} | read {name}",
            f'while read -r line; do {name}="${name} $line"; done <<EOF\n-Da=b\n{FLAG}\nEOF',
            f"{name}=$(cat <<EOF\n{FLAG}\nEOF\n)",
        ]
        if forms[-1] == (text := self.pick(*forms)):
            self.unknown.add("command substitution")
        if self.bash and self.chance(30):
            return str(
                self.pick(
                    f"printf -v {name} '%s' {FLAG}",
                    f"read -r {name} <<< '{FLAG}'",
                    f"mapfile -t {name} </dev/null",
                    f"read -ra {name} <<< '-Da=b {FLAG}'",
                )
            )
        return str(text)

    # -- compound statements ------------------------------------------------------------------

    def branch(self) -> str:
        """if"""
        self.note("if")
        if self.chance(30):
            return f"if {self.condition()}; then {self.inline()}; fi"
        text = f"if {self.condition()}; then\n{self.block()}"
        if self.chance(25):
            text += f"elif {self.condition()}\nthen\n{self.block()}"
        if self.chance(50):
            text += f"else\n{self.block()}"
        return text + "fi"

    def case(self) -> str:
        """case"""
        self.note("case")
        subject = self.pick('"$OFF"', f"${self.live}", '"$1"', "x", f'"${{{self.live}:-none}}"', "$UNSET")
        if self.chance(25):
            self.unknown.add("condition")
            subject = self.pick("$(coin && echo x)", '"$(coin; echo $?)"')
        patterns = (
            "*",
            "x",
            "-D*",
            "*true*",
            '"*"',
            "start|x",
            "[!-]*",
            "''",
            "0",
            "-X???",
            "*\\ *",
            '"$OFF"',
            "(x)"[1:2],
        )
        text = f"case {subject} in\n"
        for _ in range(self.number(1, 3)):
            opening = self.pick("", "", "(")
            ending = self.pick(";;", ";;", ";;", ";;", ";&", ";;&") if self.bash else ";;"
            if ending != ";;":
                self.note("case with ;& or ;;&")
            text += f"  {opening}{self.pick(*patterns)})\n{self.block()}  {ending}\n"
        return text + "esac"

    def function(self) -> str:
        """A function and its call."""
        self.note("function")
        self.functions += 1
        name = f"f{self.functions}" if self.chance(80) else "f1"
        live = self.live
        local = ""
        if self.chance(30):
            self.note("local")
            local = f"    local {self.pick(live, 'OFF', 'x')}{self.pick('', '=' + self.value())}\n"
        body = self.pick(
            f'    {live}="${live} $1"\n',
            f'    {live}="$*"\n',
            f'    {live}="${live} $*"\n',
            f'    for o in "$@"; do {live}="${live} $o"; done\n',
            f"    {live}=$2\n    return 1\n",
            "",
            f'    [ -n "$1" ] || return\n',
        )
        heads = [f"{name}() {{"] + ([f"function {name} {{"] if self.bash else [])
        text = f"{self.pick(*heads)}\n{local}{body}{self.block()}}}"
        if self.chance(10):
            return text + f"\nunset -f {name}"
        call = f"{name} {self.arguments(0, 2)}"
        if self.chance(20):
            self.note("prefix assignment")
            call = f"{live}={self.pick(*PLAIN, FLAG)} {call}"
        return (
            text
            + f"\n{self.pick(call, call, call + ' || ' + self.assign().partition(' #')[0].removesuffix(';'), '( ' + call + ' )', ':')}"
        )

    def loop(self) -> str:
        """for, while and until."""
        self.note("loop")
        live = self.live
        body = self.pick(
            f'{live}="${live} $o"',
            f'{live}="$o"',
            f'[ "$o" = -Da=b ] && continue; {live}="${live} $o"',
            f'{live}="$o ${live}"; break',
            f'case $o in -D*) {live}="${live} $o" ;; esac',
        )
        return str(
            self.pick(
                f"for o in {self.arguments(1, 3)}; do {body}; done",
                f'for o in "$@"; do {body}; done',
                f"for o; do {body}; done",
                f"for o in ${live}\ndo\n{self.block()}done",
                f'while [ $# -gt 0 ]; do {live}="${live} $1"; shift; done',
                f'until [ -z "$1" ]; do o=$1; shift; {body}; done',
                f"for o in a b; do for p in c d; do {body}; break 2; done; done",
                f'while coin; do {live}="{FLAG}"; break; done',
                f'for ((i = 0; i < 2; i++)); do {live}="${live} -Di=$i"; done'
                if self.bash
                else f"for o in 1 2; do {body}; done",
            )
        )

    def apart(self) -> str:
        """What is changed in a process of its own is lost."""
        self.note("subshell")
        return str(
            self.pick(
                f"(\n{self.block()})",
                f"{self.inline()} | cat",
                f"( {self.inline()} ) &",
                f"{{\n{self.block()}}}",
                f"{{\n{self.block()}}} >/dev/null",
                f"true | {{\n{self.block()}}}",
                f"( exit 1 ) || {self.inline()}",
                f"! {{\n{self.block()}}}",
            )
        )

    # -- what stands in other files -----------------------------------------------------------

    def folder(self) -> str:
        """A word for the folder of the script, or a place below it."""
        return str(
            self.pick(
                '"$(dirname "$0")"',
                "`dirname $0`",
                '"${0%/*}"',
                '"$(cd "$(dirname "$0")" && pwd)"',
                '"$(dirname "$(readlink -f "$0")")"',
                "$(dirname $(realpath $0))",
                '"$(cd -P "$(dirname "$0")"; pwd)"',
                "$(cd `dirname $0` >/dev/null 2>&1; pwd -P)",
                "@HERE@",
                '"$(dirname "@HERE@/sub/x")/.."',
                '"@HERE@/linked/.."',
                '"$(cd @HERE@/linked/.. && pwd)"',
                '"$(cd @HERE@/linked && pwd -P)/.."',
                '"$(readlink -f @HERE@/linked)/.."',
                '"$(dirname "${BASH_SOURCE[0]}")"' if self.bash else '"$(dirname "$0")"',
                "@HERE@/conf.d/..",
                '"$(dirname -- "$(readlink -f -- "$0")")"',
                '"@HERE@/missing"',
                '"$(realpath -s @HERE@/sub/..)"',
                '"$(readlink -e @HERE@/missing || echo @HERE@)"',
                '"$(basename @HERE@/x.sh .sh)"',
                "@HERE@//sub/..//",
            )
        )

    def beside(self) -> str:
        """Files beside the script are sourced, by a path or where the script has gone."""
        self.note("files beside the script")
        folder = self.folder()
        name = self.pick("setenv.sh", "setenv.sh", "where.sh", "back.sh", "missing.sh", "none.d/../setenv.sh")
        return str(
            self.pick(
                f"[ -r {folder}/{name} ] && . {folder}/{name}",
                f'here={folder}\n[ -f "$here/{name}" ] && . "$here/{name}"',
                f"cd {folder}\n[ -f {name} ] && . ./{name}",
                f"cd {folder} && [ -e ./{name} ] && . ./{name}",
                f"(cd {folder} && . ./{name})",
                f"cd @HERE@/sub\ncd {folder} || exit 1\n[ -f ./{name} ] && . ./{name}\ncd - >/dev/null",
                f'cd {folder}; OFF="-Dhere=$(pwd)"',
                f'cd {folder}/linked; OFF="-Dhere=$PWD -Dthere=$(pwd -P)"',
                f"cd {folder}/linked\ncd ..\n[ -f {name} ] && . ./{name}",
                f"cd {folder}/linked; [ -f ../{name} ] && . ../{name}",
                f"pushd {folder} >/dev/null; [ -f {name} ] && . ./{name}; popd >/dev/null" if self.bash else "cd /",
                f"go() {{ cd {folder}; }}\ngo\n[ -s {name} ] && . ./{name}",
                f"if cd {folder}; then OFF=-Dgone=1; fi",
            )
        )

    def printed(self) -> str:
        """A command substitution that prints the text of a file."""
        name = self.pick(
            "options", "quoted", "variables", "crlf", "no end", "nothing", "open", "missing", "conf.d/note"
        )
        file = f'"@HERE@/{name}"'
        return str(
            self.pick(
                f"cat {file}",
                f"< {file}",
                f"cat {file} | xargs",
                f"xargs < {file}",
                f"grep -v '^#' {file}",
                f"grep -v '^#' {file} | xargs",
                f"grep -v '^[[:space:]]*#' {file} | xargs",
                f"grep -Ev '^\\s*(#|$)' {file} | xargs",
                f"tr '\\n' ' ' < {file}",
                f"cat {file} | tr -d '\\r' | tr '\\n' ' '",
                f"sed '/^#/d' {file} | xargs",
                f"sed -e 's/#.*$//' -e '/^$/d' {file}",
                f"head -n 2 {file}",
                f"tail -1 {file}",
                f"head -1 {file} | cut -d' ' -f2-",
                f"grep '^JAVA_OPTS=' {file} | cut -d= -f2-",
                f"grep JAVA_ARGS {file} | cut -d'\"' -f2",
                f"paste -sd' ' {file}",
                f"cat {file} 2>/dev/null || echo -Dnone=1",
                f"[ -f {file} ] && cat {file}",
                f"cat {file} >/dev/null; echo -Dafter=1",
                f"cat @HERE@/nothing {file} @HERE@/conf.d/note",
                f"tr -s '\\n' ' ' <{file} | sed 's/Xmx1g/Xmx2g/'",
                f"echo '-Da=1 # x' | cut -d'#' -f1",
                f"printf '%s\\n' -Dp=1 | cat - {file}",
                f"cat {file} | grep -v Xmx | cat",
            )
        )

    def text_of_a_file(self) -> str:
        """Words out of files."""
        self.note("text of a file")
        live = self.live
        if self.chance(15):
            return str(
                self.pick(
                    f'while read -r o; do {live}="${live} $o"; done < @HERE@/options',
                    f'while read o; do {live}="$o"; done <@HERE@/nothing',
                    f'mapfile -t list < @HERE@/options; {live}="${{list[*]}}"'
                    if self.bash
                    else "read -r OFF < @HERE@/options",
                )
            )
        printed = f"$({self.printed()})"
        return str(
            self.pick(
                f"{live}={printed}",
                f'{live}="{printed}"',
                f'{live}="${live} {printed}"',
                f"export {printed}",
                f"export $(grep -v '#' @HERE@/variables | xargs)",
                f"OFF=`cat @HERE@/options`; {live}=$OFF",
                f'set -- {printed}; {live}="$*"',
                f'for o in {printed}; do {live}="${live} $o"; done',
                f"{live}=({printed})" if self.bash else f"{live}={printed}",
            )
        )

    def paths(self) -> str:
        """Patterns that stand for files."""
        self.note("patterns of files")
        folder = self.pick("@HERE@/conf.d", "@HERE@/none.d", "@HERE@/missing", '"@HERE@"/conf.d', "@HERE@/c*.d")
        pattern = self.pick("*.sh", "*", "1?.sh", "[12]0.sh", "*.conf")
        first = self.pick("", "", "shopt -s nullglob\n", "set -f\n") if self.bash else self.pick("", "set -f\n")
        last = self.pick("", "shopt -u nullglob\n" if self.bash else "", "set +f\n")
        body = self.pick('[ -r "$f" ] && . "$f"', "[ -f $f ] && . $f", f'{self.live}="${self.live} -Df=$f"')
        loop = self.pick(
            f"for f in {folder}/{pattern}; do {body}; done",
            f"cd @HERE@/conf.d\nfor f in {pattern}; do {body}; done",
            f'list=({folder}/{pattern})\nfor f in "${{list[@]}}"; do {body}; done'
            if self.bash
            else f"for f in {folder}/{pattern} @HERE@/conf.d/10.sh; do {body}; done",
            f"set -- {folder}/{pattern}; OFF=-Dn=$#",
            f"[ -e {folder}/{pattern} ] && OFF=-De=1",
        )
        return f"{first}{loop}\n{last}".rstrip("\n")

    # -- java ---------------------------------------------------------------------------------

    def java(self) -> str:
        """A command that starts the JVM."""
        java = self.pick("java", "java", '"$JAVA"', "$JAVA", "@BIN@/java")
        live = self.live
        middle = self.pick(
            f"${live}",
            f"${live}",
            f"${{{live}}}",
            f'"${live}"',
            self.arguments(0, 2),
            f"{self.arguments(0, 2)} ${live}",
            '"$@"',
            f"${live} $OFF ${{MEM:-}}",
            f'"${{{live}[@]}}"' if self.bash else f"${live}",
            f"${live} {self.arguments(1, 2)}",
        )
        if self.chance(30):
            self.note("continuation lines")
            middle = middle.replace(" ", " \\\n    ") + " \\\n   "
        after = self.pick("", "", "", f" {self.flag()}", " --httpPort=8080", f" {self.arguments(1, 2)}")
        if self.chance(15):
            self.note("option between -jar and the war")
            middle = f"{middle} -jar {self.pick('-Dx=y', self.flag())}"
        else:
            middle = f"{middle} -jar"
        call = f"{java} {middle} {WAR}{after}"
        kind = self.pick(
            "plain",
            "plain",
            "exec",
            "nohup",
            "env",
            "assignment",
            "su",
            "sh",
            "background",
            "or",
            "if",
            "function",
            "subshell",
            "eval",
            "nice",
            "pipe",
            "redirect",
            "group",
            "command",
            "setsid",
            "sudo",
            "in sh, quoted",
        )
        self.note(f"java: {kind}")
        if kind in ("su", "sh", "eval", "in sh, quoted"):
            call = f"{self.pick('java', '@BIN@/java')} ${live} {self.pick('', '-Da=b', self.flag())} -jar {WAR}"
            escaped = call.replace("$", "\\$")
            text = str(
                {
                    "su": self.pick(
                        f'su app -c "{call}"',
                        f'su -s /bin/sh app -c "exec {call} &"',
                        f"su - app -c '{call}'",
                        f'runuser -s /bin/dash app -c "{call}"',
                        f'sudo -u app sh -c "{call}"',
                    ),
                    "sh": self.pick(
                        f'sh -c "{call}"', f'exec bash -c "{call}"', f'nohup sh -c "{call}" >/dev/null 2>&1 &'
                    ),
                    "in sh, quoted": self.pick(
                        f"sh -c '{call}'",
                        f"export {live}; bash -c '{call}'",
                        f'sh -c "{escaped}"',
                        f"sh -c 'java \"$@\" -jar {WAR}' sh ${live}",
                    ),
                    "eval": self.pick(f'eval "{call}"', f"eval {call}", f'eval "{escaped}"', f"eval exec {call}"),
                }[kind]
            )
            if "su - " in text or "sudo" in text:
                self.unknown.add("environment after a login")
            return text
        variable = self.pick("_JAVA_OPTIONS", "JAVA_TOOL_OPTIONS", "LANG")
        fresh = self.pick("", '-i PATH="$PATH" ', "-u _JAVA_OPTIONS ")
        start = self.pick("start", "start " + self.arguments(0, 2), "start $" + live)
        return {
            "plain": call,
            "exec": f"exec {call}",
            "nohup": f"nohup {call} >/dev/null 2>&1 &",
            "env": f"env {fresh}{variable}={self.flag()} {call}",
            "assignment": f"{variable}={self.flag()} {call}",
            "background": f"{call} &\nwait",
            "or": f"{call} || exit 1",
            "if": f"if {call}; then :; else exit 1; fi",
            "function": f"start() {{\n  {call}\n}}\n{start}",
            "subshell": f"( cd /; {call} )",
            "nice": f"nice -n 5 {call}",
            "pipe": f"{call} | cat",
            "redirect": f"{call} </dev/null >/dev/null 2>&1",
            "group": f"{{ {call}; }} >/dev/null",
            "command": f"command {call}",
            "setsid": f"setsid {call} &",
            "sudo": f"sudo -u app {call}",
        }[str(kind)]

    # -- the file -----------------------------------------------------------------------------

    def file(self) -> Case:
        """A whole launch file."""
        lines = [self.statement() for _ in range(self.number(0, 6))]
        if self.launcher == SCRIPT:
            lines.insert(0, "JAVA=java")
            for _ in range(2 if self.chance(20) else 1):
                lines.append(self.java())
                if len(lines) > 2 and self.chance(10):
                    lines.append(self.statement())
            if len([line for line in lines if "-jar" in line]) > 1:
                self.note("several java calls")
        text = "".join(line + "\n" for line in lines)
        if self.chance(4):
            self.note("CRLF")
            text = text.replace("\n", "\r\n")
        if self.launcher == SCRIPT:
            text = f"#!/bin/{self.shell}{self.pick('', '', '', ' -e', ' -u')}\n{text}"
            if self.chance(1):
                self.note("CRLF")
                text = text.replace("\n", "\r\n", 1)
        elif self.chance(3):
            self.note("byte order mark")
            text = "\xef\xbb\xbf" + text
        if self.chance(12):
            self.note("no final newline")
            text = text[:-2] if text.endswith("\r\n") else text[:-1]
        if "coin" in text:
            self.unknown.add("condition")
        by_hand = self.launcher == SCRIPT and self.chance(15)
        if by_hand:
            self.unknown.add("environment of a start by hand")
        return Case(self.launcher, self.shell, text, frozenset(self.constructs), frozenset(self.unknown), by_hand)


@st.composite
def cases(draw: Callable[[Any], Any]) -> Case:
    """Launch files with their readers; what fails is made small by Hypothesis."""
    return Writer(lambda count: int(draw(st.integers(0, count - 1)))).file()


def sample(seed: int) -> Case:
    """One case of a long run: Hypothesis repeats itself too much for tens of thousands of different files."""
    return Writer(random.Random(seed).randrange).file()
