"""``emotag models``: what can be fitted, and what is at hand."""

__all__ = ["models"]


def models() -> None:
    """List the models to fit and to tag with.

    To tag with are the one that ships with emotag, and those under ./models.

    Example: emotag models
    """
    from emotag.bundle import bundles_at_hand
    from emotag.cli.console import results, safe

    results.print("To fit, with emotag fit --model NAME:", style="bold")
    for name, text in _recipes().items():
        results.print(f"  {name:10}  {text}")
    results.print("\nTo tag with, by emotag tag --model NAME:", style="bold")
    for name, folder in bundles_at_hand().items():
        results.print(f"  {safe(name):10}  {_describe(folder)}")


def _recipes() -> dict[str, str]:
    from emotag.errors import MissingExtraError, require_training

    try:
        require_training("Fitting")
    except MissingExtraError as error:
        return {"(none)": str(error)}
    from emotag.models.recipes import RECIPES

    return {name: recipe.describe() for name, recipe in RECIPES.items()}


def _describe(folder: str) -> str:
    from emotag.bundle import open_bundle
    from emotag.cli.console import safe
    from emotag.errors import BundleError

    try:
        config = open_bundle(folder).config
    except BundleError as error:
        return safe(str(error))
    labels = ", ".join(config.label_set.names)
    return safe(f"{labels} ({config.recipe} on {config.backbone}; {folder})")
