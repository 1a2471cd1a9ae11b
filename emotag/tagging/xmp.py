"""Tags in an XMP packet: put in and taken out, with all that is foreign left byte for byte.

Nothing is parsed and written anew: tags are spliced into the text, and cut out
of it. What emotag added is noted in a namespace of its own, so that it is found
again also where another program has written the packet anew.
"""

import html
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from emotag.errors import SidecarError
from emotag.tagging.packet import (
    RDF,
    Element,
    decode_packet,
    parse_packet,
    written_attributes,
)

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
    rdf = _path_to_rdf(packet)[-1]
    edits: list[_Edit] = []
    notes = _Notes(created=created)
    for known in _LISTS:
        value = known.value(tags.emotion)
        if _is_attribute(rdf, known):
            # no list, so that nothing can be put beside it
            continue
        lists = list(_lists(rdf, known))
        containers = [found for found in map(_container, lists) if found is not None]
        if not lists:
            notes.made.append(known)
        elif containers and not any(value in _items(found) for found in containers):
            edits.append(_insertion(packet, containers[0], _item(containers[0], value)))
            notes.added.append(known)
            if containers[0].is_empty_tag:
                notes.opened.append(known.prefix)
    if rdf.is_empty_tag:
        notes.opened.append("rdf")
    edits.append(_insertion(packet, rdf, _description(rdf, tags, notes)))
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
    path = _path_to_rdf(packet)
    rdf = path[-1]
    own = dict(_own_properties(rdf))
    if not own:
        return content
    cuts = [_cut(packet, rdf, description, own) for description in rdf.children]
    if own.get("Created") == "true" and not any(cut.foreign for cut in cuts):
        return None
    edits = [edit for cut in cuts for edit in cut.edits]
    edits += _close(rdf, own, edits)
    if any(cut.rewritten for cut in cuts):
        # where another program has put the declarations together, ours stands somewhere
        edits += _needless_declarations(packet, path, edits)
    return mark + _apply(packet, edits).decode().encode(encoding, "xmlcharrefreplace")


def read_tags(content: bytes) -> Tags | None:
    """Return what emotag said in a packet; None if it said nothing.

    Raises
    ------
    SidecarError
        It is no XMP.
    """
    own = dict(_own_properties(_path_to_rdf(decode_packet(content)[0].encode())[-1]))
    if "Emotion" not in own:
        return None
    names = ("Emotion", "Sentiment", "Confidence", "Model", "Tagged")
    return Tags(*(own.get(name, "") for name in names))


def _path_to_rdf(packet: bytes) -> list[Element]:
    """Return the first rdf:RDF after all that it is in, from the root down."""
    root = parse_packet(packet)
    rdf = next((element for element in root.all() if element.name == f"{RDF} RDF"), None)
    if rdf is None:
        raise SidecarError("is no XMP: it holds no rdf:RDF")
    path = [root]
    while path[-1] is not rdf:
        path += [child for child in path[-1].children if child.start <= rdf.start < child.end]
    return path


def _lists(rdf: Element, known: _List) -> Iterator[Element]:
    return (found for description in rdf.children for found in description.named(known.name))


def _is_attribute(rdf: Element, known: _List) -> bool:
    return any(known.name in description.attributes for description in rdf.children)


def _container(found: Element) -> Element | None:
    return next((child for child in found.children if child.name in _CONTAINERS), None)


def _items(container: Element) -> list[str]:
    return [item.text.strip() for item in container.named(f"{RDF} li")]


def _items_of(found: Element) -> list[str]:
    container = _container(found)
    return [] if container is None else _items(container)


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


@dataclass
class _Notes:
    """What was done to a packet, as is noted in it.

    Attributes
    ----------
    created : bool
        Whether there was none before.
    added : list of _List
        Those that got an item.
    made : list of _List
        Those that were not there.
    opened : list of str
        What was written ``<a/>``: ``rdf``, or the prefix of a list whose container was.
    """

    created: bool
    added: list[_List] = field(default_factory=list)
    made: list[_List] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)

    def properties(self, tags: Tags) -> dict[str, str]:
        """Return emotag's own properties, with what is said of the photo first."""
        every = {
            "Emotion": tags.emotion,
            "Sentiment": tags.sentiment,
            "Confidence": tags.confidence,
            "Model": tags.model,
            "Tagged": tags.tagged,
            "Added": " ".join(known.prefix for known in self.added),
            "Made": " ".join(known.prefix for known in self.made),
            "Opened": " ".join(self.opened),
            "Created": "true" if self.created else "",
        }
        return {name: value for name, value in every.items() if value}


def _description(rdf: Element, tags: Tags, notes: _Notes) -> bytes:
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
    # imported here: it takes as long as many photos
    from xml.sax.saxutils import quoteattr

    prefix = _free_prefix(rdf)
    made = notes.made
    spaces = "".join(f'\n    xmlns:{known.prefix}="{known.namespace}"' for known in made)
    lines = [f"<rdf:Description rdf:about={quoteattr(about)}"]
    lines[0] += f'\n    xmlns:rdf="{RDF}"\n    xmlns:{prefix}="{NAMESPACE}"{spaces}>'
    lines += [
        f"   <{prefix}:{name}>{_escape(value)}</{prefix}:{name}>"
        for name, value in notes.properties(tags).items()
    ]
    for known in made:
        name, kind = f"{known.prefix}:{known.local}", f"rdf:{known.container}"
        item = f"<rdf:li>{_escape(known.value(tags.emotion))}</rdf:li>"
        lines.append(f"   <{name}><{kind}>{item}</{kind}></{name}>")
    return ("\n".join(lines) + "\n  </rdf:Description>").encode()


def _free_prefix(rdf: Element) -> str:
    """Return a prefix that stands for nothing else: many programs take it for the namespace."""
    bound = {
        prefix
        for element in rdf.all()
        for prefix, uri in element.namespaces.items()
        if uri != NAMESPACE
    }
    names = (f"{_PREFIX}{number or ''}" for number in itertools.count())
    return next(name for name in names if name not in bound)


def _escape(text: str) -> str:
    """Return text for XML, which cannot hold every character."""
    return html.escape(_NO_XML.sub("\ufffd", text), quote=False)


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


@dataclass
class _Cut:
    """What is taken out of a description.

    Attributes
    ----------
    edits : list of tuple
        Of the packet.
    foreign : bool
        Whether anything else is in it.
    rewritten : bool
        Whether something of emotag's is in it and it is not as emotag writes it.
    """

    edits: list[_Edit]
    foreign: bool
    rewritten: bool


def _cut(packet: bytes, rdf: Element, description: Element, own: dict[str, str]) -> _Cut:
    """Return what takes emotag's own out of a description."""
    edits: list[_Edit] = []
    foreign = False
    for child in description.children:
        edit = (child.start, child.end, b"") if _is_own(child.name) else None
        edit = edit or _cut_from_list(rdf, child, own)
        if edit is not None:
            edits.append(edit)
        if edit is None or edit[:2] != (child.start, child.end):
            foreign = True
    declares = False
    for written in written_attributes(packet, description):
        declares |= written.prefix == "xmlns" and _stands_for_own(description, written.local)
        if written.prefix and _stands_for_own(description, written.prefix):
            edits.append((written.start, written.end, b""))
        elif written.prefix != "xmlns" and written.local not in ("about", "xmlns"):
            foreign = True
    holds_own = any(_is_own(name) for name in description.attributes) or any(
        _is_own(child.name) for child in description.children
    )
    if edits and not foreign:
        edits = [(description.start, description.end, b"")]
    return _Cut(edits, foreign, holds_own and not (declares and not foreign))


def _stands_for_own(element: Element, prefix: str) -> bool:
    return element.namespaces.get(prefix) == NAMESPACE


def _cut_from_list(rdf: Element, found: Element, own: dict[str, str]) -> _Edit | None:
    """Return the edit that takes an item of emotag's out of a list, or all of the list."""
    added, made = own.get("Added", "").split(), own.get("Made", "").split()
    known = next((known for known in _LISTS if known.name == found.name), None)
    if known is None or known.prefix not in (*added, *made):
        return None
    value = known.value(own.get("Emotion", ""))
    holding = [other for other in _lists(rdf, known) if value in _items_of(other)]
    # of several lists, emotag adds to the first, and makes its own last
    ours = holding[0 if known.prefix in added else -1] if holding else None
    container = _container(found)
    if found is not ours or container is None:
        return None
    items = list(container.named(f"{RDF} li"))
    if known.prefix in made and len(items) == 1:
        return found.start, found.end, b""
    # it was put last
    item = next(item for item in reversed(items) if item.text.strip() == value)
    if known.prefix in own.get("Opened", "").split() and _holds_only(container, [item]):
        return container.inside - 1, container.end, b"/>"
    return item.start, item.end, b""


def _close(rdf: Element, own: dict[str, str], edits: Sequence[_Edit]) -> Iterator[_Edit]:
    """Yield the edit that makes ``<rdf:RDF/>`` again of what was that."""
    cut = {edit[:2] for edit in edits}
    gone = [child for child in rdf.children if (child.start, child.end) in cut]
    if "rdf" in own.get("Opened", "").split() and _holds_only(rdf, gone):
        yield rdf.inside - 1, rdf.end, b"/>"


def _holds_only(element: Element, children: Sequence[Element]) -> bool:
    """Return whether there is nothing in an element but some children, not even white space."""
    return sum(child.end - child.start for child in children) == element.end_tag - element.inside


def _needless_declarations(
    packet: bytes, path: Sequence[Element], edits: Sequence[_Edit]
) -> Iterator[_Edit]:
    """Yield the edits that take away declarations of the namespace that nothing uses any more."""
    root, rdf = path[0], path[-1]
    used = [
        start
        for start in _uses(packet, root)
        if not any(edit[0] <= start < edit[1] for edit in edits)
    ]
    for element in (*path, *rdf.children):
        if any(element.start <= start < element.end for start in used):
            continue
        for written in written_attributes(packet, element):
            if written.prefix == "xmlns" and _stands_for_own(element, written.local):
                yield written.start, written.end, b""


def _uses(packet: bytes, root: Element) -> Iterator[int]:
    """Yield where names of emotag's namespace stand."""
    for element in root.all():
        if _is_own(element.name):
            yield element.start
        if any(_is_own(name) for name in element.attributes):
            for written in written_attributes(packet, element):
                if _stands_for_own(element, written.prefix):
                    yield written.start


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
