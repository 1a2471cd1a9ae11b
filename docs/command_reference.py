"""The page of all commands, written from the program itself."""

import re
from typing import Any

import typer

from emotag.cli.main import app

__all__ = ["command_reference"]

_INTRODUCTION = """# Commands

What `emotag COMMAND --help` says, in one place. Every command has `--help`.
"""


def command_reference() -> str:
    """Return the page in Markdown."""
    root = typer.main.get_command(app)
    context = root.make_context("emotag", [], resilient_parsing=True)
    return "\n".join([_INTRODUCTION, *_describe(root, context, "emotag", depth=2)])


def _describe(command: Any, context: Any, name: str, depth: int) -> list[str]:
    parts = [f"{'#' * depth} {name}\n", _prose(command.help)]
    if rows := _rows(command, context):
        usage = command.get_usage(context).removeprefix("Usage: ").replace("{", "").replace("}", "")
        parts.append(f"```text\n{usage}\n```\n")
        parts.append("\n".join(["| | |", "| --- | --- |", *rows]) + "\n")
    for child_name, child in getattr(command, "commands", {}).items():
        if not child.hidden:
            below = type(context)(child, info_name=child_name, parent=context)
            parts += _describe(child, below, f"{name} {child_name}", min(depth + 1, 3))
    return parts


def _prose(text: str) -> str:
    """Return a help text as Markdown: its example becomes a block."""
    plain = re.sub(r"\[/?[a-z ]+\]", "", text)
    return re.sub(r"^Example: (.+)$", r"```console\n$ \1\n```", plain, flags=re.MULTILINE) + "\n"


def _rows(command: Any, context: Any) -> list[str]:
    """Return a table's row for each argument and option but --help."""
    rows = []
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and parameter.name != "help":
            # of an argument, typer says the Python type as well
            name = re.sub(r" <.*>$", "", record[0])
            rows.append(f"| `{name}` | {_meaning(record[1])} |")
    return rows


def _meaning(text: str) -> str:
    """Return an option's help with its default as a sentence."""
    match = re.fullmatch(r"(.*?)\s*\[([^\[\]]*)\]", text)
    if match is None:
        return _escape(text)
    meaning, notes = match.groups()
    said = []
    for note in notes.split("; "):
        key, _, value = note.partition(": ")
        if key == "default":
            shown = value.strip("()") if value.startswith("(") else f"`{value}`"
            said.append(f"Default: {shown}.")
        elif note == "required":
            said.append("Required.")
        elif note.startswith("x>="):
            said.append(f"At least {note.removeprefix('x>=')}.")
        else:
            said.append(f"{note.capitalize()}.")
    return _escape(f"{meaning} {' '.join(said)}")


def _escape(text: str) -> str:
    return text.replace("|", r"\|")
