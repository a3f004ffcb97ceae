"""The edges of what a shell does, many in one script: each row is a subshell that shows with a start what it came to.

Rows are cheap so: one script of all of them is walked by the engine and run by bash and dash once. Below them are those
that no shell could judge, on one host: what is unknown has to stay so, and what is too long, or deep, is said to be.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from hostroot import FLAG, Host

from ansible_collections.cbops.telemetry.plugins.module_utils.host._files import HostFiles
from ansible_collections.cbops.telemetry.plugins.module_utils.shell import _flow, _walk
from ansible_collections.cbops.telemetry.plugins.module_utils.shell._session import Oracle, Session
from ansible_collections.cbops.telemetry.plugins.module_utils.shell._words import Break, Exit
from ansible_collections.cbops.telemetry.plugins.module_utils.text._value import Unresolvable
from tests.differential import compare
from tests.differential.grammar import SCRIPT, Case
from tests.differential.real import Machine, vague

#: What both shells do.
BOTH = r"""
set -e; false
set -e; (false)
set -e; true | false
set -e; false | true
set -e; ! true
set -e; ! false | true
set -e; false || true
set -e; false && true
set -e; true && false
set -e; true && false || :
set -e; if false; then :; fi
set -e; while false; do :; done
set -e; until true; do :; done
set -e; { false; }
set -e; { false; } || :
set -e; for i in 1; do false; done
set -e; case a in a) false ;; esac
set -e; eval false
set -e; [ -z a ]
set -e; false &
set -e; set +e; false
set -e; f() { false; }; f
set -e; f() { false; O=-Da; }; f || :
set -e; f() { false; O=-Da; }; if f; then :; fi
set -e; f() { false; O=-Da; }; while ! f; do :; done
false && true || O=-Da
true || false && O=-Da
true && false && O=-Da || O=-Db
false || false || O=-Da
if false & then O=-Da; fi
if f() { :; }; then O=-Da; fi
if false; then :; fi && O=-Da
if false; then O=-Da; elif true; then O=-Db; else O=-Dc; fi
if false; then O=-Da; elif false; then O=-Db; else O=-Dc; fi
if true; then false; fi || O=-Da
while false; do :; done && O=-Da
until true; do :; done && O=-Da
while true; do O=-Da; break; done
until false; do O=-Da; break; done
while [ -z "$O" ]; do O=-Da; done
for i in; do :; done && O=-Da
for i in a; do false; done || O=-Da
for i in -Da -Db; do O=$i; break; done
for i in -Da -Db; do O="$O $i"; continue; O=-Dc; done
false; for i in a; do continue; done && O=-Da
set -- -Da -Db; for i; do O="$O $i"; done
for i in -Da -Db; do ( break ); O="$O $i"; done
for i in 1 2; do for j in 1 2; do O="$O -D$i$j"; break; done; done
for i in 1 2; do for j in 1 2; do O="$O -D$i$j"; break 2; done; done
for i in 1 2; do for j in 1 2; do O="$O -D$i$j"; break 9; done; done
for i in 1 2; do for j in 1 2; do O="$O -D$i$j"; continue 2; done; O=-Da; done
for i in 1 2; do for j in 1 2; do continue; O=-Da; done; O="$O -D$i"; done
for i in 1; do for j in 1; do for k in 1; do break 2; done; O=-Da; done; O="$O -Db"; done
( exit 1 ) || O=-Da
( exit 0 ) && O=-Da
( false; exit ) || O=-Da
f() { ( return 1 ) || O=-Da; }; f
f() { return 1; O=-Db; }; f || O=-Da
f() { false; return; }; f || O=-Da
f() { set -- -Da; O=$1; }; set -- -Db; f; O="$O $1"
f() { O="$O $*"; }; f -Da -Db
f() { g; O="$O -D$#"; }; g() { shift; }; f 1 2
case a in a) false ;; esac || O=-Da
case a in b) false ;; esac && O=-Da
case a in a) ;; esac && O=-Da
case b in a|b|b) O="$O -Da" ;; b) O="$O -Db" ;; esac
case a in '*') O=-Da ;; *) O=-Db ;; esac
case '*' in '*') O=-Da ;; *) O=-Db ;; esac
case ab in a?) O=-Da ;; *) O=-Db ;; esac
case ab in [!a]*) O=-Da ;; [a-c]b) O=-Db ;; esac
X=a; case $X in "$X") O=-Da ;; esac
{ echo a | cat >/dev/null; read O; } <<E%-Da%E
{ read O; read P; O="$O $P"; } <<E%-Da%-Db%E
{ read O; read O; } <<E || O="$O -Dend"%-Da%E
read O <<'E'%-D$a%E
read O <<-E%	-Da%	E
read O </dev/null || O=-Da
read O <@HERE@/no_end
while read -r l; do O="$O -D$l"; done <<E%1%2%E
echo -Da | { read O; O="$O -Db"; }
for i in @HERE@/conf.d/*.sh; do O="$O -D$i"; done
for i in @HERE@/conf.d/[12]0.sh; do O="$O -D$i"; done
for i in @HERE@/conf.d/?0.sh; do O="$O -D$i"; done
for i in @HERE@/*.d/10.sh; do O="$O -D$i"; done
for i in @HERE@/none.d/*; do O="$O -D$i"; done
for i in @HERE@/none.d/.h*; do O="$O -D$i"; done
cd @HERE@; for i in conf.d/*0.sh; do O="$O -D$i"; done
cd @HERE@/conf.d; for i in *; do O="$O -D$i"; done
cd @HERE@; for i in conf.d/no*x; do O="$O -D$i"; done
cd @HERE@; for i in 'conf.d/*'; do O="$O -D$i"; done
cd @HERE@; for i in conf.d/"1"*; do O="$O -D$i"; done
cd @HERE@; for i in conf.d/[; do O="$O -D$i"; done
cd @HERE@; set -f; for i in conf.d/*; do O="$O -D$i"; done
cd @HERE@; set -- conf.d/*; O="-D$# -D$1"
cd @HERE@; for i in -D*; do O=$i; done
V=-Da :; O=$V
V=-Da eval 'O=$V'
O=-Da; O=-Db true; O="$O -Dc"
O=-Da; f() { O="$O -D$O"; }; O=-Db f; O="$O -Dc"
X=-Da Y=-Db; O="$X $Y"
X=1; X=2 Y=$X; O="-D$X -D$Y"
exec 3>/dev/null; O=-Da
command true && O=-Da
sh -c 'exit 0'; O=-Da
sh -c "java -Dinner -jar /opt/app/x.war"
sh -c 'java -D$0 -D$1 -jar /opt/app/x.war' zero one
sh -c 'java -D$0 -jar /opt/app/x.war'
sh -ec 'false; java -Dinner -jar /opt/app/x.war'
sh -c 'exec java -Dinner$# -jar /opt/app/x.war' a b c
X=1; export X; sh -c 'java -Dx$X -jar /opt/app/x.war'
X=1; sh -c 'java -Dx$X -jar /opt/app/x.war'
X=1; X=2 sh -c 'java -Dx$X -jar /opt/app/x.war'
cd @HERE@; sh -c 'java -Din=$PWD -jar /opt/app/x.war'
export X=1; env -i X=2 @BIN@/sh -c '@BIN@/java -Dx$X$Y -jar /opt/app/x.war'
export X=1 Y=2; env -u X Y=3 sh -c 'java -Dx$X -Dy$Y -jar /opt/app/x.war'
export X=1; env X=2 X=3 sh -c 'java -Dx$X -jar /opt/app/x.war'
nohup sh -c 'java -Dinner -jar /opt/app/x.war' >/dev/null
nice -n 5 java -Dinner -jar /opt/app/x.war
setsid java -Dinner -jar /opt/app/x.war
sh @HERE@/inner a b
cd @HERE@; sh ./inner a
sh -e @HERE@/inner
@HERE@/inner a
@HERE@/inner_e a
"""
#: What bash does.
BASH = r"""
set -e; [[ -z a ]]
set -e; ((0))
set -e; ((1))
set -e; let 0
set -e; [[ -z a ]] || :
case a in a) O=-Da ;& b) O="$O -Db" ;; c) O="$O -Dc" ;; esac
case a in a) O=-Da ;& b) O="$O -Db" ;& c) O="$O -Dc" ;; d) O=-Dd ;; esac
case ab in a*) O=-Da ;;& b) O="$O -Db" ;; *b) O="$O -Dc" ;;& c|ab) O="$O -Dd" ;; *) O=-De ;; esac
case a in a) O=-Da ;;& b) O=-Db ;; esac && O="$O -Dc"
f() { break; }; for i in 1 2; do f 2>/dev/null; O="$O -D$i"; done
read O <<<-Da
read O <<<"-Da -Db"; O="$O -Dc"
shopt -s nullglob; for i in @HERE@/conf.d/no*; do O="$O -D$i"; done; O="$O -Da"
shopt -s nullglob; set -- @HERE@/conf.d/no* @HERE@/conf.d/1*; O="-D$#"
bash -c 'java -D$0 -D$1 -jar /opt/app/x.war' zero one
bash -c 'java -D$0 -jar /opt/app/x.war'
O=-Da; f() { local O=-Db; g; }; g() { P=$O; }; f; O="$O $P"
"""
#: What `[` and `[[` say, each adding its number to the options.
TESTS = r"""
[ ] || ! [ a ]
[ a ]
[ "" ]
[ ! ]
[ ! a ]
[ ! "" ]
[ ! -n a ]
[ ! a = b ]
[ -n ]
[ -n a ]
[ -n "" ]
[ -z a ]
[ -z "" ]
[ a = a ]
[ a = b ]
[ a != a ]
[ a != b ]
[ 1 -lt 2 ]
[ 2 -lt 2 ]
[ 2 -le 2 ]
[ 3 -le 2 ]
[ 2 -gt 1 ]
[ 2 -gt 2 ]
[ 2 -ge 2 ]
[ 1 -ge 2 ]
[ 1 -eq 1 ]
[ 1 -ne 1 ]
[ a -a b ]
[ a -a "" ]
[ "" -a a ]
[ "" -o a ]
[ a -o "" ]
[ "" -o "" ]
[ -n a -a -n b ]
[ -n a -a -z b ]
[ -z a -o -n b ]
[ -z a -o -z b ]
[ -n a -a -n b -a -z c ]
[ a = a -o a = b ]
[ a = b -o a = b ]
[ a = a -a a = b ]
[ -z a -a -n b -o -n c ]
[ -n c -o -z a -a -n b ]
[ ! -z a -a -n b ]
[ -e @HERE@/options ]
[ -f @HERE@/options ]
[ -d @HERE@/options ]
[ -d @HERE@/conf.d ]
[ -f @HERE@/conf.d ]
[ -s @HERE@/options ]
[ -s @HERE@/nothing ]
[ -r @HERE@/options ]
[ -x @HERE@/options ]
[ -x @BIN@/java ]
[ -h @HERE@/linked ]
[ -L @HERE@/options ]
[ -e @HERE@/none ]
[ -z "$NONE" ]
[ -q a ] 2>/dev/null
[ a b ] 2>/dev/null
[ a = b c ] 2>/dev/null
test a = a
test -z a
"""
TESTS_OF_BASH = r"""
[[ a ]]
[[ "" ]]
[[ ! a ]]
[[ ! "" ]]
[[ -n a && -n b ]]
[[ -n a && -z b ]]
[[ -z a && -n b ]]
[[ -z a || -n b ]]
[[ -z a || -z b ]]
[[ -n a || -z b && -z c ]]
[[ -z a && -n b || -n c ]]
[[ ! ( -n a && -z b ) ]]
[[ ( -z a || -n b ) && -n c ]]
[[ -n a && ( -z b || -z c ) || -z d ]]
[[ ! -n a || ! -z b ]]
[[ a = a ]]
[[ a == b ]]
[[ a != b ]]
[[ a != a ]]
[[ ab == a* ]]
[[ ab == "a*" ]]
[[ ab != a* ]]
[[ a < b ]]
[[ b < a ]]
[[ a < a ]]
[[ b > a ]]
[[ a > b ]]
[[ 10 < 9 ]]
[[ 1 -lt 2 ]]
[[ 2 -lt 1 ]]
[[ abc =~ ^a.c$ ]]
[[ abc =~ ^b ]]
[[ -v O ]]
[[ -v NONE ]]
[[ -e @HERE@/options && -d @HERE@/conf.d ]]
[[ -x @HERE@/options ]]
((1))
((0))
((1 - 1))
((2 > 1))
"""
#: What depends on a coin, some in a script, as each makes two ways of every other.
COINS = r"""
if coin; then echo; elif true; then O=-Da; fi >/dev/null
if coin; then echo; else O=-Da; fi >/dev/null
if false; then O=-Db; elif coin; then O=-Da; fi
case a in $(coin && echo a)) O=-Da ;; *) O=-Db ;; esac
--
coin && false || O=-Da
coin || true && O=-Da
coin && { echo; O=-Da; } >/dev/null || O="$O -Db"
case $(coin && echo a) in a) O=-Da ;; *) O=-Db ;; esac
--
coin && exit
coin && read O <<E%-Da%E
if coin; then read O <<E%-Da%E%fi
f() { coin && return; O=-Da; }; f
--
case $(coin && echo a) in a) O=-Da ;; esac
case $(coin && echo a) in a|b) O=-Da ;; *) O=-Db ;; esac
! coin && O=-Da
coin; [ $? = 0 ] && O=-Da
"""


def rows_of(text: str) -> list[str]:
    return [line.replace("%", "\n") for line in text.strip("\n").split("\n")]


def script_of(rows: list[str]) -> str:
    """Each row in a process of its own, and then a start that tells its number and its options."""
    return "".join(f"(\n{row}\njava -Drow={number} $O -jar /opt/app/x.war\n)\n" for number, row in enumerate(rows, 1))


def numbered(rows: list[str]) -> str:
    return "O=\n" + "".join(f'{row} && O="$O -D{number}"\n' for number, row in enumerate(rows, 1))


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """A folder to start scripts in."""
    if not (shutil.which("bash") and shutil.which("dash")):
        pytest.skip("needs bash and dash")
    machine = Machine()
    for name, first in (("inner", "#!/bin/sh"), ("inner_e", "#!/bin/sh -e")):
        path = machine.folder / name
        path.write_text(f'{first}\n[ -n "$1" ]\njava -Dinner=$0 "-D$#" -jar /opt/app/x.war\n')
        path.chmod(0o755)
    (machine.folder / "no_end").write_text("-Dn=1 -Dm")
    yield machine
    machine.close()


PARTS = [rows_of(BOTH)[start : start + 45] for start in range(0, len(rows_of(BOTH)), 45)]
SCRIPTS = [
    *((shell, script_of(rows)) for rows in PARTS for shell in ("bash", "dash")),
    ("bash", script_of(rows_of(BASH))),
    *((shell, numbered(rows_of(TESTS)) + "java $O -jar /opt/app/x.war") for shell in ("bash", "dash")),
    ("bash", numbered(rows_of(TESTS_OF_BASH)) + "java $O -jar /opt/app/x.war"),
    *(("dash", script_of(rows_of(part))) for part in COINS.split("--\n")),
]


@pytest.mark.parametrize(("shell", "text"), SCRIPTS, ids=range(len(SCRIPTS)))
def test_the_edges_are_the_shell_s(machine: Machine, shell: str, text: str) -> None:
    case = Case(SCRIPT, shell, f"#!/bin/{shell}\n{text}\n")
    machine.write({machine.config: machine.fill(case.text)})
    outcome = compare._outcome(machine.config, case)[2]
    starts = {start.vector for start in compare._real(machine, machine.config, case)}
    assert outcome.reason is None, outcome.reason
    found = {vague(vector) for vector in outcome.vectors}
    assert (found - starts, starts - found) == (set(), set())


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host with files to be read and to be started."""
    host = Host(tmp_path / "host")
    host.write("/opt/f", f"O={FLAG}\n")
    start = f"exec java {FLAG} -jar /opt/jenkins.war\n"
    for name, text in (
        ("s", f"#!/bin/sh\n{start}"),
        ("no_head", start),
        ("cr", f"#!/bin/sh\r\n{start}"),
        ("env1", f"#!/usr/bin/env bash\n{start}"),
        ("env2", f"#!/usr/bin/env bash -e\n{start}"),
        ("env3", f"#!/usr/bin/env -S bash -e\n{start}"),
        ("python", f"#!/usr/bin/python3\n{start}"),
        ("interpreter", "#!/bin/sh\n. $1\nexec java $O -jar /opt/jenkins.war\n"),
        ("by", f"#!/opt/interpreter\nO={FLAG}\nDAEMON=/usr/bin/java\n"),
        ("itself", f"#!/opt/itself\nO={FLAG}\n"),
        ("relative", f"#!opt/interpreter\nO={FLAG}\n"),
        ("jdk/bin/java", f'#!/bin/sh\nexec /usr/bin/java {FLAG} "$@"\n'),
        ("plain/bin/java", '#!/bin/sh\nexec /opt/launch "$@"\n'),
        ("said/bin/java", f'#!/bin/sh\n# {FLAG}\nexec /opt/launch "$@"\n'),
        ("flag/bin/java", f'#!/bin/sh\nexec /opt/launch {FLAG} "$@"\n'),
        ("sets/bin/java", '#!/bin/sh\nJAVA_TOOL_OPTIONS=x\nexec /opt/launch "$@"\n'),
        ("reads/bin/java", '#!/bin/sh\necho $JAVA_TOOL_OPTIONS\nexec /opt/launch "$@"\n'),
    ):
        host.write(f"/opt/{name}", text, 0o755)
    host.write("/opt/no_x", f"#!/bin/sh\n{start}", 0o644)
    return host


def differing(host: Host, script: str, rows: list[str]) -> list[str]:
    """Rows are a letter for the verdict (disabled, enabled, unresolvable), the ways, and what is put into a script."""
    found = []
    for row in rows:
        text = row.split(" ", 2)[2].replace("~", "\n")
        host.script("#!/bin/bash\n" + script.replace("@", text).replace("%F", FLAG) + "\n# jenkins.war\n")
        outcome = host.only()[1]
        said = f"{outcome.verdict[0]} {outcome.walk.ways if outcome.walk else '-'}"
        if not row.startswith(said + " "):
            found.append(f"{said} ({outcome.reason}): {row}")
    return found


#: What is behind `[ "$(hostname)" = a ] &&`: two ways where it may change the shell, else one.
BRANCHES = r"""
e 2 x -c 'echo a'
e 2 x.sh
e 2 x a.jar
e 2 echo a > ${X:=b}
e 1 { echo a; }
e 1 echo a | cat
e 1 echo a &
e 1 ( echo a )
e 2 ( O=a )
e 1 (( i ))
e 2 (( i = 1 ))
e 1 [[ a ]]
e 2 [[ ${X:=b} ]]
e 2 f() { :; }
e 2 for i in a; do :; done
e 2 while false; do :; done
e 2 case a in a) ;; esac
e 1 if a; then b; fi
e 3 if a; then O=b; fi
e 4 if a; then b; elif c; then O=d; fi
e 4 a && b && O=c
e 1 a && b || c
e 2 A=b echo
e 2 $X a
e 1 PATH=a
e 2 PATH=a O=b
e 2 trap : INT
e 2 alias a=b
u - mapfile A </dev/null
u - readarray A </dev/null
e 2 let N=1
e 2 read O </dev/null
e 2 getopts a o
e 2 exit
e 2 return
e 2 break
e 2 continue
e 1 cd /tmp
e 2 echo ${X=b}
e 1 echo ${X:-b}
e 2 echo $((X=1))
e 1 g
e 2 h
u - r
"""
#: What is in a loop of which the rounds are not known, before `java $O`.
LOOPS = r"""
e 2 P=a
u 2 for O in a; do :; done
e 2 for P in a; do :; done
u 2 O=a
u 3 [[ ${O:=a} ]]
u 2 ((O=1))
u 2 for ((O=0;O<2;O++)); do :; done
u 2 let O=1
u 2 read O
u 2 read -r O
e 2 IFS=a read P
u 2 declare O=a
u 2 declare O
u 2 export O
u 2 O+=a
e 1 echo
"""
#: What stands before `java $O`.
BEFORE = r"""
u - echo x >/opt/f; . /opt/f
d 1 cat </opt/f; . /opt/f
u - echo x 2>/opt/f; . /opt/f
u - sed -i s/a/b/ /opt/f; . /opt/f
d 1 sed s/a/b/ /opt/f; . /opt/f
u - sed --in-place s/a/b/ /opt/f; . /opt/f
u - x /opt/f; . /opt/f
d 1 /opt/f; . /opt/f
d 1 cp /opt/f /opt/g; . /opt/f
u - cp /opt/g /opt/f; . /opt/f
u - install x /opt/f; . /opt/f
u - ln -sf /x /opt/f; . /opt/f
u - cd /opt; x ./f; . ./f
e 1 { echo x | { read O; }; } <<E~%F~E
e 1 { read O <<E~-Da~E~read O; } <<E~-Db~E
u 2 O=%F; while read x; do O=$x; done </etc/unknown
u 2 export JAVA_TOOL_OPTIONS=%F; while read x; do JAVA_TOOL_OPTIONS=$x; done </etc/unknown
e 2 JAVA_TOOL_OPTIONS=%F; while read x; do JAVA_TOOL_OPTIONS=$x; done </etc/unknown
u 2 A=(-Da); while read x; do A+=(-Db); done </etc/unknown~O=${A[1]}
u 2 case $(hostname) in '*') O=-Da ;; *) O=%F ;; esac
d 1 case $(hostname) in *) O=%F ;; esac
u 2 case $(hostname) in a) O=-Da ;; *) O=%F ;; b) O=-Db ;; esac
e 2 case $(hostname) in a|b) O=-Da ;; esac
u - case $(hostname) in a) O=-Da ;;& b) O=%F ;; esac
u 3 case $(hostname) in a) O=-Da ;& b) O=%F ;; esac
e 2 case a in $(hostname)) echo ;; b) O=%F ;; a) O=-Da ;; esac
u - while [ $# -eq 0 ]; do :; done
d 1 while true; do java %F -jar /opt/jenkins.war; done
d 1 until false; do java %F -jar /opt/jenkins.war; sleep 5; done
u 2 until [ "$(hostname)" = a ]; do O=%F; done
e 1 while [ "$(hostname)" = a ]; do echo; done
u 1 select O in a b; do echo; done
e 1 select P in a b; do echo; done
u 2 select P in a b; do O=%F; done
u 2 for ((i=0;i<3;i++)); do O=%F; done
u 1 for i in $(hostname); do echo; done; O=$i
u 2 for i in $(hostname); do O=%F; done
u 1 for i in "$(hostname)"; do O=%F; done
u 1 for i in x$(hostname); do O=%F; done
u 2 for i in /tmp/*; do O=$i; done
u 2 cd $(hostname); for i in *; do O=$i; done
d 1 cd $(hostname); for i in /opt/[f]; do . $i; done
d 1 cd $(hostname); . /opt/f
u 1 read O <<E~$X%F~E
e 1 read O <<'E'~%F$X~E
u 1 read O <<E~`x`~E
u 1 read O <<E~a\~b~E
u 1 read O <<<$(hostname)
u 1 read O
u 1 read O <$(hostname)
e 1 alias ll=ls~ll
d 1 f() { O=%F; }; f; unset -f f
"""
#: What stands before `&& O=%F`: known or not.
KNOWN = r"""
u 2 [ -R X ]
u 2 [ -v X ]
u 2 [ -t 0 ]
u 2 [ -a /opt/f ]
u 2 [ -o posix ]
u 2 [ -n "$(hostname)" ]
d 1 [ -n "x$(hostname)" ]
e 1 [ -z "x$(hostname)" ]
u 2 [ -z "$(hostname)" ]
u 2 [ "$(hostname)" ]
d 1 [ "x$(hostname)" ]
u 2 [ -e /tmp/x ]
u 2 [ -f /run/x ]
u 2 [ -r /tmp/x ]
u 2 [ -s /tmp/x ]
u 2 [ -x /var/tmp/x ]
u 2 [ -w /dev/shm/x ]
u 2 [ -L /run/x ]
u 2 [ -h /tmp/x ]
e 1 [ -d /tmp ]
d 1 [ -d /opt ]
e 1 [ -e x ]
d 1 cd /opt; [ -e f ]
u 2 cd $(hostname); [ -e f ]
u 2 [ ! "$(hostname)" = a ]
u 2 [ $(hostname) ]
u 2 [[ $(hostname) = a ]]
u 2 [[ a = $(hostname) ]]
u 2 [[ a -a b ]]
e 1 [[ -v X ]]
d 1 X=; [[ -v X ]]
u 2 [[ -v X[1] ]]
u 2 [[ aB < az ]]
u 2 [[ a < 1 ]]
u 2 [[ a -R b ]]
u 2 [[ ! $(hostname) = a ]]
d 1 [[ -n a || $(hostname) = a ]]
d 1 [[ $(hostname) = a || -n a ]]
u 2 [[ -z a || $(hostname) = a ]]
u 2 [[ $(hostname) = a || -z a ]]
e 1 [[ -z a && $(hostname) = a ]]
e 1 [[ $(hostname) = a && -z a ]]
u 2 [[ $(hostname) = a && -n a ]]
u 2 [[ -n a && $(hostname) = a ]]
u 2 [[ ( $(hostname) = a ) ]]
u 2 (( $(hostname) ))
e 1 [ a = b -a "$(hostname)" = a ]
e 1 [ "$(hostname)" = a -a a = b ]
u 2 [ "$(hostname)" = a -a a = a ]
u 2 [ "$(hostname)" = a -o a = b ]
d 1 [ "$(hostname)" = a -o a = a ]
u 2 [ \( a = a \) -a b ]
u 2 [ a b c "$(hostname)" ]
u 2 ! [ "$(hostname)" = a ]
"""
#: Whole scripts.
STARTS = r"""
d 1 /opt/s
d 1 sh /opt/s
d 1 bash -x /opt/s
d 1 bash -o errexit /opt/s
d 1 x=/opt/s /opt/s
d 1 nohup /opt/s
d 1 other /opt/s
d 1 sudo -u x /opt/s
d 1 cd /opt; ./s
u - cd /opt; s
d 1 cd /; opt/s
u - -/opt/s
u - /opt/no_x
d 1 sh /opt/no_x
u - nohup /opt/no_x
d 1 /opt/no_head
d 1 nohup /opt/no_head
u - other /opt/no_head
d 1 sh /opt/no_head
u - /opt/cr
d 1 sh /opt/cr
d 1 /opt/env1
u - /opt/env2
d 1 /opt/env3
u - /opt/python
d 1 sh /opt/python
d 1 /opt/by
u - /opt/itself
u - /opt/relative
d 1 /opt/jdk/bin/java -jar /opt/jenkins.war
d 1 PATH=/opt/jdk/bin:/usr/bin; java -jar /opt/jenkins.war
e 1 PATH=/usr/bin:/opt/jdk/bin; java -jar /opt/jenkins.war
d 1 env PATH=/opt/jdk/bin java -jar /opt/jenkins.war
d 1 PATH=$(x):/opt/jdk/bin; java -jar /opt/jenkins.war
e 1 /opt/plain/bin/java -jar /opt/jenkins.war
e 1 /opt/said/bin/java -jar /opt/jenkins.war
u - /opt/flag/bin/java -jar /opt/jenkins.war
u - /opt/sets/bin/java -jar /opt/jenkins.war
e 1 /opt/reads/bin/java -jar /opt/jenkins.war
d 1 $(java) %F -jar /opt/jenkins.war
d 1 $X/java %F -jar /opt/jenkins.war
d 1 myjava %F -jar /opt/jenkins.war
u - -java %F -jar /opt/jenkins.war
u - my %F -jar /opt/jenkins.war
d 1 x -- %F -jar /opt/jenkins.war
d 1 x -- java %F -jar /opt/jenkins.war
d 1 start-stop-daemon --start --exec /usr/bin/java -- %F -jar /opt/jenkins.war
e 1 start-stop-daemon --start --exec /usr/bin/java %F -- -jar /opt/jenkins.war
e 1 sudo -u java %F /usr/bin/java -jar /opt/jenkins.war
d 1 sudo -u java java %F -jar /opt/jenkins.war
u - sudo -u java my %F -jar /opt/jenkins.war
d 1 jsvc -p /run/x java %F -jar /opt/jenkins.war
u - java $'\r' -jar /opt/jenkins.war
u - java$'\r' -jar /opt/jenkins.war
u - chroot /x java %F -jar /opt/jenkins.war
u - nsenter -t 1 java %F -jar /opt/jenkins.war
u - a b c d e chroot java %F -jar /opt/jenkins.war
d 1 a b c d e f chroot java %F -jar /opt/jenkins.war
d 1 chroot /x ls; java %F -jar /opt/jenkins.war
u - chroot /x run.sh; java %F -jar /opt/jenkins.war
u - chroot /x y.war; java %F -jar /opt/jenkins.war
u - bwrap x -jar; java %F -jar /opt/jenkins.war
d 1 x 'java %F -jar /opt/jenkins.war'
d 1 x y 'cd /tmp; java %F -jar jenkins.war'
u - x 'java %F -jarx /opt/jenkins.war'
d 1 sudo -u ci sh -c 'java %F -jar /opt/jenkins.war'
d 1 runuser -u ci -- java %F -jar /opt/jenkins.war
d 1 runuser ci --session-command='java %F -jar /opt/jenkins.war'
d 1 su ci --comm='java %F -jar /opt/jenkins.war'
d 1 su --comman 'java %F -jar /opt/jenkins.war' ci
d 1 sh -xec 'java %F -jar /opt/jenkins.war'
d 1 sh -c -- 'java %F -jar /opt/jenkins.war'
d 1 bash -ic 'java %F -jar /opt/jenkins.war'
d 1 bash -lc 'java %F -jar /opt/jenkins.war'
d 1 bash --login -c 'java %F -jar /opt/jenkins.war'
"""
BRANCH = 'g() { echo; }\nh() { O=a; }\nr() { r; }\n[ "$(hostname)" = a ] && @\n'
START = "java $O -jar /opt/jenkins.war"
#: The tables: what each puts its rows into.
TABLES = {
    "branches": (BRANCHES, BRANCH + START),
    "loops": (LOOPS, "while read -r x; do @; done </etc/unknown\n" + START),
    "before": (BEFORE, "@\n" + START),
    "known": (KNOWN, "@ && O=%F\n" + START),
    "starts": (STARTS, "@"),
}
CHUNKS = [
    pytest.param(script, rows.strip("\n").split("\n")[start : start + 16], id=f"{name}-{start}")
    for name, (rows, script) in TABLES.items()
    for start in range(0, rows.strip("\n").count("\n") + 1, 16)
]


@pytest.mark.parametrize(("script", "rows"), CHUNKS)
def test_what_a_script_comes_to(host: Host, script: str, rows: list[str]) -> None:
    assert differing(host, script, rows) == []


#: How a way ends that starts no JVM, by what stands before `exec java`: what is said, `@` for the place.
ENDS = [
    ("exit", "'exit' (@:2)"),
    (". /opt/ends", "'exit 1' (/opt/ends:1)"),
    ("[ -e /x ] || exit 1", "'exit 1' (@:2), because '[ -e /x ]' (@:2) is false"),
    ("if [ ! -e /x ]; then exit; fi", "'exit' (@:2), because '[ ! -e /x ]' (@:2) is true"),
    ("if [ -x /no ]; then :; else exit; fi", "'exit' (@:2), because '[ -x /no ]' (@:2) is false"),
    ("if [ -x /no ]; then a.war; fi; exit 2", "'exit 2' (@:2)"),
    ("case x$A in y) ;; *) exit ;; esac", "'exit' (@:2), because 'case x$A' (@:2) takes the branch '*'"),
    ("case x in y) ;; x|z) exit ;; esac", "'exit' (@:2), because 'case x' (@:2) takes the branch 'x|z'"),
    (
        'if [ "$(id)" = a ]; then exit 3; else exit 4; fi',
        """'exit 3' (@:2), because '[ "$(id)" = a ]' (@:2) is not known""",
    ),
    ("[[ $TOKEN = abc ]] || exit", "'exit' (@:2), because '$TOKEN' (@:2) is false"),
    ("[ pass ] && exit", "'exit' (@:2), because '...' (@:2) is true"),
    ("[ $X = start ] || exit", "'exit' (@:2), because '[ $X = start ]' (@:2) is false"),
    ("[ $X = verylongword123 ] || exit", "'exit' (@:2), because '[ $X = ... ]' (@:2) is false"),
    ("[ a \\\n = b ] || exit", "'exit' (@:3), because '[ a \\ = b ]' (@:2) is false"),
    ("[ " + "a " * 38 + "] || exit", "'exit' (@:2), because '[ " + "a " * 38 + "]' (@:2) is false"),
    ("[ " + "a " * 39 + "] || exit", "'exit' (@:2), because '[ " + "a " * 37 + "a...' (@:2) is false"),
    ("set -e\nfalse", "'false' (@:3)"),
    ("set -u\n[ $NONE = b ]", "'[ $NONE = b ]' (@:3)"),
    ("((1)) && exit", "'exit' (@:2), because 'arithmetic' (@:2) is true"),
    ("( exit ); exit 2", "'exit 2' (@:2)"),
    ("f() { return 1; }; f || exit", "'exit' (@:2), because 'f' (@:2) is false"),
    ("{ false; } || exit", "'exit' (@:2), because 'group' (@:2) is false"),
    ("! true || exit", "'exit' (@:2), because 'true' (@:2) is false"),
    ("for i in; do :; done && exit", "'exit' (@:2), because 'for' (@:2) is true"),
    ("exec true", "'exec' (@:2)"),
    ("f() { exit 5; }; f", "'exit 5' (@:2)"),
]
#: What is passed by where it starts no JVM, in `if false; then …; fi`: whether that is said to be why.
PASSED = {
    "java -jar x.war": True,
    "exec x": True,
    "a.war": True,
    "a.ware": False,
    "daemon a": True,
    "catalina.sh": True,
    "rejar": True,
    "jarred": False,
    "one": True,
    "none": False,
}


@pytest.mark.parametrize("rows", [ENDS[:13], ENDS[13:]])
def test_how_it_ended_is_said(host: Host, rows: list[tuple[str, str]]) -> None:
    host.write("/opt/ends", "exit 1\n")
    found = {}
    for text, _said in rows:
        host.script(f"#!/bin/bash\n{text}\nexec java -jar /opt/jenkins.war\n")
        found[text] = (host.only()[1].reason or "").partition("the last command is ")[2]
    assert found == {text: said.replace("@", "/opt/cloudbees/cm/start.sh") for text, said in rows}


def test_what_is_passed_by_is_why(host: Host) -> None:
    found = {}
    functions = "one() { two; }\ntwo() { three; }\nthree() { java; }\nnone() { one_more; }\none_more() { one; }\n"
    for text in PASSED:
        host.script(f"#!/bin/bash\n{functions}if false; then {text}; fi; true # jenkins.war\n")
        found[text] = "because 'false'" in (host.only()[1].reason or "")
    assert found == PASSED


#: A limit, the smallest with which a script before `java $O` is followed, that script, what is said below it.
LIMITS = [
    (_flow, "LIMIT_STEPS", 9, ":\n" * 7, "the script is too long to follow"),
    (_flow, "LIMIT_TEST", 7, "[ a -a a -a a -a a ] && O=%F", "it depends on a condition"),
    (_flow, "LIMIT_FILES", 3, "for i in /opt/env[1-3]; do O=-D$i; done", "$O is set in a loop"),
    (_walk, "LIMIT_LAUNCHES", 3, "java -Da -jar /opt/jenkins.war\n" * 2, "it starts more than 2 JVMs"),
    (_walk, "LIMIT_DEPTH", 3, "f() { g; }; g() { h; }; h() { :; }; f", "functions call each other too deeply"),
    (_walk, "LIMIT_DEPTH", 2, "sh -c 'sh -c \"java -jar /opt/jenkins.war\"'", "shells call each other too deeply"),
    (_walk, "LIMIT_DEPTH", 2, "/opt/calls", "scripts call each other too deeply"),
]


@pytest.mark.parametrize(
    ("module", "name", "least", "text", "reason"), LIMITS, ids=[f"{one[1]}-{one[2]}-{one[4]}" for one in LIMITS]
)
def test_a_limit_is_where_it_is_said_to_be(
    host: Host, monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str, least: int, text: str, reason: str
) -> None:
    host.write("/opt/calls", "#!/bin/sh\n/opt/s\n", 0o755)
    host.script(f"#!/bin/bash\n{text}\njava $O -jar /opt/jenkins.war\n".replace("%F", FLAG))
    monkeypatch.setattr(module, name, least - 1)
    assert reason in (host.only()[1].reason or "")
    monkeypatch.setattr(module, name, least)
    host.write("/opt/f", "")  # it is read anew
    assert reason not in (host.only()[1].reason or "")


@pytest.mark.parametrize(
    ("raised", "reason"),
    [
        (RecursionError(), "the launch script is nested too deeply"),
        (MemoryError(), "following the launch script takes more memory than there is"),
        (Exit(False), None),
        (Break(1, False), None),
    ],
)
def test_how_a_way_may_end(raised: BaseException, reason: str | None) -> None:
    def program(_shell: _walk.Shell) -> None:
        raise raised

    def start(oracle: Oracle) -> _walk.Shell:
        return _walk.Shell(Session(HostFiles("/"), oracle))

    if reason is None:
        assert _walk.walk(start, program).ways == 1
        return
    with pytest.raises(Unresolvable, match=reason):
        _walk.walk(start, program)
