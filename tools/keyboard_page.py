"""Write the keys of the web pages into docs/keyboard.md, between the two marks there.

``python -m tools.keyboard_page`` after a change of the keys; a test says when it is due. The keys
come from the help that the pages themselves show.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "keyboard.md"
TEMPLATES = ROOT / "src" / "image_duplicate_finder" / "web" / "templates"
HELPS = {
    "Groups": TEMPLATES / "review" / "dialogs.html",
    "Deciding pair after pair": TEMPLATES / "decide" / "page.html",
    "Comparing two pictures": TEMPLATES / "compare" / "page.html",
}
BEGIN = "<!-- begin: written by tools/keyboard_page.py -->"
END = "<!-- end -->"

_ENTRY = re.compile(r'^ *\(\[(?P<keys>.+)\], _\("(?P<words>[^"]+)"\)\),$', re.MULTILINE)
_KEY = re.compile(r'(?:_\()?"([^"]+)"\)?')


def main() -> None:
    """Bring the page up to date."""
    PAGE.write_text(with_keys(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def with_keys(page: str) -> str:
    """The page with the present keys between its marks; the rest is written by hand."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    sections = "\n".join(_section(title, help) for title, help in HELPS.items())
    return f"{before}{BEGIN}\n\n{sections}\n{END}{after}"


def _section(title: str, template: Path) -> str:
    rows = [f"## {title}\n", "| keys | what they do |", "|---|---|"]
    for entry in _ENTRY.finditer(template.read_text(encoding="utf-8")):
        keys = " ".join(f"<kbd>{key}</kbd>" for key in _KEY.findall(entry["keys"]))
        rows.append(f"| {keys} | {entry['words']} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    main()
