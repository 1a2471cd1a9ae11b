"""A page in one file: it loads nothing, and runs no script but its own.

The page is data and a script that draws it. What is long, such as thumbnails,
comes after the script, so that the page is seen before it is read to its end.
"""

import base64
import hashlib
import html
from collections.abc import Iterable
from dataclasses import dataclass
from string import Template
from typing import IO, Any

from emotag.pages.escaping import script_json, visible

__all__ = ["Assets", "read_assets", "write_page"]

_END = "</body>\n</html>\n"


@dataclass(frozen=True)
class Assets:
    """What a page is made of, as it stands in this folder.

    Attributes
    ----------
    markup : str
        A template.
    style, script : str
        What all pages share, and the page's own.
    policy : str
        The Content-Security-Policy that allows this style and this script and no other.
    """

    markup: str
    style: str
    script: str
    policy: str


def read_assets(name: str) -> Assets:
    """Return the assets of a page.

    Parameters
    ----------
    name : str
        Of the page's markup, style and script in this folder.

    Examples
    --------
    >>> "default-src 'none'" in read_assets("gallery").policy
    True
    """
    style = _asset("look.css") + _asset(f"{name}.css")
    script = f"(() => {{\n'use strict';\n{_asset('look.js')}{_asset(f'{name}.js')}}})();\n"
    return Assets(_asset(f"{name}.html"), style, script, _policy(style, script))


def write_page(
    file: IO[bytes], name: str, title: str, data: Any, blocks: Iterable[bytes] = ()
) -> None:
    """Write a page.

    Parameters
    ----------
    file : binary file
        Open for writing.
    name : str
        Of the page's markup, style and script in this folder.
    title : str
        Any text.
    data : object
        What the script draws; what `json` can write.
    blocks : iterable of bytes
        What the script reads later, by number, each without a ``<``.
    """
    assets = read_assets(name)
    head = Template(assets.markup).substitute(
        policy=html.escape(assets.policy, quote=True),
        title=html.escape(visible(title)),
        style=assets.style,
        data=script_json(data),
        script=assets.script,
    )
    file.write(head.encode())
    for number, block in enumerate(blocks):
        file.write(b'<script type="text/plain" id="block-%d">%b</script>\n' % (number, block))
    file.write(_END.encode())


def _asset(name: str) -> str:
    # imported here: it takes some milliseconds
    from importlib.resources import files

    return files("emotag.pages").joinpath(name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    """Return the Content-Security-Policy: nothing from anywhere, and no text made into markup.

    Pictures may come from the page and from files beside it, for the photos themselves.
    """
    return "; ".join(
        (
            "default-src 'none'",
            "img-src 'self' data: file:",
            f"style-src '{_hash(style)}'",
            f"script-src '{_hash(script)}'",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
