"""``emotag cache``: what was computed once, and how to forget it."""

import typer

__all__ = ["app"]

app = typer.Typer(
    invoke_without_command=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def cache(context: typer.Context) -> None:
    """Show how full the cache is, or empty it.

    The features of a photo are computed once and kept there, and so are the
    resized pixels that a network is trained on, the last epoch of a fit that was
    cut off, and what emotag tag said of the photos of each output. EMOTAG_CACHE
    names another folder for it; EMOTAG_CACHE_LIMIT and EMOTAG_PIXEL_LIMIT other
    limits, in MiB.

    Example: emotag cache
    """
    if context.invoked_subcommand is not None:
        return
    from emotag.cli.console import results, safe
    from emotag.features.cache import cache_state

    state = cache_state()
    results.print(f"folder    {safe(state.folder)}")
    results.print(f"features  {state.entries} photos, {state.size / 2**20:.1f} MiB")
    results.print(f"pixels    {state.photos} photos, {state.pixels / 2**20:.1f} MiB")
    results.print(f"networks  {state.networks / 2**20:.1f} MiB")
    results.print(
        f"tagged    {state.ledgers / 2**20:.1f} MiB of notes what need not be tagged again"
    )
    results.print(f"cut off   {state.checkpoints / 2**20:.1f} MiB of fits that can go on")
    limits = f"{state.limit / 2**20:.0f} MiB of features, {state.pixel_limit / 2**20:.0f} of pixels"
    results.print(f"limit     {limits}")


@app.command()
def clear() -> None:
    """Empty the cache; what is needed again is computed again, and fits begin anew.

    Example: emotag cache clear
    """
    from emotag.cli.console import results, safe
    from emotag.features.cache import clear_cache
    from emotag.storage import cache_folder

    clear_cache()
    results.print(f"The cache in {safe(cache_folder())} is empty.")
