"""Image files of a corpus, straight from the objects of a git repository or from a folder.

Nothing is checked out: a repository of hostile files is best left packed.
"""

from __future__ import annotations

import hashlib
import subprocess
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Corpus", "File", "find_corpora", "repositories", "without_repetitions"]

_CATALOGUE: Final = Path(__file__).with_name("catalogue.toml")
_REGULAR: Final = ("100644", "100755")

# What stands beside the images in repositories of source code.
_NO_IMAGES: Final = frozenset(
    {
        ".264", ".265", ".am", ".build", ".c", ".cc", ".cmake", ".cfg", ".cpp", ".csv", ".exf",
        ".go", ".h", ".html", ".java", ".js", ".json", ".link", ".markdown", ".md", ".md5", ".mjs",
        ".py", ".rb", ".rc", ".rs", ".rst", ".sh", ".tex", ".toml", ".txt", ".xlsx", ".xml", ".xmp",
        ".yaml", ".yml",
    }
)  # fmt: skip
_NO_IMAGE_NAMES: Final = frozenset(
    {"copying", "license", "makefile", "version", "gemfile", "readme", "authors"}
)


class File(NamedTuple):
    """A file of a corpus: its path there, and what tells its content from all others'."""

    path: str
    identity: str


class Corpus:
    """A repository, or a folder, of image files.

    Args:
        path: a clone or a bare repository, or an ordinary folder.
        name: what the tables call it.
        commit: the commit to read, if it is a repository.
        folders: those that hold the images.

    Attributes:
        lacking: after `files`, how many of the files this copy of the repository does not have.
    """

    def __init__(self, path: Path, name: str, commit: str, folders: list[str]) -> None:
        self.name = name
        self.commit = commit
        self.lacking = 0
        self._path = path
        self._folders = folders
        self._is_repository = (path / "objects").is_dir() or (path / ".git").exists()

    def files(self) -> list[File]:
        """All files that may be images, in a fixed order; what a partial clone lacks is left out."""
        if not self._is_repository:
            return [file for file in self._lying_open() if not _is_no_image(file.path)]
        files = [file for file in self._stored() if not _is_no_image(file.path)]
        asked = "".join(f"{file.identity}\n" for file in files).encode()
        answers = self._git("cat-file", "--batch-check=%(objecttype)", given=asked).split(b"\n")
        held = [file for file, answer in zip(files, answers, strict=False) if answer == b"blob"]
        self.lacking = len(files) - len(held)
        return held

    def read(self, file: File) -> bytes:
        """The content of a file."""
        if self._is_repository:
            return self._git("cat-file", "blob", file.identity)
        return (self._path / file.path).read_bytes()

    def _stored(self) -> Iterator[File]:
        listing = self._git("ls-tree", "-r", "-z", self.commit, "--", *self._folders)
        for entry in listing.decode(errors="surrogateescape").split("\x00")[:-1]:
            facts, path = entry.split("\t", 1)
            mode, _, identity = facts.split()
            if mode in _REGULAR:
                yield File(path, identity)

    def _lying_open(self) -> Iterator[File]:
        for path in sorted(self._path.rglob("*")):
            if path.is_file() and not path.is_symlink():
                content = path.read_bytes()
                # Git's name for it, so that a copy in a repository is recognised.
                identity = hashlib.sha1(b"blob %d\x00%b" % (len(content), content), usedforsecurity=False)
                yield File(str(path.relative_to(self._path)), identity.hexdigest())

    def _git(self, *arguments: str, given: bytes = b"") -> bytes:
        command = ["git", "-C", str(self._path), *arguments]
        return subprocess.run(command, check=True, capture_output=True, input=given).stdout  # noqa: S603 - no shell


def repositories() -> list[str]:
    """The public repositories that the published figures are for, as ``owner/name``."""
    return [entry.repository for entry in _catalogue()]


def find_corpora(paths: list[Path]) -> list[Corpus]:
    """The corpora at `paths`: those in the catalogue as it says, and any other folder as it is."""
    listed = {entry.repository.replace("/", "+"): entry for entry in _catalogue()}
    unlisted = [Corpus(path, path.name, "HEAD", ["."]) for path in paths if path.name not in listed]
    given = {path.name: path for path in paths}
    known = [
        Corpus(given[name], entry.repository, entry.commit, entry.folders)
        for name, entry in listed.items()
        if name in given
    ]
    return known + unlisted


def without_repetitions(corpora: list[Corpus]) -> list[tuple[Corpus, File]]:
    """Every content once, in the first corpus that has it."""
    seen: set[str] = set()
    kept = []
    for corpus in corpora:
        for file in corpus.files():
            if file.identity not in seen:
                seen.add(file.identity)
                kept.append((corpus, file))
    return kept


class _Entry(NamedTuple):
    """A repository in the catalogue; `holds` is for its reader."""

    repository: str
    commit: str
    folders: list[str]
    holds: str


def _catalogue() -> list[_Entry]:
    entries = tomllib.loads(_CATALOGUE.read_text(encoding="utf-8"))["corpus"]
    return [_Entry(**entry) for entry in entries]


def _is_no_image(path: str) -> bool:
    name = Path(path).name.lower()
    return name in _NO_IMAGE_NAMES or Path(name).suffix in _NO_IMAGES or name.startswith(".")
