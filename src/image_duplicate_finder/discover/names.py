"""Which files are looked into, told by their names, and what came of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from image_duplicate_finder.model import Failure, FoundFile
from image_duplicate_finder.own_files import NAME_PREFIX

if TYPE_CHECKING:
    import pathspec

# What these names say is believed; every other file is looked into by content.
OTHER_EXTENSIONS = frozenset(
    """
    .txt .md .html .htm .css .js .json .jsonl .xml .xmp .aae .csv .tsv .pdf .doc .docx .xls
    .xlsx .ppt .pptx .odt .ods .odp .zip .tar .gz .bz2 .xz .7z .rar .cbz .cbr .mp3 .m4a
    .flac .wav .ogg .opus .mp4 .m4v .mov .avi .mkv .webm .mpg .mpeg .3gp .wmv .mts .m2ts
    .thm .lrv .py .pyc .c .h .cpp .rs .java .go .sh .bat .exe .dll .so .dylib .o .a .db
    .sqlite .sqlite3 .log .ini .cfg .toml .yaml .yml .lock .iso .img .dmg .deb .rpm .apk
    .svg .svgz .eps .ai .ttf .otf .woff .woff2 .npy .npz .parquet .h5 .pt .onnx .srt .vtt
    .ics .eml .torrent .lnk .url .part .tmp .crdownload .swp .bak .pickle .pkl .ds_store
    """.split()
)

# Fields of WebDataset shards that are no pictures and have no other use as an extension.
_SHARD_FIELDS = frozenset(".cls .cls2 .id .inx .index .idx .ten .tb .pth .mp .msg .box".split())

SYSTEM_FOLDERS = frozenset(
    {"__MACOSX", "$RECYCLE.BIN", "System Volume Information", "@eaDir", "#recycle", "lost+found"}
)


def may_be_image(name: str) -> bool:
    """Whether a file of this name is looked into: not if its extension says something else."""
    return _extension(name) not in OTHER_EXTENSIONS


@dataclass(frozen=True, slots=True)
class Choice:
    """Which of the files that a walk meets are wanted; see :func:`discover`."""

    recursive: bool = True
    hidden: bool = False
    patterns: pathspec.GitIgnoreSpec | None = None

    def passes_over(self, name: str, relative: str) -> bool:
        """Whether a folder's entry is passed over; a folder's ``relative`` path ends with /."""
        if name.startswith(".") and not self.hidden:
            return True
        if name in SYSTEM_FOLDERS or name.startswith(NAME_PREFIX):
            return True
        return self.patterns is not None and self.patterns.match_file(relative)

    def takes(self, relative: str) -> bool:
        """Whether a file of an archive or storage is wanted, by its whole name with slashes."""
        parts = relative.split("/")
        if len(parts) > 1 and not self.recursive:
            return False
        if not may_be_image(parts[-1]) or _extension(parts[-1]) in _SHARD_FIELDS:
            return False
        return not any(self.passes_over(part, relative) for part in parts)


def _extension(name: str) -> str:
    # As os.path.splitext, which takes six times as long: it looks for folders too.
    dot = name.rfind(".")
    return name[dot:].lower() if dot > 0 else ""


@dataclass(frozen=True, slots=True)
class Discovery:
    """What a walk found: ``files`` sorted by path; ``failures`` of folders and files.

    ``aliases`` are further paths of files already listed (hard links, bind mounts), as
    (path, listed path).
    """

    files: tuple[FoundFile, ...]
    failures: tuple[Failure, ...]
    aliases: tuple[tuple[str, str], ...]
