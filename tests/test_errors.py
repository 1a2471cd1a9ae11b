"""The errors: their tree, their messages, and what is said where a part is missing."""

import builtins
import pickle
import re

import pytest

from emotag import errors
from emotag.errors import (
    EmotagError,
    MissingExtraError,
    PhotoError,
    SkippedPhoto,
    UnreadablePhoto,
    explain_missing,
    require_training,
)


def all_errors() -> dict[str, type[Exception]]:
    found = {name: getattr(errors, name) for name in errors.__all__}
    return {name: value for name, value in found.items() if isinstance(value, type)}


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    drawn = re.findall(r"([│ ]*[├└]──) (\w+)(?: \((\w+)\))?", errors.__doc__ or "")
    assert {name for _, name, _ in drawn} | {"EmotagError"} == set(all_errors())
    parent = EmotagError
    for branch, name, built_in in drawn:
        error = all_errors()[name]
        if "│" in branch:
            assert error.__bases__ == (parent,)
            continue
        parent = error
        assert error.__bases__ == (EmotagError, getattr(builtins, built_in))


@pytest.mark.parametrize("name", sorted(all_errors()))
def test_every_error_is_caught_as_emotags(name: str) -> None:
    assert issubclass(all_errors()[name], EmotagError)


@pytest.mark.parametrize("kind", [PhotoError, SkippedPhoto, UnreadablePhoto])
def test_an_error_of_a_photo_names_it_and_survives_the_way_between_processes(
    kind: type[PhotoError],
) -> None:
    error = kind("trip/rome.jpg", "empty file")
    again = pickle.loads(pickle.dumps(error))
    assert str(error) == str(again) == "trip/rome.jpg: empty file"
    assert type(again) is kind
    assert (again.path, again.reason) == ("trip/rome.jpg", "empty file")


@pytest.mark.parametrize("module", ["torch", "torch.nn.functional", "skops.io", "timm"])
def test_a_missing_training_module_is_answered_with_what_to_type(module: str) -> None:
    explained = explain_missing(ImportError("no", name=module), "emotag.CNNFeatures")
    assert isinstance(explained, MissingExtraError)
    assert str(explained) == (
        "emotag.CNNFeatures needs the part of emotag that trains models; "
        "type: pip install 'emotag[train]'"
    )


@pytest.mark.parametrize("module", ["numpy", "torchlight", "emotag.missing", None])
def test_any_other_failed_import_stays_what_it_is(module: str | None) -> None:
    error = ImportError("no", name=module)
    assert explain_missing(error, "emotag fit") is error


def test_training_may_go_ahead_where_it_is_installed() -> None:
    pytest.importorskip("torch")
    require_training("emotag fit")
