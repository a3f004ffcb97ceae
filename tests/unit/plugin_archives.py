"""Plugins whose classes are compiled here: annotations of each retention, by each JDK of this machine, and their
archives."""

from __future__ import annotations

import io
import shutil
import subprocess
import zipfile
from collections.abc import Mapping
from pathlib import Path

JAVAC = sorted({path.resolve() for path in Path("/usr/lib/jvm").glob("*/bin/javac")})
RETENTIONS = ("RUNTIME", "CLASS", "SOURCE")
MESSAGES = "com.cloudbees.analytics.messages"

#: What the product has, as far as public sources show it. A stand-in: nothing of it is the product's.
API = {
    f"com/cloudbees/analytics/messages/{name}.java": f"""package {MESSAGES};
import java.lang.annotation.*;
@Retention(RetentionPolicy.%s) @Target(ElementType.FIELD)
public @interface {name} {{ {members} }}
"""
    for name, members in (
        ("AnalyticsEvent", 'String summary() default "";'),
        ("AnalyticsProperty", 'String[] event(); String summary() default "";'),
    )
} | {
    "com/cloudbees/analytics/gatherer/Gathering.java": """package com.cloudbees.analytics.gatherer;
public interface Gathering { }
"""
}

#: Names by a prefix of another class, one that is no constant, a child of what gathers, and decoys.
SOURCES = {
    "demo/Prefix.java": """package demo;
public final class Prefix {
    public static final String EVENT = "example event: ";
    public static final String PROPERTY = "example_";
    public static String computed() { return "late"; }
}
""",
    "demo/Validated.java": """package demo;
import com.cloudbees.analytics.gatherer.Gathering;
import com.cloudbees.analytics.messages.*;
public class Validated implements Gathering {
    @AnalyticsEvent(summary = "Sent every time a bundle is validated.")
    static final String EVENT = Prefix.EVENT + "bundle validated";
    @AnalyticsProperty(event = EVENT, summary = "Validation code.")
    static final String CODE = Prefix.PROPERTY + "validation_code";
    @AnalyticsProperty(event = {EVENT, "example event: other"})
    public static final String BOTH = Prefix.PROPERTY + "both";
    @AnalyticsEvent(summary = "Computed name.")
    static final String LATE = Prefix.computed();
    static final long WIDE = 1L << 40;
    static final double WIDER = 2.5;
    static final int NUMBER = 70000;
    String field = "no constant";
    Runnable run = () -> System.out.println(WIDE + WIDER + NUMBER);
}
""",
    "demo/Child.java": """package demo;
import com.cloudbees.analytics.messages.*;
public class Child extends Validated {
    @AnalyticsEvent(summary = "\\u00dcber \\ud83d\\ude00 und \\0.")
    private static final String EVENT = Prefix.EVENT + "gr\\u00fc\\u00dfe";
    private static final String UNMARKED = "an own constant";
}
""",
    "demo/Unrelated.java": """package demo;
public class Unrelated {
    static final String TEXT = "com.cloudbees.analytics is named here, with points";
    static final String PLAIN = "secret-like constant of somebody else";
}
""",
}
NAMES = {"example event: bundle validated", "example_validation_code", "example_both", "example event: grüße"}


def compiled(folder: Path, javac: Path, retention: str, release: str = "11", more: Mapping[str, str] = {}) -> Path:
    """The classes of the plugin, without the API's, in a folder."""
    made = {name: text for name, text in {**SOURCES, **more}.items() if text and name not in API}
    api = {name: more.get(name, text).replace("%s", retention) for name, text in API.items()}
    for name, text in {**api, **made}.items():
        path = folder / "src" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    classes = folder / "classes"
    classes.mkdir()
    names = [str(folder / "src" / name) for name in (*API, *made)]
    options = ["--release", release, "-Xlint:-options", "-encoding", "UTF-8", "-d", str(classes)]
    subprocess.run([str(javac), *options, *names], check=True, timeout=120)
    shutil.rmtree(classes / "com")  # which another plugin brings
    return classes


def jar(entries: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An archive."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, data in entries.items():
            archive.writestr(zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0)), data, method)
    return made.getvalue()


def entries_of(classes: Path, prefix: str = "") -> dict[str, bytes]:
    """The class files below a folder, by their names."""
    return {prefix + str(path.relative_to(classes)): path.read_bytes() for path in sorted(classes.rglob("*.class"))}


def manifest(name: str, version: str) -> bytes:
    """A plugin's manifest."""
    return f"Manifest-Version: 1.0\nShort-Name: {name}\nPlugin-Version: {version}\n\n".encode()


def plugin(name: str, version: str, classes: Mapping[str, bytes], more: Mapping[str, bytes] = {}) -> bytes:
    """A plugin as the product's build makes it: its classes in a library of its own."""
    return jar(
        {
            "META-INF/MANIFEST.MF": manifest(name, version),
            "WEB-INF/lib/other.jar": jar({"META-INF/MANIFEST.MF": b"", "x/text.txt": b"x" * 1000}),
            f"WEB-INF/lib/{name}.jar": jar(classes),
            **more,
        }
    )
