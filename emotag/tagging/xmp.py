"""Tags in an XMP packet: put in and taken out, with all that is foreign left byte for byte.

Nothing is parsed and written anew: tags are spliced into the text, and cut out
of it. What emotag added is noted in a namespace of its own, so that it is found
again also where another program has written the packet anew.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from xml.sax import saxutils

from emotag.errors import SidecarError
from emotag.tagging.packet import RDF, Element, decode_packet, parse_packet

__all__ = ["NAMESPACE", "Tags", "add_tags", "read_tags", "remove_tags"]

NAMESPACE = "urn:emotag:xmp:1.0#"
"""Of emotag's own properties."""

_PREFIX = "emotag"
_NO_XML = re.compile("[^\\t\\n\\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CONTAINERS = tuple(f"{RDF} {kind}" for kind in ("Bag", "Seq", "Alt"))
_TEMPLATE = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
"""


@dataclass(frozen=True)
class Tags:
    """What is said of a photo in its packet.

    Attributes
    ----------
    emotion, sentiment : str
        As in a row; the sentiment may be empty.
    confidence : str
        A number as text.
    model, tagged : str
        Which model said so, and when, in the form of ISO 8601.
    """

    emotion: str
    sentiment: str
    confidence: str
    model: str
    tagged: str

    def same(self, other: "Tags | None") -> bool:
        """Return whether another says the same, whenever it was said."""
        return other is not None and replace(self, tagged="") == replace(other, tagged="")


@dataclass(frozen=True)
class _List:
    """A property that photo managers read tags from."""

    namespace: str
    prefix: str
    local: str
    container: str

    @property
    def name(self) -> str:
        return f"{self.namespace} {self.local}"

    def value(self, emotion: str) -> str:
        """Return how the property writes an emotion; separators in it would make levels."""
        shown = " ".join(emotion.split())
        shown = shown[:1].upper() + shown[1:]
        if self.prefix == "lr":
            return f"Emotion|{shown.replace('|', '-')}"
        if self.prefix == "digiKam":
            return f"Emotion/{shown.replace('/', '-')}"
        return shown


_LISTS = (
    _List("http://purl.org/dc/elements/1.1/", "dc", "subject", "Bag"),
    _List("http://ns.adobe.com/lightroom/1.0/", "lr", "hierarchicalSubject", "Bag"),
    _List("http://www.digikam.org/ns/1.0/", "digiKam", "TagsList", "Seq"),
)

# Of the packet, from where to where, and what comes there instead.
_Edit = tuple[int, int, bytes]


def add_tags(content: bytes | None, tags: Tags) -> bytes:
    """Return a packet with tags, in place of those that emotag put in before.

    Parameters
    ----------
    content : bytes or None
        The packet; None makes a new one.
    tags : Tags
        What to say.

    Raises
    ------
    SidecarError
        It is no XMP.

    Examples
    --------
    >>> tags = Tags("fear", "negative", "0.81", "emotag-lite0", "2026-01-01T00:00:00+00:00")
    >>> packet = add_tags(None, tags)
    >>> read_tags(packet) == tags
    True
    >>> remove_tags(packet) is None
    True
    """
    base = None if content is None else remove_tags(content)
    created = base is None
    text, encoding, mark = decode_packet(_TEMPLATE.encode() if base is None else base)
    packet = text.encode()
    rdf = _find_rdf(packet)
    edits: list[_Edit] = []
    added: list[_List] = []
    made: list[_List] = []
    for known in _LISTS:
        value = known.value(tags.emotion)
        if _is_attribute(rdf, known):
            # no list, so that nothing can be put beside it
            continue
        found = _find_list(rdf, known)
        if found is None:
            made.append(known)
        elif (container := _container(found)) is not None and value not in _items(container):
            edits.append(_insertion(packet, container, _item(container, value)))
            added.append(known)
    notes = _notes(tags, added, made, created=created)
    edits.append(_insertion(packet, rdf, _description(rdf, tags, made, notes)))
    return mark + _apply(packet, edits).decode().encode(encoding, "xmlcharrefreplace")


def remove_tags(content: bytes) -> bytes | None:
    """Return a packet without what emotag put in; None if nothing else was in it.

    Parameters
    ----------
    content : bytes
        The packet.

    Raises
    ------
    SidecarError
        It is no XMP.
    """
    text, encoding, mark = decode_packet(content)
    packet = text.encode()
    rdf = _find_rdf(packet)
    own = dict(_own_properties(rdf))
    if not own:
        return content
    edits = list(_own_declarations(packet))
    left = 0
    for description in rdf.children:
        inside, foreign = _cut(description, own)
        attributes = [name for name in description.attributes if not _is_own(name)]
        said = [name for name in attributes if name not in (f"{RDF} about", "about")]
        mine = len(attributes) < len(description.attributes) or bool(inside)
        if mine and not said and not foreign:
            edits.append((description.start, description.end, b""))
            continue
        left += bool(said or foreign)
        edits.extend(inside)
        edits.extend(_own_attributes(packet, description))
    if own.get("Created") == "true" and not left:
        return None
    return mark + _apply(packet, edits).decode().encode(encoding, "xmlcharrefreplace")


def read_tags(content: bytes) -> Tags | None:
    """Return what emotag said in a packet; None if it said nothing.

    Raises
    ------
    SidecarError
        It is no XMP.
    """
    own = dict(_own_properties(_find_rdf(decode_packet(content)[0].encode())))
    if "Emotion" not in own:
        return None
    names = ("Emotion", "Sentiment", "Confidence", "Model", "Tagged")
    return Tags(*(own.get(name, "") for name in names))


def _find_rdf(packet: bytes) -> Element:
    rdf = next(parse_packet(packet).all(f"{RDF} RDF"), None)
    if rdf is None:
        raise SidecarError("is no XMP: it holds no rdf:RDF")
    return rdf


def _find_list(rdf: Element, known: _List) -> Element | None:
    return next((found for part in rdf.children for found in part.named(known.name)), None)


def _is_attribute(rdf: Element, known: _List) -> bool:
    return any(known.name in description.attributes for description in rdf.children)


def _container(found: Element) -> Element | None:
    return next((child for child in found.children if child.name in _CONTAINERS), None)


def _items(container: Element) -> list[str]:
    return [item.text.strip() for item in container.named(f"{RDF} li")]


def _item(container: Element, value: str) -> bytes:
    name = f"{container.prefix}:li" if container.prefix else "li"
    return f"<{name}>{_escape(value)}</{name}>".encode()


def _insertion(packet: bytes, element: Element, content: bytes) -> _Edit:
    """Return the edit that puts something last into an element."""
    if element.end_tag < element.end:
        return element.end_tag, element.end_tag, content
    name = element.name.partition(" ")[2]
    name = f"{element.prefix}:{name}" if element.prefix else name
    slash = packet.rindex(b"/", element.start, element.inside)
    return slash, element.inside, b">" + content + f"</{name}>".encode()


def _notes(
    tags: Tags, added: Iterable[_List], made: Iterable[_List], *, created: bool
) -> dict[str, str]:
    notes = {
        "Emotion": tags.emotion,
        "Sentiment": tags.sentiment,
        "Confidence": tags.confidence,
        "Model": tags.model,
        "Tagged": tags.tagged,
        "Added": " ".join(known.prefix for known in added),
        "Made": " ".join(known.prefix for known in made),
        "Created": "true" if created else "",
    }
    return {name: value for name, value in notes.items() if value}


def _description(rdf: Element, tags: Tags, made: Iterable[_List], notes: dict[str, str]) -> bytes:
    """Return a description that holds emotag's notes, and the lists that were not there."""
    about = next(
        (
            part.attributes[name]
            for part in rdf.children
            for name in (f"{RDF} about", "about")
            if name in part.attributes
        ),
        "",
    )
    made = list(made)
    spaces = "".join(f'\n    xmlns:{known.prefix}="{known.namespace}"' for known in made)
    lines = [f"<rdf:Description rdf:about={saxutils.quoteattr(about)}"]
    lines[0] += f'\n    xmlns:rdf="{RDF}"\n    xmlns:{_PREFIX}="{NAMESPACE}"{spaces}>'
    lines += [
        f"   <{_PREFIX}:{name}>{_escape(value)}</{_PREFIX}:{name}>" for name, value in notes.items()
    ]
    for known in made:
        name, kind = f"{known.prefix}:{known.local}", f"rdf:{known.container}"
        item = f"<rdf:li>{_escape(known.value(tags.emotion))}</rdf:li>"
        lines.append(f"   <{name}><{kind}>{item}</{kind}></{name}>")
    return ("\n".join(lines) + "\n  </rdf:Description>").encode()


def _escape(text: str) -> str:
    """Return text for XML, which cannot hold every character."""
    return saxutils.escape(_NO_XML.sub("\ufffd", text))


def _is_own(name: str) -> bool:
    return name.startswith(f"{NAMESPACE} ")


def _own_properties(rdf: Element) -> Iterator[tuple[str, str]]:
    for description in rdf.children:
        for name, value in description.attributes.items():
            if _is_own(name):
                yield name.partition(" ")[2], value
        for child in description.children:
            if _is_own(child.name):
                yield child.name.partition(" ")[2], child.text


def _cut(description: Element, own: dict[str, str]) -> tuple[list[_Edit], int]:
    """Return the edits that take emotag's own out of a description, and how much stays."""
    edits: list[_Edit] = []
    foreign = 0
    added, made = own.get("Added", "").split(), own.get("Made", "").split()
    lists = {known.name: known for known in _LISTS if known.prefix in (*added, *made)}
    for child in description.children:
        if _is_own(child.name):
            edits.append((child.start, child.end, b""))
            continue
        known, container = lists.get(child.name), _container(child)
        items = [] if container is None else list(container.named(f"{RDF} li"))
        value = "" if known is None else known.value(own.get("Emotion", ""))
        mine = [item for item in items if known is not None and item.text.strip() == value][:1]
        if mine and known is not None and known.prefix in made and len(items) == 1:
            edits.append((child.start, child.end, b""))
            continue
        edits.extend((item.start, item.end, b"") for item in mine)
        foreign += 1
    return edits, foreign


def _own_prefixes(packet: bytes) -> set[bytes]:
    pattern = rb"xmlns:([^\s=]+)\s*=\s*[\"']" + re.escape(NAMESPACE.encode()) + rb"[\"']"
    return set(re.findall(pattern, packet))


def _own_declarations(packet: bytes) -> Iterator[_Edit]:
    pattern = rb"\s+xmlns:[^\s=]+\s*=\s*([\"'])" + re.escape(NAMESPACE.encode()) + rb"\1"
    for found in re.finditer(pattern, packet):
        yield found.start(), found.end(), b""


def _own_attributes(packet: bytes, description: Element) -> Iterator[_Edit]:
    for prefix in _own_prefixes(packet):
        pattern = rb"\s+" + re.escape(prefix) + rb":[^\s=]+\s*=\s*(?:\"[^\"]*\"|'[^']*')"
        for found in re.compile(pattern).finditer(packet, description.start, description.inside):
            yield found.start(), found.end(), b""


def _apply(packet: bytes, edits: Iterable[_Edit]) -> bytes:
    """Return a packet with edits; one inside of another is dropped."""
    parts: list[bytes] = []
    done = 0
    for start, end, content in sorted(edits, key=lambda edit: (edit[0], -edit[1])):
        if start < done:
            continue
        parts += [packet[done:start], content]
        done = end
    return b"".join([*parts, packet[done:]])
