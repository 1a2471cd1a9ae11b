"""An XMP packet as a tree that knows where in the text each element stands."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from emotag.errors import SidecarError

__all__ = ["RDF", "Element", "Written", "decode_packet", "parse_packet", "written_attributes"]

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"

# A start tag up to its end; a ">" may stand inside of quotes.
_TAG = re.compile(rb"""<(?P<name>[^\s/>]+)(?:"[^"]*"|'[^']*'|[^>"'])*>""")
_ATTRIBUTE = re.compile(rb"""\s+(?P<name>[^\s=]+)\s*=\s*(?:"[^"]*"|'[^']*')""")
_DECLARED = re.compile(rb"""^<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_BYTE_ORDER_MARKS = (
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
    (b"\xef\xbb\xbf", "utf-8"),
)
_DEEPEST = 200
# photo managers write a few hundred
_MOST = 100_000


@dataclass
class Element:
    """An element of a packet.

    Attributes
    ----------
    name : str
        Its namespace, a blank and its local name.
    prefix : str
        As the packet writes it; empty for the default namespace.
    attributes : dict of str
        By name, as `name` is written.
    start, inside, end_tag, end : int
        Bytes of the packet at which the start tag begins and ends, and the
        end tag begins and ends. In ``<a/>`` the last three are the same.
    namespaces : dict of str
        Those that its names may use, by prefix.
    text : str
        Directly inside of it.
    children : list of Element
        In order.
    """

    name: str
    prefix: str
    attributes: dict[str, str]
    start: int
    inside: int
    namespaces: dict[str, str]
    end_tag: int = 0
    end: int = 0
    text: str = ""
    children: list["Element"] = field(default_factory=list)

    def named(self, name: str) -> Iterator["Element"]:
        """Yield the children of a name."""
        return (child for child in self.children if child.name == name)

    def all(self) -> Iterator["Element"]:
        """Yield itself and what is below, in order."""
        yield self
        for child in self.children:
            yield from child.all()

    @property
    def is_empty_tag(self) -> bool:
        """Whether it is written ``<a/>``."""
        return self.inside == self.end


@dataclass(frozen=True)
class Written:
    """An attribute or a declaration as it stands in a start tag.

    Attributes
    ----------
    prefix, local : str
        Of its name; a declaration's prefix is ``xmlns``.
    start, end : int
        Bytes of the packet, the white space before it included.
    """

    prefix: str
    local: str
    start: int
    end: int


def written_attributes(packet: bytes, element: Element) -> Iterator[Written]:
    """Yield what stands in the start tag of an element, in order."""
    tag = _TAG.match(packet, element.start)
    # it was matched when the packet was parsed
    assert tag is not None
    for found in _ATTRIBUTE.finditer(packet, tag.end("name"), element.inside):
        prefix, _, local = found["name"].decode().rpartition(":")
        yield Written(prefix, local, found.start(), found.end())


def decode_packet(content: bytes) -> tuple[str, str, bytes]:
    """Return the text of a packet, its encoding, and its byte order mark.

    Raises
    ------
    SidecarError
        It is not in the encoding that it says.
    """
    known = (entry for entry in _BYTE_ORDER_MARKS if content.startswith(entry[0]))
    declared = _DECLARED.match(content)
    usual = declared[1].decode("ascii") if declared else "utf-8"
    mark, encoding = next(known, (b"", usual))
    try:
        text = content[len(mark) :].decode(encoding)
        if text.encode(encoding) != content[len(mark) :]:
            raise SidecarError(f"is not written as {encoding} usually is")
    except (LookupError, UnicodeError) as error:
        raise SidecarError(f"is not in the encoding {encoding}") from error
    return text, encoding, mark


def parse_packet(packet: bytes) -> Element:
    """Return the root of a packet in UTF-8; entities are not expanded, nothing is fetched.

    Raises
    ------
    SidecarError
        It is not well-formed XML, or declares a document type.
    """
    parser = expat.ParserCreate(encoding="utf-8", namespace_separator=" ")
    parser.buffer_text = True
    open_elements: list[Element] = []
    roots: list[Element] = []
    declared: dict[str, str] = {}
    count = 0

    def refuse(*_: object) -> None:
        raise SidecarError("declares a document type, which XMP has none of")

    def declare(prefix: str | None, uri: str | None) -> None:
        declared[prefix or ""] = uri or ""

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if count > _MOST:
            raise SidecarError(f"has more than {_MOST} elements")
        offset = parser.CurrentByteIndex
        tag = _TAG.match(packet, offset)
        if tag is None or len(open_elements) > _DEEPEST:
            raise SidecarError("is not XML that emotag can follow")
        prefix = tag["name"].decode().rpartition(":")[0]
        above = open_elements[-1].namespaces if open_elements else {}
        namespaces = above | declared if declared else above
        declared.clear()
        element = Element(name, prefix, attributes, offset, tag.end(), namespaces)
        (open_elements[-1].children if open_elements else roots).append(element)
        open_elements.append(element)

    def end(_: str) -> None:
        element = open_elements.pop()
        if packet[element.inside - 2 : element.inside] == b"/>":
            element.end_tag = element.end = element.inside
        else:
            element.end_tag = parser.CurrentByteIndex
            element.end = packet.index(b">", element.end_tag) + 1

    def text(data: str) -> None:
        open_elements[-1].text += data

    parser.StartDoctypeDeclHandler = refuse
    parser.StartNamespaceDeclHandler = declare
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    try:
        parser.Parse(packet, True)
    except expat.ExpatError as error:
        raise SidecarError(f"is no valid XML ({error})") from error
    return roots[0]
