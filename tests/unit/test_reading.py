"""One reading of a host: each file is opened once, each text parsed once, and what is said of them fits together."""

from __future__ import annotations

import errno
import io
import os
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hostroot import FLAG, Host

from ansible_collections.cbops.telemetry.plugins.module_utils import _answer
from ansible_collections.cbops.telemetry.plugins.module_utils.host import _child, _files
from ansible_collections.cbops.telemetry.plugins.module_utils.host._files import HostFiles
from ansible_collections.cbops.telemetry.plugins.module_utils.launch import _definition, _discovery, _outcome
from ansible_collections.cbops.telemetry.plugins.module_utils.shell import _parser
from ansible_collections.cbops.telemetry.plugins.module_utils.shell._reach import script
from ansible_collections.cbops.telemetry.plugins.module_utils.text._characters import Value

WAR = "Manifest-Version: 1.0\r\nJenkins-Version: 2.452.3.2\r\n\r\n"
DEFAULT = "/etc/default/cloudbees-core-cm"


def war() -> str:
    """A war of the product."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as stream:
        stream.writestr("META-INF/MANIFEST.MF", WAR)
    return archive.getvalue().decode("latin-1")


def deb(host: Host) -> None:
    """The DEB layout."""
    host.write("/usr/share/cloudbees-core-cm/cloudbees-core-cm.war", war())
    host.deb(f'JAVA_ARGS="-Xmx2g {FLAG}"\nJAVA_ARGS="$JAVA_ARGS {FLAG[:-4]}false"\n')


def rpm(host: Host) -> None:
    """The RPM layout."""
    host.rpm(f'JENKINS_JAVA_OPTIONS="-Xmx2g {FLAG[:-4]}false"\n')
    host.write("/usr/lib/cloudbees-core-cm/cloudbees-core-cm.war", war())


def oss(host: Host) -> None:
    """A unit with a drop-in of the administrator."""
    host.oss(f'[Service]\nEnvironment="JAVA_OPTS=-Xmx1g {FLAG[:-4]}false"\n')
    host.write("/usr/share/java/jenkins.war", war())


def by_script(host: Host) -> None:
    """A launch script below a unit, for bash."""
    host.script('#!/bin/bash\n. /opt/cloudbees/cm/options\nexec java $OPTIONS -jar "/opt/cloudbees/cm/jenkins.war"\n')
    host.write("/opt/cloudbees/cm/options", f'OPTIONS="-Xmx1g {FLAG[:-4]}false"\n')
    host.write("/opt/cloudbees/cm/jenkins.war", war())


LAYOUTS = (deb, rpm, oss, by_script)


@pytest.fixture(params=LAYOUTS, ids=lambda layout: str(layout.__name__))
def host(tmp_path: Path, request: pytest.FixtureRequest) -> Host:
    """A host's root of each layout."""
    host = Host(tmp_path)
    host.write("/etc/passwd", "root:x:0:0::/root:/bin/bash\ncloudbees-core-cm:x:9:9::/var/lib/cm:/bin/bash\n")
    request.param(host)
    return host


class Counts:
    """How often each file is opened, each folder listed, each text parsed; children are counted, too."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.files: Counter[tuple[str, str]] = Counter()
        self.texts: Counter[tuple[str, ...]] = Counter()
        for name in ("open", "_entries"):
            monkeypatch.setattr(HostFiles, name, self._counted(name, getattr(HostFiles, name)))
        made, begun = HostFiles.made, _parser.Parser.__init__

        def counted(files: HostFiles, kind: str, path: str, text: str, make: Callable[[], Any]) -> Any:
            def make_counted() -> Any:
                self.texts[kind, path, text] += 1
                return make()

            return made(files, kind, path, text, make_counted)

        def parser(own: _parser.Parser, text: Any, dialect: str, *more: Any) -> None:
            if text.path is not None and not more:
                self.texts["parser: " + dialect, text.path, text.characters] += 1
            begun(own, text, dialect, *more)

        monkeypatch.setattr(HostFiles, "made", counted)
        monkeypatch.setattr(_parser.Parser, "__init__", parser)
        monkeypatch.setattr(_child, "bounded", lambda work, *_limits: work())

    def _counted(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def counted(files: HostFiles, path: str) -> Any:
            self.files[name, path] += 1
            return work(files, path)

        return counted

    def most(self, counts: Counter[Any]) -> dict[Any, int]:
        """What was counted more often than once."""
        return {one: count for one, count in counts.items() if count > 1}


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counts]:
    """Counts from here on."""
    yield Counts(monkeypatch)


def flag(host: Host, state: str, check: bool = False) -> dict[str, Any]:
    """What telemetry_flag answers."""
    options = {"attach": "never", "name": [], "backup": True, "run": "r", "backup_count": 3, "backup_days": 30}
    return _answer.telemetry_flag({"state": state, "root": str(host.root), "launch_scripts": [], **options}, check)


def info(host: Host) -> dict[str, Any]:
    """The one installation of the state document."""
    options = {"root": str(host.root), "launch_scripts": [], "attach": "never", "connectivity": None}
    [one] = _answer.telemetry_info(options, False)["state"]["installations"]
    found: dict[str, Any] = one
    return found


def test_an_audit_opens_and_parses_once(host: Host, counts: Counts) -> None:
    one = info(host)
    assert (one["on_disk"], one["settings"]["product_version"]) == ("enabled", "2.452.3.2")
    assert len(counts.files) > 20 and counts.most(counts.files) == {}
    assert any(kind.startswith("parser") for kind, *_rest in counts.texts) and counts.most(counts.texts) == {}


def test_an_edit_reads_once_before_once_before_it_writes_and_once_after(host: Host, counts: Counts) -> None:
    """The second reading is to see whether somebody else has edited since the first, the third proves what was done."""
    assert flag(host, "disabled", True)["changed"]
    assert counts.most(counts.files) == {}, "in check mode nothing is written"
    counts.files.clear()
    counts.texts.clear()
    assert flag(host, "disabled")["changed"]
    assert set(counts.files.values()) <= {1, 2, 3} and max(counts.files.values()) == 3
    assert counts.most(counts.texts) == {}, "what is made of the same text is the same in each reading"
    counts.files.clear()
    assert not flag(host, "disabled")["changed"]
    assert counts.most(counts.files) == {}, "what is right already is read once"


@pytest.mark.parametrize("moment", range(1, 5))
def test_an_edit_in_between_gives_no_lines_that_do_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    """Somebody writes the launch file after so many files were opened from its first opening on."""
    host = Host(tmp_path)
    deb(host)
    before = info(host)
    real, left = HostFiles.open, [0]

    def opened(files: HostFiles, path: str) -> Any:
        left[0] += path == DEFAULT or left[0] > 0
        if left[0] == moment + 1:
            host.write(DEFAULT, "# a\n# b\n" + host.read(DEFAULT).replace("false", "true"))
        return real(files, path)

    monkeypatch.setattr(HostFiles, "open", opened)
    assert info(host) == before
    assert left[0] > moment, "it was written"
    after = info(host)
    assert after["on_disk"] == "disabled" and after["declarations"] != before["declarations"]


def test_a_view_has_the_same_answer_until_it_is_made_anew(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.write("/etc/there", "a")
    host.write("/etc/refused/x", "")
    view = host.files
    errors = []
    for _time in range(2):
        for path, error in (("/etc/gone", FileNotFoundError), ("/etc/refused", IsADirectoryError)):
            with pytest.raises(error) as caught:
                view.read(path)
            errors.append(caught.value)
        assert (view.read("/etc/there"), view.head("/etc/gone"), view.exists("/etc/gone")) == ("a", b"", False)
        assert (view.list("/etc"), view.test("f", "/etc/gone")) == (["refused", "there"], False)
        host.write("/etc/there", "b")
        host.write("/etc/gone", "#!")
    assert len(set(map(id, errors))) == 4 and errors[0].filename, "an error that is kept would keep what was under way"
    after = view.anew()
    assert (after.read("/etc/there"), after.head("/etc/gone"), after.exists("/etc/gone")) == ("b", b"#!", True)
    assert (after.list("/etc"), after.test("f", "/etc/gone")) == (["gone", "refused", "there"], True)


def test_what_is_made_of_a_text_is_taken_over_by_the_text_alone(tmp_path: Path) -> None:
    view = Host(tmp_path).files
    made = [view.made("k", "/a", "text", object), view.anew().made("k", "/a", "text", object)]
    assert made[0] is made[1]
    assert (
        len({id(view.made(*key, object)) for key in (("k", "/a", "text"), ("l", "/a", "text"), ("k", "/a", ""))}) == 3
    )


def test_the_memory_of_a_view_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_files, "LIMIT_KEPT", 10)
    monkeypatch.setattr(_files, "LIMIT_ANSWERS", 4)
    monkeypatch.setattr(_files, "LIMIT_MADE", 10)
    host = Host(tmp_path)
    names = [f"/etc/{number}" for number in range(6)]
    for name in names:
        host.write(name, "x" * 4)
    view = host.files
    for name in names * 2:
        assert view.read(name) == "x" * 4
        view.made("k", name, "x" * 4, object)
        memory = view._memory
        assert sum(map(len, memory.content.values())) <= 10 and len(memory.answers) <= 4 and len(memory.made) <= 2
    host.write(names[0], "y" * 4)  # its content is not kept any more
    with pytest.raises(OSError, match="it was changed while this host was read") as error:
        view.read(names[0])
    assert error.value.errno == errno.ESTALE


def test_a_candidate_is_read_as_it_is_each_time(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.write("/opt/run", "#!/bin/sh\n")
    view = host.files
    assert script(view, "/opt/run") == "#!/bin/sh\n"
    assert script(view.with_candidates({"/opt/run": "#!/bin/sh\nexit\n"}), "/opt/run") == "#!/bin/sh\nexit\n"
    assert script(view.with_candidates({"/opt/run": None}), "/opt/run") is None
    assert script(view.with_candidates({"/opt/new": "x"}), "/opt/new") == "x" and script(view, "/opt/new") is None


def test_a_program_is_not_read_whole_for_its_first_bytes(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.write("/opt/java", "\x7fELF" + "x" * 500)
    view = host.files
    assert (view.head("/opt/java", 4), script(view, "/opt/java"), view._memory.content) == (b"\x7fELF", None, {})
    assert len(view.read("/opt/java")) == 504, "who wants it gets it"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give links away")
def test_links_of_roots_are_gone_along_at_once_and_those_of_others_with_their_rights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(os.path.realpath(tmp_path))
    host = Host(root)
    host.write("/srv/a/file", "x")
    for name, target in (("b", "/srv/a"), ("c", "../srv/a"), ("d", "/e"), ("his", "/srv/a"), ("file", "/srv/a/file")):
        (root / name).symlink_to(target)
    (root / "e").symlink_to("/his")
    root.chmod(0o700)
    os.lchown(root / "his", 65533, 65533)
    stepped: list[str] = []
    real = _files._open_step_by_step

    def step(root: str, home: str | None, path: str, *more: Any) -> Any:
        stepped.append(path)
        return real(root, home, path, *more)

    monkeypatch.setattr(_files, "_open_step_by_step", step)
    for path in ("/srv/a/file", "/b/file", "/c/file", "/file", "/b/../a/file"):
        assert host.files.read(path) == "x"
    for path in ("/his/file", "/d/file", "/e/file"):  # by a folder that is root's alone
        with pytest.raises(PermissionError):
            host.files.read(path)
    assert stepped == ["/c/file", "/file", "/b/../a/file", "/his/file", "/d/file", "/e/file"]
    (root / "srv").chmod(0o777)
    assert host.files.read("/b/file") == "x" and stepped[-1] == "/b/file", "where others may put it there"


def loaded(definition: _definition.Definition, **changes: str) -> _definition.Definition:
    """The same unit as the service manager tells it: without places, some variables with another value."""

    def plain(value: Any) -> Any:
        return Value.of(value.text)

    unit = definition.unit
    assert unit is not None
    environment = {
        name: variable._replace(value=plain(variable.value), path="loaded unit", position=0)
        for name, variable in unit.environment.items()
    }
    environment.update((name, environment[name]._replace(value=Value.of(value))) for name, value in changes.items())
    commands = tuple(tuple(plain(word) for word in command) for command in unit.exec_start)
    return _definition.definition_of(unit._replace(environment=environment, exec_start=commands))


def test_what_is_loaded_is_followed_where_it_differs_from_the_files_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host(tmp_path)
    oss(host)
    definition, on_disk = host.only()
    assert (on_disk.verdict, on_disk.path) == ("enabled", "/etc/systemd/system/jenkins.service.d/10-admin.conf")
    other = loaded(definition, JAVA_OPTS=FLAG)
    assert _outcome.outcome_of_loaded(other, definition, on_disk, host.files).verdict == "disabled"
    same, files = loaded(definition), host.files
    followed = _outcome.outcome(same, files)
    monkeypatch.setattr(_outcome, "walk", lambda *_arguments: pytest.fail("it is known already"))
    known = _outcome.outcome_of_loaded(same, definition, on_disk, files)
    for field in ("verdict", "reason", "path", "line", "vectors", "programs", "homes"):
        assert getattr(known, field) == getattr(followed, field), field


def test_links_in_a_circle_are_an_error_and_no_endless_way(host: Host) -> None:
    """Root's own, which a JVM's option may name."""
    (host.root / "etc").mkdir(exist_ok=True)
    (host.root / "etc/round").symlink_to("/etc/round")
    (host.root / "etc/there").symlink_to("/etc/back")
    (host.root / "etc/back").symlink_to("/etc/there")
    for path in ("/etc/round/x", "/etc/there/x"):
        with pytest.raises(OSError):
            host.files.open(path)


def test_a_file_that_is_read_again_is_the_same_or_an_error(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where what was asked of paths had been forgotten meanwhile."""
    monkeypatch.setattr(_files, "LIMIT_ANSWERS", 5)
    files = host.files
    host.write("/etc/a", "one")
    assert files.read("/etc/a") == "one"
    for number in range(10):
        files.exists(f"/etc/{number}")
    assert files.head("/etc/a") == b"on"
    for number in range(10):
        files.exists(f"/opt/{number}")
    host.write("/etc/a", "two")
    assert files.head("/etc/a") == b""
    assert files.read("/etc/a") == "one"


def test_what_large_values_lead_to_is_not_kept(host: Host) -> None:
    """A user's units may have thousands of them."""
    host.write("/etc/systemd/system/x.service", "[Service]\nExecStart=/bin/x\nEnvironment=A=" + "b" * 100000 + "\n")
    files = host.files
    _discovery.discover(files)
    assert max(len(text) for _question, text in files._memory.answers) <= _discovery.LIMIT_REMEMBERED
