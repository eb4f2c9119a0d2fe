"""What is true of a data set: written as ``truth.json`` beside its files."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

FILE_NAME = "truth.json"


@dataclass(frozen=True, slots=True)
class TruePair:
    """Two files, by relative path, that show the same photo; ``edit`` names what was done."""

    a: str
    b: str
    edit: str


@dataclass(slots=True)
class Truth:
    """The truth of one set.

    ``pairs`` are what recall counts. ``families`` maps each file to the photo that it shows: any
    two files of one family are a right pair, all other pairs are wrong, save ``neutral`` ones.
    ``backgrounds`` maps a file to the photos that it shows beside its own (pasted onto, set
    beside): two files that share one do show the same pixels, so such a pair is neither right
    nor wrong. ``distractors`` have no partner. ``kinds`` says what each file is, for reports.
    ``overlapping`` holds pairs that may stand in a ``similar`` or ``contains`` group but never
    in a ``duplicates`` group (frames of a pan).
    """

    set: str
    seed: int
    half: str | None
    pairs: list[TruePair] = field(default_factory=list)
    families: dict[str, str] = field(default_factory=dict)
    backgrounds: dict[str, list[str]] = field(default_factory=dict)
    distractors: list[str] = field(default_factory=list)
    kinds: dict[str, str] = field(default_factory=dict)
    overlapping: list[tuple[str, str]] = field(default_factory=list)

    @property
    def files(self) -> list[str]:
        """All files of the set."""
        return sorted(self.families)

    def add(self, name: str, family: str, kind: str) -> None:
        """Note a file. Raises ``ValueError`` if the name is taken."""
        if name in self.families:
            raise ValueError(f"Two files of the set are called {name}.")
        self.families[name] = family
        self.kinds[name] = kind

    def neutral(self, a: str, b: str) -> bool:
        """Whether the files share a background."""
        backgrounds = set(self.backgrounds.get(a, ()))
        return not backgrounds.isdisjoint(self.backgrounds.get(b, ()))

    def save(self, folder: Path) -> None:
        """Write ``truth.json`` into ``folder``."""
        (folder / FILE_NAME).write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Truth:
        """Read ``truth.json`` from ``folder``."""
        values = json.loads((folder / FILE_NAME).read_text(encoding="utf-8"))
        values["pairs"] = [TruePair(**pair) for pair in values["pairs"]]
        values["overlapping"] = [(a, b) for a, b in values["overlapping"]]
        return cls(**values)
