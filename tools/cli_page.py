"""Write the help of every command into docs/cli.md, between the two marks there.

``python -m tools.cli_page`` after a change of the command line; a test says when it is due.
"""

from __future__ import annotations

from pathlib import Path

from tools.commands import commands

PAGE = Path(__file__).resolve().parents[1] / "docs" / "cli.md"
BEGIN = "<!-- begin: written by tools/cli_page.py -->"
END = "<!-- end -->"


def main() -> None:
    """Bring the page up to date."""
    PAGE.write_text(with_help(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def with_help(page: str) -> str:
    """The page with the present help between its marks; the rest is written by hand."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{_sections()}\n{END}{after}"


def _sections() -> str:
    return "\n".join(
        f"## {title}\n\n```text\n{command.get_help(context)}\n```\n"
        for title, command, context in commands()
    )


if __name__ == "__main__":
    main()
