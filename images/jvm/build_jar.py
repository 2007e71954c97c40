#!/usr/bin/python3
"""Compile one source file for the Java Virtual Machine into main.jar, whose manifest names the class to start.

    build-jar java|kotlin|scala FILE
    build-jar --archive java|kotlin|scala FILE    when the image is made: keep the compiler's classes as they are loaded

A program may call its classes what it likes. Java demands that a file be named after its public class: the compiler's
own complaint tells that name, and the file is given it. If several classes have a main method, the public one starts.
"""

from __future__ import annotations

import re
import struct
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

CLASSES = Path("classes")
# C1 alone and one collector thread: a compilation is over before more of them pay. The heap fits `COMPILE_LIMITS`.
JVM_OPTIONS = [
    *("-Xshare:auto", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"),
    *("-Xss16m", "-Xms128m", "-Xmx1200m"),
]
KOTLIN, SCALA = Path("/usr/share/kotlin/kotlinc"), Path("/usr/share/scala/lib")


def _build_class_path(folder: Path) -> str:
    return ":".join(map(str, sorted(folder.glob("*.jar"))))


COMPILERS = {
    "java": ["-m", "jdk.compiler/com.sun.tools.javac.Main", "-encoding", "UTF-8", "-nowarn", "-proc:none"],
    "kotlin": [
        *("-cp", _build_class_path(KOTLIN / "lib")),
        *("org.jetbrains.kotlin.cli.jvm.K2JVMCompiler", "-kotlin-home", str(KOTLIN), "-no-reflect", "-nowarn"),
    ],
    "scala": ["-cp", _build_class_path(SCALA), "scala.tools.nsc.Main", "-usejavacp", "-nowarn"],
}
# What a program needs at run time beside itself.
LIBRARIES = {
    "java": [],
    "kotlin": [KOTLIN / f"lib/kotlin-stdlib{part}.jar" for part in ("", "-jdk7", "-jdk8")],
    "scala": [SCALA / f"scala-{part}.jar" for part in ("library", "parser-combinators", "reflect")],
}
ARCHIVES = Path("/usr/local/share/build-jar")  # of each compiler's classes, loaded: a third to half of its time
MISNAMED = re.compile(r"(?:class|interface|enum|record|@interface) (\w+) is public, should be declared in a file named")
PUBLIC_STATIC = 0x0009
MAIN_METHOD = ("main", "([Ljava/lang/String;)V")
USUAL_NAMES = ("Main", "MainKt", "Solution")


def main() -> int:
    *options, language, file = sys.argv[1:]
    source, archive = Path(file), ARCHIVES / f"{language}.jsa"
    CLASSES.mkdir()
    sharing = f"-XX:ArchiveClassesAtExit={archive}" if options else f"-XX:SharedArchiveFile={archive}"
    compiler = ["java", *JVM_OPTIONS, sharing, *COMPILERS[language]]
    done = _compile(compiler, source)
    public_class = ""
    if language == "java" and (misnamed := MISNAMED.search(done.stderr)):
        public_class = misnamed[1]
        source = source.rename(f"{public_class}.java")
        done = _compile(compiler, source)
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    if done.returncode != 0:
        return done.returncode
    _pack(_find_main_class(public_class, source.read_text("utf-8", errors="replace")), LIBRARIES[language])
    return 0


def _compile(compiler: list[str], source: Path) -> subprocess.CompletedProcess[str]:
    command = [*compiler, "-d", str(CLASSES), str(source)]
    return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)


def _find_main_class(public_class: str, source: str) -> str:
    """Return the class to start: of those with a main method the public one, or one of a usual name, or the first."""
    found = [
        _get_class_name(path)
        for path in sorted(CLASSES.rglob("*.class"))
        if MAIN_METHOD in _find_public_static_methods(path)
    ]
    usual = [public_class, *USUAL_NAMES]

    def rank(name: str) -> tuple[int, int]:
        simple = name.rpartition(".")[2]
        declared = re.search(rf"\b(?:class|interface|enum|record|object)\s+{re.escape(simple)}\b", source)
        return usual.index(simple) if simple in usual else len(usual), declared.start() if declared else len(source)

    return min(found, key=rank, default="Main")  # without one, the launcher's own error says what is missing


def _get_class_name(path: Path) -> str:
    return ".".join(path.relative_to(CLASSES).with_suffix("").parts)


def _pack(main_class: str, libraries: list[Path]) -> None:
    """An entry goes on in a line that begins with a blank, for no line may be longer than 72 bytes."""
    entries = {"Manifest-Version": "1.0", "Main-Class": main_class}
    if libraries:
        entries["Class-Path"] = "\r\n  ".join(library.as_uri() for library in libraries)
    with zipfile.ZipFile("main.jar", "w") as jar:
        jar.writestr("META-INF/MANIFEST.MF", "".join(f"{name}: {value}\r\n" for name, value in entries.items()))
        for path in sorted(CLASSES.rglob("*")):
            if path.is_file():
                jar.write(path, path.relative_to(CLASSES))


class _ClassFileReader:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self._offset = 0

    def unpack(self, layout: str) -> tuple[int, ...]:
        values = struct.unpack_from(f">{layout}", self._content, self._offset)
        self._offset += struct.calcsize(f">{layout}")
        return values

    def read_text(self, size: int) -> str:
        self._offset += size
        return self._content[self._offset - size : self._offset].decode(errors="replace")

    def skip(self, size: int) -> None:
        self._offset += size


# Bytes behind a constant's tag: Java Virtual Machine Specification, section 4.4.
CONSTANT_BYTES = {
    **{3: 4, 4: 4, 5: 8, 6: 8, 7: 2, 8: 2, 9: 4, 10: 4, 11: 4},
    **{12: 4, 15: 3, 16: 2, 17: 4, 18: 4, 19: 2, 20: 2},
}


def _find_public_static_methods(path: Path) -> list[tuple[str, str]]:
    """Name and descriptor of each, from the class file: specification, section 4.1."""
    reader = _ClassFileReader(path.read_bytes())
    _, _, _, count = reader.unpack("IHHH")
    texts: dict[int, str] = {}
    index = 1
    while index < count:
        (tag,) = reader.unpack("B")
        if tag == 1:
            texts[index] = reader.read_text(*reader.unpack("H"))
        else:
            reader.skip(CONSTANT_BYTES[tag])
        index += 2 if tag in (5, 6) else 1
    reader.unpack("HHH")
    reader.skip(2 * reader.unpack("H")[0])
    list(_read_members(reader, texts))
    return list(_read_members(reader, texts))


def _read_members(reader: _ClassFileReader, texts: dict[int, str]) -> Iterator[tuple[str, str]]:
    for _ in range(reader.unpack("H")[0]):
        flags, name, descriptor, attributes = reader.unpack("HHHH")
        for _ in range(attributes):
            _, size = reader.unpack("HI")
            reader.skip(size)
        if flags & PUBLIC_STATIC == PUBLIC_STATIC:
            yield texts[name], texts[descriptor]


if __name__ == "__main__":
    sys.exit(main())
