"""Text and tree: what the parser makes of each construct of the shell, and where each part of it stands.

A row is a dialect, a text and its tree. A tree is written so: ``first-behind`` in front of whatever has a place,

- commands by their kind, ``simple 0-7(0-4 echo, 5-7 hi)``; lists of them in square brackets;
- a word by its characters, ``'x'`` where they are quoted, ``{…}`` around several parts or what is not plain;
- expansions as they are written, with what they consist of: ``"$name"`` in quotes, ``${name operator argument}``;
- assignments ``0-3 a=(2-3 1)``, arrays ``a=[…]``, redirections ``4 2>(6-7 f)``, here-documents ``4 <<(6-7 E)~8-10``
  (``=`` where no expansions are made in it);
- ``error 3: …`` where the text is none of the shell's.

The same texts are held against shfmt's tree, and errors against what bash and dash say, in tests/differential.
"""

from __future__ import annotations

import pytest

from ansible_collections.cbops.telemetry.plugins.module_utils.shell import _nodes as nodes
from ansible_collections.cbops.telemetry.plugins.module_utils.shell._cursor import ShellSyntaxError
from ansible_collections.cbops.telemetry.plugins.module_utils.shell._parser import parse
from ansible_collections.cbops.telemetry.plugins.module_utils.text._value import Text


def of_block(block: nodes.Block) -> str:
    return "[%s]" % "; ".join(map(of_command, block.commands))


def of_command(command: nodes.Command) -> str:
    """A command with its kind, place, contents and redirections."""
    contents = ", ".join([*contents_of(command), *map(of_redirection, command.redirections)])
    return "%s %d-%d(%s)" % (type(command).__name__.lower(), command.start, command.end, contents)


def contents_of(command: nodes.Command) -> list[str]:
    if isinstance(command, nodes.Simple):
        found = [(one.start, of_assignment(one)) for one in command.assignments + command.declared]
        found += [(word.start, of_word(word)) for word in command.words]
        return [text for _start, text in sorted(found)]
    if isinstance(command, nodes.Block):
        return [of_block(command)]
    if isinstance(command, nodes.AndOr):
        return [(operator + " " + of_command(one)).strip() for operator, one in command.items]
    if isinstance(command, nodes.Pipeline):
        return ["!"] * command.negated + [" | ".join(map(of_command, command.commands))]
    if isinstance(command, nodes.If):
        found_ifs = ["%s then %s" % (of_block(condition), of_block(body)) for condition, body in command.branches]
        return found_ifs + (["else " + of_block(command.otherwise)] if command.otherwise else [])
    if isinstance(command, nodes.While):
        return [
            "%s %s do %s" % ("until" if command.until else "while", *map(of_block, (command.condition, command.body)))
        ]
    if isinstance(command, nodes.For):
        words = "the arguments" if command.words is None else "[%s]" % ", ".join(map(of_word, command.words))
        return ["%s in %s do %s" % (command.name, words, of_block(command.body))]
    if isinstance(command, nodes.ArithmeticFor):
        return ["%s do %s" % (command.expression, of_block(command.body))]
    if isinstance(command, nodes.Case):
        branches = [
            "%s) %s %s" % (" | ".join(map(of_word, one.patterns)), of_block(one.body), one.terminator)
            for one in command.branches
        ]
        return [of_word(command.subject), *branches]
    if isinstance(command, nodes.Function):
        return [command.name, of_command(command.body)]
    if isinstance(command, nodes.Condition):
        return [one if isinstance(one, str) else of_word(one) for one in command.items]
    if isinstance(command, nodes.Arithmetic):
        return [command.expression]
    assert isinstance(command, (nodes.Background, nodes.Enclosed))
    body = command.body
    return [of_block(body) if isinstance(body, nodes.Block) else of_command(body)]


def of_word(word: nodes.Word) -> str:
    parts = [of_part(word, part) for part in word.parts]
    first = word.parts[0] if len(parts) == 1 else None
    plain = isinstance(first, nodes.Literal) and not first.quoted and (first.start, first.end) == (word.start, word.end)
    return "%d-%d %s" % (word.start, word.end, word.raw if plain else "{%s}" % ", ".join(parts))


def of_part(word: nodes.Word, part: nodes.Part) -> str:
    return "%d-%d %s" % (part.start, part.end, shown_part(word, part))


def shown_part(word: nodes.Word, part: nodes.Part) -> str:
    if isinstance(part, nodes.Literal):
        characters = word.characters(part)
        return "'%s'" % characters if part.quoted else characters
    if isinstance(part, nodes.Parameter):
        index = "" if part.index is None else "[%s]" % part.index
        shown = "#" * part.length + part.name + index + (" " + part.operator if part.operator else "")
        if part.argument is not None:
            shown += " " + of_word(part.argument)
        shown = "$" + shown if shown == part.name else "${%s}" % shown
    elif isinstance(part, nodes.CommandSubstitution):
        shown = "$(%s)" % of_block(part.body)
    elif isinstance(part, nodes.ProcessSubstitution):
        shown = "%s(%s)" % ("<" if part.source else ">", of_block(part.body))
    else:
        assert isinstance(part, nodes.ArithmeticExpansion)
        shown = "$((%s))" % part.expression
    return '"%s"' % shown if part.quoted else shown


def of_assignment(one: nodes.Assignment) -> str:
    name = one.name + ("" if one.element is None else "[%s]" % one.element) + "+" * one.append
    if one.array is not None:
        return "%d-%d %s=[%s]" % (one.start, one.end, name, ", ".join(map(of_word, one.array)))
    assert one.word is not None
    return "%d-%d %s=(%s)" % (one.start, one.end, name, of_word(one.word))


def of_redirection(one: nodes.Redirection) -> str:
    document = one.document
    body = "" if document is None else "%s%d-%d" % ("~" if document.joins else "=", document.start, document.end)
    return "%d %s%s(%s)%s" % (one.start, one.descriptor, one.operator, of_word(one.target), body)


def tree_of(text: str, dialect: str) -> str:
    try:
        return of_block(parse(Text(text, "/x"), dialect)[0])[1:-1]
    except ShellSyntaxError as error:
        return "error %d: %s" % (error.position, error.message)


ROWS = [
    # Simple commands
    ("bash", "", ""),
    ("bash", "a", "simple 0-1(0-1 a)"),
    ("bash", "a b", "simple 0-3(0-1 a, 2-3 b)"),
    ("bash", " a  b ", "simple 1-5(1-2 a, 4-5 b)"),
    ("bash", "a\n", "simple 0-1(0-1 a)"),
    ("bash", "a;b", "simple 0-1(0-1 a); simple 2-3(2-3 b)"),
    ("bash", "a; b;", "simple 0-1(0-1 a); simple 3-4(3-4 b)"),
    ("bash", "a\n\nb", "simple 0-1(0-1 a); simple 3-4(3-4 b)"),
    ("bash", "a &", "background 0-3(simple 0-1(0-1 a))"),
    ("bash", "a & b", "background 0-3(simple 0-1(0-1 a)); simple 4-5(4-5 b)"),
    ("bash", "a b # c", "simple 0-3(0-1 a, 2-3 b)"),
    ("bash", "# c", ""),
    ("bash", "# c\na", "simple 4-5(4-5 a)"),
    ("bash", "a#b", "simple 0-3(0-3 a#b)"),
    ("bash", "a \\\nb", "simple 0-5(0-1 a, 4-5 b)"),
    ("bash", "a\\\nb", "simple 0-4(0-4 {0-1 a, 3-4 b})"),
    ("bash", "a |b", "pipeline 0-4(simple 0-1(0-1 a) | simple 3-4(3-4 b))"),
    ("bash", "a | b | c", "pipeline 0-9(simple 0-1(0-1 a) | simple 4-5(4-5 b) | simple 8-9(8-9 c))"),
    ("bash", "a |& b", "pipeline 0-6(simple 0-1(0-1 a) | simple 5-6(5-6 b))"),
    ("bash", "! a", "pipeline 0-3(!, simple 2-3(2-3 a))"),
    ("bash", "! ! a", "simple 4-5(4-5 a)"),
    ("bash", "! a | b", "pipeline 0-7(!, simple 2-3(2-3 a) | simple 6-7(6-7 b))"),
    ("bash", "time a", "simple 5-6(5-6 a)"),
    ("bash", "a && b", "andor 0-6(simple 0-1(0-1 a), && simple 5-6(5-6 b))"),
    ("bash", "a || b && c", "andor 0-11(simple 0-1(0-1 a), || simple 5-6(5-6 b), && simple 10-11(10-11 c))"),
    ("bash", "a &&\nb", "andor 0-6(simple 0-1(0-1 a), && simple 5-6(5-6 b))"),
    ("bash", "a &&\n# c\nb", "andor 0-10(simple 0-1(0-1 a), && simple 9-10(9-10 b))"),
    (
        "bash",
        "a | b && ! c",
        "andor 0-12(pipeline 0-5(simple 0-1(0-1 a) | simple 4-5(4-5 b)), && pipeline 9-12(!, simple 11-12(11-12 c)))",
    ),
    ("bash", "a && b &", "background 0-8(andor 0-6(simple 0-1(0-1 a), && simple 5-6(5-6 b)))"),
    ("bash", "a; b & c", "simple 0-1(0-1 a); background 3-6(simple 3-4(3-4 b)); simple 7-8(7-8 c)"),
    # Quotes
    ("bash", "'a b'", "simple 0-5(0-5 {1-4 'a b'})"),
    ("bash", '"a b"', "simple 0-5(0-5 {1-4 'a b'})"),
    ("bash", "a'b'c", "simple 0-5(0-5 {0-1 a, 2-3 'b', 4-5 c})"),
    ("bash", "''", "simple 0-2(0-2 {1-1 ''})"),
    ("bash", '""', "simple 0-2(0-2 {1-1 ''})"),
    ("bash", "'a'\"b\"", "simple 0-6(0-6 {1-2 'a', 4-5 'b'})"),
    ("bash", "\\a", "simple 0-2(0-2 {1-2 'a'})"),
    ("bash", "\\$x", "simple 0-3(0-3 {1-2 '$', 2-3 x})"),
    ("bash", "a\\ b", "simple 0-4(0-4 {0-1 a, 2-3 ' ', 3-4 b})"),
    ("bash", '"a\\"b"', "simple 0-6(0-6 {1-2 'a', 3-5 '\"b'})"),
    ("bash", '"\\a"', "simple 0-4(0-4 {1-3 '\\a'})"),
    ("bash", '"a\\\nb"', "simple 0-6(0-6 {1-2 'a', 4-5 'b'})"),
    ("bash", "'a\\b'", "simple 0-5(0-5 {1-4 'a\\b'})"),
    ("bash", "$'a\\nb'", "simple 0-7(0-7 {2-3 'a', 3-5 '\n', 5-6 'b'})"),
    ("bash", "$'\\x41\\101'", "simple 0-11(0-11 {2-6 'A', 6-10 'A'})"),
    ("bash", "$''", "simple 0-3(0-3 {2-2 ''})"),
    ("bash", "$'\\''", "simple 0-5(0-5 {2-4 '''})"),
    ("bash", '$"a"', "simple 0-4(0-4 {2-3 'a'})"),
    ("bash", 'a"$x"b', 'simple 0-6(0-6 {0-1 a, 2-4 "$x", 5-6 b})'),
    ("bash", "'a\nb'", "simple 0-5(0-5 {1-4 'a\nb'})"),
    ("bash", '"a\'b"', "simple 0-5(0-5 {1-4 'a'b'})"),
    ("bash", "~/a", "simple 0-3(0-3 ~/a)"),
    ("bash", "{a,b}", "simple 0-5(0-5 {a,b})"),
    ("bash", "*.sh", "simple 0-4(0-4 *.sh)"),
    # Parameters
    ("bash", "$a", "simple 0-2(0-2 {0-2 $a})"),
    ("bash", "${a}", "simple 0-4(0-4 {0-4 $a})"),
    ("bash", "$1", "simple 0-2(0-2 {0-2 $1})"),
    ("bash", "$10", "simple 0-3(0-3 {0-2 $1, 2-3 0})"),
    ("bash", "${10}", "simple 0-5(0-5 {0-5 $10})"),
    ("bash", "$@", "simple 0-2(0-2 {0-2 $@})"),
    ("bash", "$*", "simple 0-2(0-2 {0-2 $*})"),
    ("bash", "$#", "simple 0-2(0-2 {0-2 $#})"),
    ("bash", "$?", "simple 0-2(0-2 {0-2 $?})"),
    ("bash", "$$", "simple 0-2(0-2 {0-2 $$})"),
    ("bash", "$!", "simple 0-2(0-2 {0-2 $!})"),
    ("bash", "$-", "simple 0-2(0-2 {0-2 $-})"),
    ("bash", "$", "simple 0-1(0-1 $)"),
    ("bash", "a$", "simple 0-2(0-2 a$)"),
    ("bash", "$a$b", "simple 0-4(0-4 {0-2 $a, 2-4 $b})"),
    ("bash", "$a#b", "simple 0-4(0-4 {0-2 $a, 2-4 #b})"),
    ("bash", "$a\\\nb", "simple 0-5(0-5 {0-5 $ab})"),
    ("bash", '"$a\\\n b"', "simple 0-8(0-8 {1-3 \"$a\", 5-7 ' b'})"),
    ("bash", "$ab.c", "simple 0-5(0-5 {0-3 $ab, 3-5 .c})"),
    ("bash", "${#a}", "simple 0-5(0-5 {0-5 ${#a}})"),
    ("bash", "${a:-b}", "simple 0-7(0-7 {0-7 ${a :- 5-6 b}})"),
    ("bash", "${a-b}", "simple 0-6(0-6 {0-6 ${a - 4-5 b}})"),
    ("bash", "${a:=b}", "simple 0-7(0-7 {0-7 ${a := 5-6 b}})"),
    ("bash", "${a:+b}", "simple 0-7(0-7 {0-7 ${a :+ 5-6 b}})"),
    ("bash", "${a:?b}", "simple 0-7(0-7 {0-7 ${a :? 5-6 b}})"),
    ("bash", "${a%b}", "simple 0-6(0-6 {0-6 ${a % 4-5 b}})"),
    ("bash", "${a%%b}", "simple 0-7(0-7 {0-7 ${a %% 5-6 b}})"),
    ("bash", "${a#b}", "simple 0-6(0-6 {0-6 ${a # 4-5 b}})"),
    ("bash", "${a##b}", "simple 0-7(0-7 {0-7 ${a ## 5-6 b}})"),
    ("bash", "${a/b/c}", "simple 0-8(0-8 {0-8 ${a / 4-7 b/c}})"),
    ("bash", "${a//b/c}", "simple 0-9(0-9 {0-9 ${a // 5-8 b/c}})"),
    ("bash", "${a:1:2}", "simple 0-8(0-8 {0-8 ${a : 4-7 1:2}})"),
    ("bash", "${a^^}", "simple 0-6(0-6 {0-6 ${a ^^ 5-5 {}}})"),
    ("bash", "${a,}", "simple 0-5(0-5 {0-5 ${a , 4-4 {}}})"),
    ("bash", "${a@Q}", "simple 0-6(0-6 {0-6 ${a @ 4-5 Q}})"),
    ("bash", "${!a}", "simple 0-5(0-5 {0-5 ${a !}})"),
    ("bash", "${a[0]}", "simple 0-7(0-7 {0-7 ${a[0]}})"),
    ("bash", "${a[@]}", "simple 0-7(0-7 {0-7 ${a[@]}})"),
    ("bash", "${#a[@]}", "simple 0-8(0-8 {0-8 ${#a[@]}})"),
    ("bash", '"${a[@]}"', 'simple 0-9(0-9 {1-8 "${a[@]}"})'),
    ("bash", "${a:-$b}", "simple 0-8(0-8 {0-8 ${a :- 5-7 {5-7 $b}}})"),
    ("bash", '${a:-"b c"}', "simple 0-11(0-11 {0-11 ${a :- 5-10 {6-9 'b c'}}})"),
    ("bash", '"${a:-b c}"', "simple 0-11(0-11 {1-10 \"${a :- 6-9 {6-9 'b c'}}\"})"),
    ("bash", "\"${a:-'b'}\"", "simple 0-11(0-11 {1-10 \"${a :- 6-9 {6-9 ''b''}}\"})"),
    ("bash", "${a:-}", "simple 0-6(0-6 {0-6 ${a :- 5-5 {}}})"),
    ("bash", "${a:-${b:-c}}", "simple 0-13(0-13 {0-13 ${a :- 5-12 {5-12 ${b :- 10-11 c}}}})"),
    ("bash", "\"${a%'b'}\"", "simple 0-10(0-10 {1-9 \"${a % 5-8 {6-7 'b'}}\"})"),
    ("bash", "${a:+$(b)}", "simple 0-10(0-10 {0-10 ${a :+ 5-9 {5-9 $([simple 7-8(7-8 b)])}}})"),
    # Substitutions
    ("bash", "$(a)", "simple 0-4(0-4 {0-4 $([simple 2-3(2-3 a)])})"),
    ("bash", "$(a b)", "simple 0-6(0-6 {0-6 $([simple 2-5(2-3 a, 4-5 b)])})"),
    ("bash", "$( a; b )", "simple 0-9(0-9 {0-9 $([simple 3-4(3-4 a); simple 6-7(6-7 b)])})"),
    ("bash", "$()", "simple 0-3(0-3 {0-3 $([])})"),
    ("bash", '"$(a "b")"', "simple 0-10(0-10 {1-9 \"$([simple 3-8(3-4 a, 5-8 {6-7 'b'})])\"})"),
    ("bash", "$(a $(b))", "simple 0-9(0-9 {0-9 $([simple 2-8(2-3 a, 4-8 {4-8 $([simple 6-7(6-7 b)])})])})"),
    ("bash", "`a`", "simple 0-3(0-3 {0-3 $([simple 0-1(0-1 a)])})"),
    ("bash", "`a \\`b\\``", "simple 0-9(0-9 {0-9 $([simple 0-5(0-1 a, 2-5 {2-5 $([simple 0-1(0-1 b)])})])})"),
    ("bash", '"`a`"', 'simple 0-5(0-5 {1-4 "$([simple 0-1(0-1 a)])"})'),
    ("bash", "$(a # )\n)", "simple 0-9(0-9 {0-9 $([simple 2-3(2-3 a)])})"),
    ("bash", "x$(a)y", "simple 0-6(0-6 {0-1 x, 1-5 $([simple 3-4(3-4 a)]), 5-6 y})"),
    ("bash", "$(<f)", "simple 0-5(0-5 {0-5 $([simple 2-4(2 <(3-4 f))])})"),
    ("bash", "<(a)", "simple 0-4(0-4 {0-4 <([simple 2-3(2-3 a)])})"),
    ("bash", "a >(b)", "simple 0-6(0-1 a, 2-6 {2-6 >([simple 4-5(4-5 b)])})"),
    ("bash", "$((1+2))", "simple 0-8(0-8 {0-8 $((1+2))})"),
    ("bash", "$(( (1) ))", "simple 0-10(0-10 {0-10 $(( (1) ))})"),
    ("bash", '"$((a))"', 'simple 0-8(0-8 {1-7 "$((a))"})'),
    ("bash", "$((a) )", "simple 0-7(0-7 {0-7 $([subshell 2-5([simple 3-4(3-4 a)])])})"),
    ("bash", "$(cat <<E\nx\nE\n)", "simple 0-15(0-15 {0-15 $([simple 2-9(2-5 cat, 6 <<(8-9 E)~10-12)])})"),
    # Assignments
    ("bash", "a=", "simple 0-2(0-2 a=(2-2 {}))"),
    ("bash", "a=1", "simple 0-3(0-3 a=(2-3 1))"),
    ("bash", "a=1 b=2", "simple 0-7(0-3 a=(2-3 1), 4-7 b=(6-7 2))"),
    ("bash", "a=1 b", "simple 0-5(0-3 a=(2-3 1), 4-5 b)"),
    ("bash", "a+=1", "simple 0-4(0-4 a+=(3-4 1))"),
    ("bash", "a='b c'", "simple 0-7(0-7 a=(2-7 {3-6 'b c'}))"),
    ("bash", "a=$b", "simple 0-4(0-4 a=(2-4 {2-4 $b}))"),
    ("bash", "a=(1 2)", "simple 0-7(0-7 a=[3-4 1, 5-6 2])"),
    ("bash", "a=()", "simple 0-4(0-4 a=[])"),
    ("bash", "a+=(1)", "simple 0-6(0-6 a+=[4-5 1])"),
    ("bash", "a=(1\n2 # c\n)", "simple 0-12(0-12 a=[3-4 1, 5-6 2])"),
    ("bash", 'a=("$b" $(c))', 'simple 0-13(0-13 a=[3-7 {4-6 "$b"}, 8-12 {8-12 $([simple 10-11(10-11 c)])}])'),
    ("bash", "a[0]=1", "simple 0-6(0-6 a[0]=(5-6 1))"),
    ("bash", "a[1]+=2", "simple 0-7(0-7 a[1]+=(6-7 2))"),
    ("bash", "a[${#a[@]}]=x", "simple 0-13(0-13 a[${#a[@]}]=(12-13 x))"),
    ("bash", "export a=1", "simple 0-10(0-6 export, 7-10 a=(9-10 1))"),
    ("bash", "export a", "simple 0-8(0-6 export, 7-8 a)"),
    ("bash", "export a=1 b c=2", "simple 0-16(0-6 export, 7-10 a=(9-10 1), 11-12 b, 13-16 c=(15-16 2))"),
    ("bash", "declare -a a=(1)", "simple 0-16(0-7 declare, 8-10 -a, 11-16 a=[14-15 1])"),
    ("bash", "local a", "simple 0-7(0-5 local, 6-7 a)"),
    ("bash", "readonly a=$b", "simple 0-13(0-8 readonly, 9-13 a=(11-13 {11-13 $b}))"),
    ("bash", "a=1 export b=2", "simple 0-14(0-3 a=(2-3 1), 4-10 export, 11-14 b=(13-14 2))"),
    ("bash", "1a=2", "simple 0-4(0-4 1a=2)"),
    ("bash", "a =1", "simple 0-4(0-1 a, 2-4 =1)"),
    ("bash", "b a=1", "simple 0-5(0-1 b, 2-5 a=1)"),
    ("bash", "a=b=c", "simple 0-5(0-5 a=(2-5 b=c))"),
    ("bash", "a=1 >f", "simple 0-6(0-3 a=(2-3 1), 4 >(5-6 f))"),
    # Redirections
    ("bash", ">f", "simple 0-2(0 >(1-2 f))"),
    ("bash", "a >f", "simple 0-4(0-1 a, 2 >(3-4 f))"),
    ("bash", "a>f b", "simple 0-5(0-1 a, 4-5 b, 1 >(2-3 f))"),
    ("bash", "a 2>f", "simple 0-5(0-1 a, 2 2>(4-5 f))"),
    ("bash", "a 2>&1", "simple 0-6(0-1 a, 2 2>&(5-6 1))"),
    ("bash", "a >&2", "simple 0-5(0-1 a, 2 >&(4-5 2))"),
    ("bash", "a >&-", "simple 0-5(0-1 a, 2 >&(4-5 -))"),
    ("bash", "a <f", "simple 0-4(0-1 a, 2 <(3-4 f))"),
    ("bash", "a <>f", "simple 0-5(0-1 a, 2 <>(4-5 f))"),
    ("bash", "a >>f", "simple 0-5(0-1 a, 2 >>(4-5 f))"),
    ("bash", "a >|f", "simple 0-5(0-1 a, 2 >|(4-5 f))"),
    ("bash", "a &>f", "simple 0-5(0-1 a, 2 &>(4-5 f))"),
    ("bash", "a &>>f", "simple 0-6(0-1 a, 2 &>>(5-6 f))"),
    ("bash", "a {x}>f", "simple 0-7(0-1 a, 2 {x}>(6-7 f))"),
    ("bash", "a <<<b", "simple 0-6(0-1 a, 2 <<<(5-6 b))"),
    ("bash", 'a <<<"$b"', 'simple 0-9(0-1 a, 2 <<<(5-9 {6-8 "$b"}))'),
    ("bash", ">f a", "simple 0-4(3-4 a, 0 >(1-2 f))"),
    ("bash", "a 12>f", "simple 0-6(0-1 a, 2 12>(5-6 f))"),
    ("bash", "a 1 >f", "simple 0-6(0-1 a, 2-3 1, 4 >(5-6 f))"),
    ("bash", "a >f <g 2>&1", "simple 0-12(0-1 a, 2 >(3-4 f), 5 <(6-7 g), 8 2>&(11-12 1))"),
    ("bash", "a <&3", "simple 0-5(0-1 a, 2 <&(4-5 3))"),
    ("bash", "{ a; } >f", "group 0-9([simple 2-3(2-3 a)], 7 >(8-9 f))"),
    ("bash", "(a) 2>f", "subshell 0-7([simple 1-2(1-2 a)], 4 2>(6-7 f))"),
    ("bash", "if a; then b; fi <f", "if 0-19([simple 3-4(3-4 a)] then [simple 11-12(11-12 b)], 17 <(18-19 f))"),
    (
        "bash",
        "while a; do b; done >f <g",
        "while 0-25(while [simple 6-7(6-7 a)] do [simple 12-13(12-13 b)], 20 >(21-22 f), 23 <(24-25 g))",
    ),
    # Here-documents
    ("bash", "a <<E\nx\nE\n", "simple 0-5(0-1 a, 2 <<(4-5 E)~6-8)"),
    ("bash", "a <<E\nE\n", "simple 0-5(0-1 a, 2 <<(4-5 E)~6-6)"),
    ("bash", "a <<'E'\n$x\nE\n", "simple 0-7(0-1 a, 2 <<(4-7 {5-6 'E'})=8-11)"),
    ("bash", "a <<\\E\nx\nE\n", "simple 0-6(0-1 a, 2 <<(4-6 {5-6 'E'})=7-9)"),
    ("bash", 'a <<"E"\nx\nE\n', "simple 0-7(0-1 a, 2 <<(4-7 {5-6 'E'})=8-10)"),
    ("bash", "a <<-E\n\tx\n\tE\n", "simple 0-6(0-1 a, 2 <<-(5-6 E)~7-10)"),
    (
        "bash",
        "a <<E <<F\nx\nE\ny\nF\nb",
        "simple 0-9(0-1 a, 2 <<(4-5 E)~10-12, 6 <<(8-9 F)~14-16); simple 18-19(18-19 b)",
    ),
    ("bash", "a <<E | b\nx\nE\n", "pipeline 0-9(simple 0-5(0-1 a, 2 <<(4-5 E)~10-12) | simple 8-9(8-9 b))"),
    ("bash", "a <<E; b\nx\nE\nc", "simple 0-5(0-1 a, 2 <<(4-5 E)~9-11); simple 7-8(7-8 b); simple 13-14(13-14 c)"),
    ("bash", "a <<E\nx\\\nE\nE\n", "simple 0-5(0-1 a, 2 <<(4-5 E)~6-11)"),
    ("bash", "a <<E\nx", "simple 0-5(0-1 a, 2 <<(4-5 E)~6-7)"),
    ("bash", "a <<-E\nx\\\n\tE\nE\n", "simple 0-6(0-1 a, 2 <<-(5-6 E)~7-13)"),
    ("bash", "{ a <<E; }\nx\nE\n", "group 0-10([simple 2-7(2-3 a, 4 <<(6-7 E)~11-13)])"),
    ("bash", "a <<E &&\nx\nE\nb", "andor 0-14(simple 0-5(0-1 a, 2 <<(4-5 E)~9-11), && simple 13-14(13-14 b))"),
    # Compound commands
    ("bash", "(a)", "subshell 0-3([simple 1-2(1-2 a)])"),
    ("bash", "( a; b )", "subshell 0-8([simple 2-3(2-3 a); simple 5-6(5-6 b)])"),
    ("bash", "((a))", "arithmetic 0-5(a)"),
    ("bash", "((a+(1)))", "arithmetic 0-9(a+(1))"),
    ("bash", "( (a) )", "subshell 0-7([subshell 2-5([simple 3-4(3-4 a)])])"),
    ("bash", "{ a; }", "group 0-6([simple 2-3(2-3 a)])"),
    ("bash", "{ a; b\n}", "group 0-8([simple 2-3(2-3 a); simple 5-6(5-6 b)])"),
    ("bash", "{ (a); }", "group 0-8([subshell 2-5([simple 3-4(3-4 a)])])"),
    ("bash", "if a; then b; fi", "if 0-16([simple 3-4(3-4 a)] then [simple 11-12(11-12 b)])"),
    (
        "bash",
        "if a; then b; else c; fi",
        "if 0-24([simple 3-4(3-4 a)] then [simple 11-12(11-12 b)], else [simple 19-20(19-20 c)])",
    ),
    (
        "bash",
        "if a; then b; elif c; then d; else e; fi",
        "if 0-40([simple 3-4(3-4 a)] then [simple 11-12(11-12 b)], [simple 19-20(19-20 c)] then [simple 27-28(27-28 d)], else [simple 35-36(35-36 e)])",
    ),
    ("bash", "if a\nthen\nb\nfi", "if 0-14([simple 3-4(3-4 a)] then [simple 10-11(10-11 b)])"),
    (
        "bash",
        "if a && b; then c; fi",
        "if 0-21([andor 3-9(simple 3-4(3-4 a), && simple 8-9(8-9 b))] then [simple 16-17(16-17 c)])",
    ),
    ("bash", "while a; do b; done", "while 0-19(while [simple 6-7(6-7 a)] do [simple 12-13(12-13 b)])"),
    ("bash", "until a; do b; done", "while 0-19(until [simple 6-7(6-7 a)] do [simple 12-13(12-13 b)])"),
    ("bash", "while a\ndo\nb\ndone", "while 0-17(while [simple 6-7(6-7 a)] do [simple 11-12(11-12 b)])"),
    ("bash", "for a in b c; do d; done", "for 0-24(a in [9-10 b, 11-12 c] do [simple 17-18(17-18 d)])"),
    ("bash", "for a; do b; done", "for 0-17(a in the arguments do [simple 10-11(10-11 b)])"),
    ("bash", "for a in; do b; done", "for 0-20(a in [] do [simple 13-14(13-14 b)])"),
    ("bash", "for a\ndo b; done", "for 0-16(a in the arguments do [simple 9-10(9-10 b)])"),
    (
        "bash",
        'for a in $b "$@"\ndo c; done',
        'for 0-27(a in [9-11 {9-11 $b}, 12-16 {13-15 "$@"}] do [simple 20-21(20-21 c)])',
    ),
    ("bash", "for a in b; { c; }", "for 0-18(a in [9-10 b] do [simple 14-15(14-15 c)])"),
    ("bash", "for ((a=0; a<1; a++)); do b; done", "arithmeticfor 0-33(a=0; a<1; a++ do [simple 26-27(26-27 b)])"),
    ("bash", "select a in b; do c; done", "select 0-25(a in [12-13 b] do [simple 18-19(18-19 c)])"),
    ("bash", "case a in b) c ;; esac", "case 0-22(5-6 a, 10-11 b) [simple 13-14(13-14 c)] ;;)"),
    ("bash", "case a in b|c) d ;; esac", "case 0-24(5-6 a, 10-11 b | 12-13 c) [simple 15-16(15-16 d)] ;;)"),
    ("bash", "case a in (b) c ;; esac", "case 0-23(5-6 a, 11-12 b) [simple 14-15(14-15 c)] ;;)"),
    (
        "bash",
        "case $a in\nb) c ;;\n*) d\nesac",
        "case 0-28(5-7 {5-7 $a}, 11-12 b) [simple 14-15(14-15 c)] ;;, 19-20 *) [simple 22-23(22-23 d)] ;;)",
    ),
    ("bash", "case a in b) ;; esac", "case 0-20(5-6 a, 10-11 b) [] ;;)"),
    (
        "bash",
        "case a in b) c ;& d) e ;;& esac",
        "case 0-31(5-6 a, 10-11 b) [simple 13-14(13-14 c)] ;&, 18-19 d) [simple 21-22(21-22 e)] ;;&)",
    ),
    ("bash", "case a in esac", "case 0-14(5-6 a)"),
    ("bash", 'case a in "b c") d;; esac', "case 0-25(5-6 a, 10-15 {11-14 'b c'}) [simple 17-18(17-18 d)] ;;)"),
    ("bash", "[[ a ]]", "condition 0-7(3-4 a)"),
    ("bash", "[[ a == b ]]", "condition 0-12(3-4 a, ==, 8-9 b)"),
    ("bash", "[[ -n $a && ! ( b || c ) ]]", "condition 0-27(3-5 -n, 6-8 {6-8 $a}, &&, !, (, 16-17 b, ||, 21-22 c, ))"),
    ("bash", "[[ $a =~ ^(b|c)$ ]]", "condition 0-19(3-5 {3-5 $a}, =~, 9-16 ^(b|c)$)"),
    ("bash", "[[ a < b ]]", "condition 0-11(3-4 a, <, 7-8 b)"),
    ("bash", "[ a = b ]", "simple 0-9(0-1 [, 2-3 a, 4-5 =, 6-7 b, 8-9 ])"),
    ("bash", "a() { b; }", "function 0-10(a, group 4-10([simple 6-7(6-7 b)]))"),
    ("bash", "a () ( b )", "function 0-10(a, subshell 5-10([simple 7-8(7-8 b)]))"),
    ("bash", "function a { b; }", "function 0-17(a, group 11-17([simple 13-14(13-14 b)]))"),
    ("bash", "function a() { b; }", "function 0-19(a, group 13-19([simple 15-16(15-16 b)]))"),
    ("bash", "a()\n{ b; }", "function 0-10(a, group 4-10([simple 6-7(6-7 b)]))"),
    ("bash", "a() { b; } >f", "function 0-13(a, group 4-13([simple 6-7(6-7 b)], 11 >(12-13 f)))"),
    ("bash", "a() if b; then c; fi", "function 0-20(a, if 4-20([simple 7-8(7-8 b)] then [simple 15-16(15-16 c)]))"),
    (
        "bash",
        "if a; then b; fi | c",
        "pipeline 0-20(if 0-16([simple 3-4(3-4 a)] then [simple 11-12(11-12 b)]) | simple 19-20(19-20 c))",
    ),
    ("bash", "{ a; } && b", "andor 0-11(group 0-6([simple 2-3(2-3 a)]), && simple 10-11(10-11 b))"),
    ("bash", "echo if", "simple 0-7(0-4 echo, 5-7 if)"),
    ("bash", "echo }", "simple 0-6(0-4 echo, 5-6 })"),
    ("bash", "coproc a", "simple 0-8(0-6 coproc, 7-8 a)"),
    # What is none of the shell's
    ("bash", "(", "error 1: expected ')' before the end of the file"),
    ("bash", ")", "error 0: unexpected ')'"),
    ("bash", "(a", "error 2: expected ')' before the end of the file"),
    ("bash", "{ a", "error 3: expected '}' before the end of the file"),
    ("bash", "{ a }", "error 5: expected '}' before the end of the file"),
    ("bash", "if a; then fi", "error 11: unexpected 'fi'"),
    ("bash", "if a", "error 4: expected 'then' before the end of the file"),
    ("bash", "then", "error 0: unexpected 'then'"),
    ("bash", "fi", "error 0: unexpected 'fi'"),
    ("bash", "while a; do done", "error 12: unexpected 'done'"),
    ("bash", "for 1 in a; do b; done", "error 4: expected a name after 'for'"),
    ("bash", "for a in b", "error 10: expected 'do'"),
    ("bash", "case a in", "error 9: expected 'esac' before the end of the file"),
    ("bash", "case a b) c;; esac", "error 7: expected 'in'"),
    ("bash", "'a", "error 0: unfinished single quote"),
    ("bash", '"a', "error 0: unfinished double quote"),
    ("bash", "`a", "error 0: unfinished backtick"),
    ("bash", "$(a", "error 3: expected ')' before the end of the file"),
    ("bash", "${a", "error 3: expected '}'"),
    ("bash", "${", "error 0: a parameter expansion that is not supported"),
    ("bash", "a &&", "error 4: unexpected ''"),
    ("bash", "a |", "error 3: unexpected ''"),
    ("bash", "| a", "error 0: unexpected '|'"),
    ("bash", "&& a", "error 0: unexpected '&'"),
    ("bash", "a ;;", "error 2: unexpected ';'"),
    ("bash", "a; ; b", "error 3: unexpected ';'"),
    ("bash", "& a", "error 0: unexpected '&'"),
    ("bash", "a()", "error 3: unexpected ''"),
    ("bash", "a() b", "error 5: a function without a body"),
    ("bash", "[[ a", "error 4: expected ']]'"),
    ("bash", "a=(1", "error 4: unexpected '' in an array"),
    ("bash", "a=(1)b", "error 5: characters behind an array"),
    ("bash", "a >", "error 3: expected a word instead of ''"),
    ("bash", "a <", "error 3: expected a word instead of ''"),
    ("bash", "a (b)", "error 3: unexpected '('"),
    ("bash", "((a", "error 3: expected ')' before the end of the file"),
    ("bash", "${a:-b", "error 6: expected '}'"),
    ("bash", "a\x00b", "error 1: a NUL byte"),
    ("bash", "$'\\u0041'", "error 0: an escape in $'…' that is not supported"),
    ("bash", "()", "error 1: unexpected ')'"),
    # dash
    ("dash", "a", "simple 0-1(0-1 a)"),
    ("dash", "a=1 b", "simple 0-5(0-3 a=(2-3 1), 4-5 b)"),
    ("dash", "a=(1)", "error 2: an array in dash"),
    ("dash", "a+=1", "simple 0-4(0-4 a+=1)"),
    ("dash", "a[0]=1", "simple 0-6(0-6 a[0]=1)"),
    ("dash", "[[ a ]]", "simple 0-7(0-2 [[, 3-4 a, 5-7 ]])"),
    ("dash", "((a))", "subshell 0-5([subshell 1-4([simple 2-3(2-3 a)])])"),
    ("dash", "$((1))", "simple 0-6(0-6 {0-6 $((1))})"),
    ("dash", "$'a'", "simple 0-4(0-4 {0-1 $, 2-3 'a'})"),
    ("dash", '$"a"', "simple 0-4(0-4 {0-1 $, 2-3 'a'})"),
    ("dash", "a <<<b", "error 2: '<<<' in dash"),
    ("dash", "a &>f", "background 0-3(simple 0-1(0-1 a)); simple 3-5(3 >(4-5 f))"),
    ("dash", "a >&f", "error 5: a bad file descriptor"),
    ("dash", "a |& b", "error 3: unexpected '&'"),
    ("dash", "function a", "simple 0-10(0-8 function, 9-10 a)"),
    ("dash", "function a { b; }", "error 16: unexpected '}'"),
    ("dash", "a() b", "function 0-5(a, simple 4-5(4-5 b))"),
    ("dash", "1a() { b; }", "error 11: no name for a function"),
    ("dash", "time a", "simple 0-6(0-4 time, 5-6 a)"),
    ("dash", "select a in b", "simple 0-13(0-6 select, 7-8 a, 9-11 in, 12-13 b)"),
    ("dash", "for a in b; do c; done", "for 0-22(a in [9-10 b] do [simple 15-16(15-16 c)])"),
    ("dash", "case a in b) c ;& esac", "error 15: unexpected '&'"),
    ("dash", "export a=1", "simple 0-10(0-6 export, 7-10 a=(9-10 1))"),
    ("dash", "local a=$b", "simple 0-10(0-5 local, 6-10 a=(8-10 {8-10 $b}))"),
    ("dash", "<(a)", "error 0: expected a word instead of '<'"),
    ("dash", "a {x}>f", "simple 0-7(0-1 a, 2-5 {x}, 5 >(6-7 f))"),
    ("dash", "! a", "pipeline 0-3(!, simple 2-3(2-3 a))"),
    ("dash", "a <<-E\n\tx\n\tE\n", "simple 0-6(0-1 a, 2 <<-(5-6 E)~7-10)"),
    ("dash", "${a:-b}", "simple 0-7(0-7 {0-7 ${a :- 5-6 b}})"),
    ("dash", "${a/b/c}", "simple 0-8(0-8 {0-8 ${a / 4-7 b/c}})"),
    ("dash", "${a[0]}", "simple 0-7(0-7 {0-7 ${a[0]}})"),
]


@pytest.mark.parametrize(("dialect", "text", "tree"), ROWS, ids=[f"{row[0]}-{row[1]!r}" for row in ROWS])
def test_a_text_has_this_tree(dialect: str, text: str, tree: str) -> None:
    assert tree_of(text, dialect) == tree


def test_the_table_has_each_kind_of_node_and_of_part() -> None:
    kinds = {one.__name__.lower() for one in all_below(nodes.Command)} - {"enclosed", "block"}
    assert len(ROWS) >= 150 and len({row[:2] for row in ROWS}) == len(ROWS)
    assert {kind for kind in kinds if not any(f"{kind} " in row[2] for row in ROWS)} == set()


def all_below(kind: type) -> list[type]:
    return [one for direct in kind.__subclasses__() for one in (direct, *all_below(direct))]


@pytest.mark.parametrize(("dialect", "text", "tree"), ROWS, ids=[f"{row[0]}-{row[1]!r}" for row in ROWS])
def test_each_place_lies_within_what_it_is_part_of(dialect: str, text: str, tree: str) -> None:
    """Words and commands lie one behind the other, inside the command that they belong to."""
    if tree.startswith("error"):
        return
    for command in nodes.everything_inside([parse(Text(text, "/x"), dialect)[0]]):
        inner = nodes.inside(command)
        assert 0 <= command.start <= command.end <= len(text)
        assert all(command.start <= one.start <= one.end <= command.end for one in inner)
        assert all(one.end <= other.start for one, other in zip(inner, inner[1:]))
        words = command.words if isinstance(command, nodes.Simple) else []
        assert all(one.end <= other.start for one, other in zip(words, words[1:]))
        assert all(word.start <= part.start <= part.end <= word.end for word in words for part in word.parts)


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("ab", [("ab", 0, False)]),
        ("'a b'", [("a b", 1, True)]),
        ("a'b'\"c\"", [("a", 0, False), ("b", 2, True), ("c", 5, True)]),
        (r"a\ b", [("a", 0, False), (" ", 2, True), ("b", 3, False)]),
        ("'~'{'}'", []),  # an unquoted brace is looked at where it is walked
        ("'{a,b}~'", [("{a,b}~", 1, True)]),
        (r"$'\t'", [("\t", 0, True)]),
        ("*", [("*", 0, False)]),
        *(
            (text, [])
            for text in ("$a", '"$a"', "a$b", "a`b`", "a$(b)", "$((1))", "<(a)", "~", "a:~", "{a,b}", "''", "a''")
        ),
    ],
)
def test_what_a_word_stands_for_without_a_shell(text: str, runs: list[tuple[str, int, bool]]) -> None:
    """Nothing, where an expansion is in it, and each time the same value, where none is."""
    (command,) = parse(Text(text, "/x"), "bash")[0].commands
    assert isinstance(command, nodes.Simple)
    (word,) = command.words
    assert [(run.text, run.position, run.quoted) for run in word.fixed] == runs
    assert all(run.path == ("/x" if run.text != "\t" else None) for run in word.fixed)
    assert word.fixed is word.fixed
