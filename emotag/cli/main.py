"""The program ``emotag``: its commands, and how errors reach a person."""

import io
import os
import signal
import sys
from contextlib import suppress
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from emotag import __version__
from emotag.cli import cache, compare, demo, evaluate, fetch, fit, merge, models, tag, untag
from emotag.errors import EmotagError

__all__ = ["app", "main"]

INTERRUPTED = 130

# What Ctrl-C leaves behind, and how to go on, where the command does not say it itself.
_STOPPED = {
    "compare": "Stopped. The fits that are done are kept, and the same command goes on from there.",
    "fetch": "Stopped. What was fetched is kept, and the same command goes on from there.",
    "fit": "Stopped; no model was saved. Features computed so far are kept, "
    "so the same command goes on from there.",
}


class _Group(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        """Run a command; Ctrl-C ends it with a line of ours instead of typer's."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            usual = _STOPPED.get(ctx.invoked_subcommand, "Stopped.")
            _fail(str(error) or usual, code=INTERRUPTED)


app = typer.Typer(
    name="emotag",
    cls=_Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # plain help and one-line usage errors, the same on every terminal and in a pipe
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command("tag")(tag.tag)
app.command("untag")(untag.untag)
app.command("merge")(merge.merge)
app.command("demo")(demo.demo)
app.command("fetch")(fetch.fetch)
app.command("fit")(fit.fit)
app.command("evaluate")(evaluate.evaluate)
app.command("compare")(compare.compare)
app.add_typer(models.app, name="models")
app.add_typer(cache.app, name="cache")


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"emotag {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error (emotag --debug tag …).")
    ] = False,
) -> None:
    """Tag photos with the emotion they depict and its sentiment; train models of your own.

    Example: emotag tag ./photos
    """


def main() -> None:
    """Run the program and exit; an error becomes one line, never a traceback."""
    debug = "--debug" in sys.argv[1:2]
    _escape_unprintable()
    # asked to end, as at a logout, it leaves no half files either
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if not debug:
        _quieten()
    try:
        app(prog_name="emotag")
    except EmotagError as error:
        if debug:
            raise
        _fail(str(error))
    except Exception as error:
        if debug:
            raise
        _fail(_explained(error))


def _explained(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}."
    return (
        f"An error of emotag's own: {type(error).__name__}: {' '.join(str(error).split())}. "
        "Please report it with what 'emotag --debug …' prints."
    )


def _fail(message: str, code: int = 1) -> NoReturn:
    from emotag.cli.console import notes, person_reads_notes, safe

    # a terminal's line breaks between words; a log's stays whole
    wrap = not person_reads_notes()
    notes.print(f"emotag: {safe(message)}", style="red", soft_wrap=wrap)
    _drop_unwritten()
    sys.exit(code)


def _drop_unwritten() -> None:
    """Let go of what stdout does not take, as on a full disk: Python would complain at exit."""
    with suppress(AttributeError, ValueError):  # stdout is closed, or no file of the system's
        try:
            sys.stdout.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _escape_unprintable() -> None:
    """Let signs that the terminal's encoding lacks appear escaped, instead of as an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _quieten() -> None:
    """Keep what libraries warn of from people, who can do nothing about it."""
    import threading
    import warnings

    warnings.simplefilter("ignore")
    # of threads of libraries that were cut off; what ours raise reaches the main one
    threading.excepthook = lambda _: None


if __name__ == "__main__":  # pragma: no cover - where it is run, nothing is measured
    main()
