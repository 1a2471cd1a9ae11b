"""``emotag models``: what can be fitted, on which networks, and what is at hand."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from emotag.backbones.weights import Weights

__all__ = ["app"]

app = typer.Typer(
    invoke_without_command=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def models(context: typer.Context) -> None:
    """List the models to fit and to tag with, and their networks.

    To tag with are the one that ships with emotag, and those under ./models.

    Example: emotag models
    """
    if context.invoked_subcommand is not None:
        return
    from emotag.backbones.registry import BACKBONES, PREFIXES
    from emotag.backbones.salience import U2NETP, u2netp_weights
    from emotag.bundle.finding import bundles_at_hand
    from emotag.cli.console import results, safe
    from emotag.errors import missing_training
    from emotag.models.catalogue import FAMILIES, RECIPES

    results.print("To fit, with emotag fit --model NAME:", style="bold")
    for recipe in RECIPES.values():
        results.print(f"  {recipe.name:15}  {recipe.summary}")
    results.print("\nThe same on other networks, with --backbone NAME:", style="bold")
    for family in FAMILIES.values():
        results.print(f"  {family.name:15}  {family.summary}; otherwise on {family.backbone}")
    results.print(f"  {_LIMITS}")
    if hint := missing_training("Fitting"):
        results.print(f"  {hint}")
    results.print("\nNetworks, fetched by emotag models get NAME:", style="bold")
    for backbone in BACKBONES.values():
        described = _describe_weights(backbone.title, backbone.weights)
        results.print(f"  {backbone.name:10}  {described}")
    for form, _ in PREFIXES.values():
        results.print(f"  {form:13}  {_FORMS[form]}")
    saliency = _describe_weights("U2-Net-p, for --saliency u2netp", u2netp_weights())
    results.print(f"  {U2NETP:10}  {saliency}")
    results.print("\nTo tag with, by emotag tag --model NAME:", style="bold")
    for name, folder in bundles_at_hand().items():
        results.print(f"  {safe(name):10}  {_describe_bundle(folder)}")


# of concepts and fused, of finetune, and of fusion
_LIMITS = "What stands on concepts needs ImageNet's classes; finetune and fusion take no onnx:FILE."
_FORMS = {
    "timm:NAME": "any network of timm, from the Hugging Face Hub",
    "clip:ARCH/TAG": "the image tower of any network of open_clip, from the Hugging Face Hub",
    "onnx:FILE": "a network of your own; FILE.json beside it says how photos are prepared",
}


@app.command()
def get(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As emotag models lists them.")],
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Fetch the weights of a network, and check them.

    A download that was cut off goes on from where it stopped.

    Example: emotag models get vgg16
    """
    from emotag.cli.console import results, safe
    from emotag.cli.weights import fetch_weights

    path = fetch_weights(name, quiet=quiet)
    results.print(f"The weights of {safe(name)} are in {safe(path)}.")


def _describe_weights(title: str, weights: "Weights") -> str:
    state = "at hand" if weights.at_hand else "to be fetched"
    size = "size not known" if weights.size is None else f"{weights.size / 2**20:.0f} MiB"
    return f"{title} ({weights.source}; {weights.licence}; {size}, {state})"


def _describe_bundle(folder: str) -> str:
    from emotag.bundle.folder import open_bundle
    from emotag.cli.console import safe
    from emotag.errors import BundleError

    try:
        config = open_bundle(folder).config
    except BundleError as error:
        return safe(str(error))
    labels = ", ".join(config.label_set.names)
    made = f"{config.recipe} on {config.backbone}" if config.backbone else config.recipe
    return safe(f"{labels} ({made}; {folder})")
