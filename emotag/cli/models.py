"""``emotag models``: what can be fitted, and what is at hand."""

__all__ = ["models"]


def models() -> None:
    """List the models to fit and to tag with.

    To tag with are the one that ships with emotag, and those under ./models.

    Example: emotag models
    """
    from emotag.bundle.finding import bundles_at_hand
    from emotag.cli.console import results, safe
    from emotag.errors import missing_training
    from emotag.models.catalogue import RECIPES

    results.print("To fit, with emotag fit --model NAME:", style="bold")
    for recipe in RECIPES.values():
        results.print(f"  {recipe.name:10}  {recipe.describe()}")
    if hint := missing_training("Fitting"):
        results.print(f"  {hint}")
    results.print("\nTo tag with, by emotag tag --model NAME:", style="bold")
    for name, folder in bundles_at_hand().items():
        results.print(f"  {safe(name):10}  {_describe(folder)}")


def _describe(folder: str) -> str:
    from emotag.bundle.folder import open_bundle
    from emotag.cli.console import safe
    from emotag.errors import BundleError

    try:
        config = open_bundle(folder).config
    except BundleError as error:
        return safe(str(error))
    labels = ", ".join(config.label_set.names)
    return safe(f"{labels} ({config.recipe} on {config.backbone}; {folder})")
