"""``emotag cache``: the features that were computed once, and how to forget them."""

import typer

__all__ = ["app"]

app = typer.Typer(
    help="Show or empty the cache of features and networks.",
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def cache(context: typer.Context) -> None:
    """Show where the cache is and how full; 'emotag cache clear' empties it.

    Fitting twice on the same photos computes their features once. EMOTAG_CACHE
    names another folder, EMOTAG_CACHE_LIMIT another limit, in MiB.

    Example: [bold]emotag cache[/bold]
    """
    if context.invoked_subcommand is not None:
        return
    from emotag.features.cache import cache_state

    state = cache_state()
    typer.echo(f"folder    {state.folder}")
    typer.echo(f"features  {state.entries} photos, {state.size / 2**20:.1f} MiB")
    typer.echo(f"networks  {state.networks / 2**20:.1f} MiB")
    typer.echo(f"limit     {state.limit / 2**20:.0f} MiB of features")


@app.command()
def clear() -> None:
    """Empty the cache; what is needed again is computed again.

    Example: [bold]emotag cache clear[/bold]
    """
    from emotag.features.cache import cache_state, clear_cache

    state = cache_state()
    clear_cache()
    typer.echo(f"Removed the features of {state.entries} photos from {state.folder}.")
