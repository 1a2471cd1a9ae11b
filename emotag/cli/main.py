"""The program ``emotag``: its commands, and how errors reach a person."""

import os
import sys
from typing import Annotated, NoReturn

import typer

from emotag import __version__
from emotag.cli import cache, demo, fit, models, tag
from emotag.errors import EmotagError, explain_missing

__all__ = ["app", "main"]

INTERRUPTED = 130

app = typer.Typer(
    name="emotag",
    help="Tag photos with the emotion they depict and its sentiment; train models of your own.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command("tag")(tag.tag)
app.command("demo")(demo.demo)
app.command("fit")(fit.fit)
app.command("models")(models.models)
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
    pass


def main() -> NoReturn:
    """Run the program; an error becomes one line, never a traceback."""
    debug = "--debug" in sys.argv[1:2]
    if not debug:
        _quieten()
    try:
        app()
    except EmotagError as error:
        if debug:
            raise
        _fail(str(error))
    except KeyboardInterrupt:
        _fail("Stopped.", code=INTERRUPTED)
    except BrokenPipeError:
        # the reader of a pipe has had enough; Python would complain once more at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if debug:
            raise
        _fail(_explained(error))
    sys.exit(0)


def _explained(error: Exception) -> str:
    if isinstance(error, ImportError):
        explained = explain_missing(error, f"emotag {' '.join(sys.argv[1:2])}")
        if isinstance(explained, EmotagError):
            return str(explained)
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}."
    return (
        f"An error of emotag's own: {type(error).__name__}: {error}. "
        "Please report it with what 'emotag --debug …' prints."
    )


def _fail(message: str, code: int = 1) -> NoReturn:
    from emotag.cli.console import notes, safe

    notes.print(
        f"emotag: {safe(message)}", style="red", markup=False, highlight=False, soft_wrap=True
    )
    sys.exit(code)


def _quieten() -> None:
    """Keep what libraries warn of from people, who can do nothing about it."""
    import warnings

    warnings.simplefilter("ignore")


if __name__ == "__main__":
    main()
