"""Launch configurations that people have: the verdict, which file the flag joins, and that nothing else changes.

``cases/cases.tsv`` says what must come out; a case's files lie over those of ``common``. A case that is listed as not
right yet, with the reason, fails here once it is right: then the reason goes.
"""

from __future__ import annotations

import csv
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hostroot import FLAG

from ansible_collections.cbops.telemetry.plugins.module_utils.edit._declare import declare
from ansible_collections.cbops.telemetry.plugins.module_utils.host._files import HostFiles
from ansible_collections.cbops.telemetry.plugins.module_utils.survey._survey import survey

CASES = Path(__file__).parent / "cases"
with open(CASES / "cases.tsv", encoding="utf-8", newline="") as table:
    ROWS = {row["name"]: row for row in csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE)}


def laid_out(name: str, root: Path) -> Path:
    """The host of a case."""
    for folder in (CASES / "common", CASES / name):
        shutil.copytree(folder, root, dirs_exist_ok=True)
    for link, target in {"lib": "usr/lib", "bin": "usr/bin", "sbin": "usr/sbin"}.items():
        (root / link).symlink_to(target)
    for folder in ("usr/bin", "usr/sbin", "etc/systemd/system"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "usr/bin/sh").symlink_to("dash")
    (root / "usr/bin/dash").write_bytes(b"\x7fELF")
    return root


def everything(root: Path) -> dict[str, tuple[bytes, int, int, int]]:
    """Bytes, mode, owner of each file, the place of backups left out."""
    found = {}
    for folder, _folders, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink() and root / "var/lib/cbops-telemetry" not in path.parents:
                status = path.stat()
                found["/" + str(path.relative_to(root))] = (
                    path.read_bytes(),
                    status.st_mode,
                    status.st_uid,
                    status.st_gid,
                )
    return found


def scripts(row: dict[str, str]) -> list[str]:
    """What the user says of the launch scripts of a case."""
    return [row["unit or script"]] if row["unit or script"].startswith("/") else []


def verdict(root: Path, row: dict[str, str]) -> str:
    """What the files say now."""
    entries = survey(HostFiles(str(root)), scripts(row), "never").entries
    return entries[0].on_disk.verdict if len(entries) == 1 else f"{len(entries)} installations"


def declared(root: Path, row: dict[str, str], wanted: str, **more: Any) -> Any:
    """Declare it, with backups: where they lie nothing reads them."""
    return declare(wanted, str(root), scripts(row), attach="never", **more)


def wrong(root: Path, row: dict[str, str]) -> str:
    """What is not as the table says; empty where all is right."""
    said = verdict(root, row)
    if said not in row["verdict"].split(" or "):
        return f"the verdict is {said}"
    if row["edited"] == "-":
        return ""
    before = everything(root)
    foreseen = declared(root, row, "disabled", check=True)
    if everything(root) != before:
        return "check mode writes"
    done = declared(root, row, "disabled")
    after = everything(root)
    changed = sorted(path for path in {**before, **after} if before.get(path) != after.get(path))
    if row["edited"] == "refused":
        return "" if not changed and not done.changed and done.refused else f"it is not refused: {changed}"
    if done.refused or foreseen.refused:
        return f"it is refused: {done.refused or foreseen.refused}"
    if changed != [row["edited"]] or [item["path"] for item in foreseen.files] != changed:
        return f"{changed} changed, and check mode foresaw {foreseen.files}"
    path = row["edited"]
    if after[path][1:] != before[path][1:]:
        return "its mode or owner is another"
    was, now = Counter(before[path][0].splitlines()), Counter(after[path][0].splitlines())
    if (was - now).total() > 1 or (now - was).total() != 1:
        return "more than one line is another"
    if after[path][0].count(FLAG.encode()) != before[path][0].count(FLAG.encode()) + 1:
        return "the flag is not put in once"
    if verdict(root, row) != "disabled":
        return f"afterwards the verdict is {verdict(root, row)}"
    if declared(root, row, "disabled").changed or everything(root) != after:
        return "a second run changes something"
    done = declared(root, row, "enabled")
    if done.refused or everything(root) != before:
        return f"enabling does not give the old bytes back: {done.refused}"
    return ""


@pytest.mark.parametrize("name", ROWS)
def test_the_case_comes_out_as_the_table_says(tmp_path: Path, name: str) -> None:
    row = ROWS[name]
    reason = wrong(laid_out(name, tmp_path / "host"), row)
    if row["not yet"]:
        assert reason, "it is right now: take the reason out of cases.tsv"
    else:
        assert not reason


def test_a_backup_of_an_earlier_version_in_a_folder_that_is_read_whole(tmp_path: Path) -> None:
    """It is read last. It goes, and the file itself is edited: no other way round it is needed."""
    root = laid_out("own_env_dir_glob", tmp_path / "host")
    env = root / "etc/env.d/jenkins.env"
    copy = env.with_name("jenkins.env.20260101T000000Z.cbops~")
    shutil.copy2(env, copy)
    done = declared(root, ROWS["own_env_dir_glob"], "disabled")
    assert not done.refused
    assert [edit["path"] for edit in done.files] == ["/etc/env.d/" + copy.name, "/etc/env.d/jenkins.env"]
    assert FLAG in env.read_text() and not copy.exists()
    assert not list((root / "etc/systemd/system").rglob("*cbops*"))
    assert verdict(root, ROWS["own_env_dir_glob"]) == "disabled"
