"""The licences under which photos are collected, and what each of them asks."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from emotag.errors import DataError, unknown_name

__all__ = ["LICENCES", "Licence", "choose_licences", "update_licences"]


@dataclass(frozen=True)
class Licence:
    """A licence, or a statement that there is none to keep to.

    Attributes
    ----------
    id : int
        As Flickr numbers it.
    code : str
        What a person types: ``'by-nc-sa'``, ``'cc0'``, ``'no-known-restrictions'``.
    name : str
        As it is cited, with its version.
    version : str
        ``'2.0'``; empty where there are no versions.
    url : str
        Its text.
    """

    id: int
    code: str
    name: str
    version: str
    url: str

    @property
    def non_commercial(self) -> bool:
        """Whether photos may not be used commercially."""
        return "nc" in self.code.split("-")

    @property
    def no_derivatives(self) -> bool:
        """Whether changed photos may not be shared."""
        return "nd" in self.code.split("-")

    @property
    def exact_code(self) -> str:
        """Its code with its version, such as ``'by-2.0'``."""
        return f"{self.code}-{self.version}" if self.version else self.code


_PUBLIC_DOMAIN = {"zero": ("cc0", "CC0"), "mark": ("pdm", "Public Domain Mark")}


def _creative_commons(number: int, code: str, version: str) -> Licence:
    url = f"https://creativecommons.org/licenses/{code}/{version}/"
    return Licence(number, code, f"CC {code.upper()} {version}", version, url)


def _public_domain(number: int, kind: str, version: str) -> Licence:
    code, name = _PUBLIC_DOMAIN[kind]
    url = f"https://creativecommons.org/publicdomain/{kind}/{version}/"
    return Licence(number, code, f"{name} {version}", version, url)


_TABLE = (
    _creative_commons(1, "by-nc-sa", "2.0"),
    _creative_commons(2, "by-nc", "2.0"),
    _creative_commons(3, "by-nc-nd", "2.0"),
    _creative_commons(4, "by", "2.0"),
    _creative_commons(5, "by-sa", "2.0"),
    _creative_commons(6, "by-nd", "2.0"),
    Licence(
        7,
        "no-known-restrictions",
        "No known copyright restrictions",
        "",
        "https://www.flickr.com/commons/usage/",
    ),
    Licence(
        8,
        "us-government",
        "United States Government Work",
        "",
        "https://www.usa.gov/government-copyright",
    ),
    _public_domain(9, "zero", "1.0"),
    _public_domain(10, "mark", "1.0"),
    _creative_commons(11, "by", "4.0"),
    _creative_commons(12, "by-sa", "4.0"),
    _creative_commons(13, "by-nd", "4.0"),
    _creative_commons(14, "by-nc", "4.0"),
    _creative_commons(15, "by-nc-sa", "4.0"),
    _creative_commons(16, "by-nc-nd", "4.0"),
)

LICENCES: dict[int, Licence] = {licence.id: licence for licence in _TABLE}
"""All that photos are collected under, by Flickr's number.

0, all rights reserved, is not among them and is never asked for.
(`flickr.photos.licenses.getInfo`; 11 to 16 since June 2025.)
"""

_CREATIVE_COMMONS = re.compile(
    r"https?://(?:www\.)?creativecommons\.org/"
    r"(?:licenses/(?P<code>by(?:-nc)?(?:-nd|-sa)?)|publicdomain/(?P<kind>zero|mark))"
    r"/(?P<version>\d\.\d)(?:/(?:deed(?:\.[A-Za-z-]+)?)?)?",
    re.ASCII | re.IGNORECASE,
)

_RESERVED = "all rights reserved"


def choose_licences(text: str | None, known: Mapping[int, Licence] = LICENCES) -> tuple[int, ...]:
    """Return the numbers of the licences that a person named.

    Parameters
    ----------
    text : str or None
        Codes with commas between them; None stands for all. A code without a
        version means every version of it. Capitals and a ``cc-`` before it
        make no difference.
    known : mapping of int to Licence
        What there is to choose from.

    Returns
    -------
    tuple of int
        In ascending order, each once.

    Raises
    ------
    DataError
        No licence is named, or one that is not known.

    Examples
    --------
    >>> choose_licences("by,by-sa,cc0")
    (4, 5, 9, 11, 12)
    >>> choose_licences("CC-BY-NC-2.0")
    (2,)
    """
    if text is None:
        return tuple(sorted(known))
    names = [name for part in text.split(",") if (name := part.strip())]
    if not names:
        raise DataError(f"No licence is named; choose from {', '.join(_codes(known))}.")
    return tuple(sorted({number for name in names for number in _numbers(name, known)}))


def _numbers(name: str, known: Mapping[int, Licence]) -> list[int]:
    code = name.lower().removeprefix("cc-")
    found = [
        number for number, licence in known.items() if code in (licence.code, licence.exact_code)
    ]
    if not found:
        raise DataError(unknown_name("licence", name, _codes(known)))
    return found


def _codes(known: Mapping[int, Licence]) -> list[str]:
    return list(dict.fromkeys(known[number].code for number in sorted(known)))


def update_licences(info: Iterable[Mapping[str, Any]]) -> dict[int, Licence]:
    """Return the licences as the service lists them now, the known ones where it is silent.

    A licence is told by its address, since names are worded anew now and then.
    A number that the table does not have is taken if its address is a Creative
    Commons or public-domain one; a known number that now means something else
    is left out, and so is whatever is called all rights reserved.

    Parameters
    ----------
    info : iterable of mapping
        The ``license`` entries of `photos.licenses.getInfo`, each with ``id``,
        ``name`` and ``url``. Damaged ones are passed over.

    Examples
    --------
    >>> url = "https://creativecommons.org/licenses/by/5.0/"
    >>> update_licences([{"id": "17", "name": "CC BY 5.0", "url": url}])[17].code
    'by'
    """
    licences = dict(LICENCES)
    for entry in info:
        number = _number(entry.get("id"))
        if not number:
            continue
        name, url = str(entry.get("name") or ""), str(entry.get("url") or "")
        said = None if _RESERVED in name.lower() else _said(number, url)
        licences.pop(number, None)
        if said is not None:
            licences[number] = said
    return dict(sorted(licences.items()))


def _number(value: object) -> int | None:
    text = str(value)
    return int(text) if re.fullmatch(r"[0-9]{1,4}", text) else None


def _said(number: int, url: str) -> Licence | None:
    """Return what a number means if its address is this one."""
    match = _CREATIVE_COMMONS.fullmatch(url.strip())
    if match is None:
        known = LICENCES.get(number)
        # the addresses of the last two are no licence's, and have moved before
        keeps = known is not None and (not url or not known.version)
        return known if keeps else None
    if kind := match["kind"]:
        return _public_domain(number, kind.lower(), match["version"])
    return _creative_commons(number, match["code"].lower(), match["version"])
