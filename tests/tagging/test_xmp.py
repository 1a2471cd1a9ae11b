"""Tags in XMP packets: read by programs of others, and taken out to the byte."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emotag.errors import SidecarError
from emotag.tagging.xmp import NAMESPACE, Tags, add_tags, read_tags, remove_tags

FEAR = Tags("fear", "negative", "0.8100", "emotag-lite0", "2026-01-01T00:00:00+00:00")
LOVE = Tags("love", "positive", "0.5000", "emotag-lite0", "2026-02-01T00:00:00+00:00")

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
SPACES = (
    f'xmlns:rdf="{RDF}" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:lr="http://ns.adobe.com/lightroom/1.0/" xmlns:digiKam="http://www.digikam.org/ns/1.0/" '
    'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:my="urn:mine#"'
)


def packet(inside: str) -> bytes:
    rdf = f"<rdf:RDF {SPACES}>{inside}</rdf:RDF>"
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/">{rdf}</x:xmpmeta>'.encode()


def of_mine(value: str) -> str:
    return packet(f'<rdf:Description rdf:about="" my:a="{value}"/>').decode()


PACKETS = {
    "nothing": packet(""),
    "rating": packet('<rdf:Description rdf:about="" xmp:Rating="3"/>'),
    "about": packet("<rdf:Description rdf:about='u:1&amp;2' xmp:Rating='3'></rdf:Description>"),
    "keywords": packet(
        '\n <rdf:Description rdf:about="">\n  <dc:subject>\n   <rdf:Bag>\n    '
        "<rdf:li>dog &amp; cat</rdf:li>\n   </rdf:Bag>\n  </dc:subject>\n </rdf:Description>\n"
    ),
    "all lists": packet(
        '<rdf:Description rdf:about=""><dc:subject><rdf:Bag><rdf:li>a</rdf:li></rdf:Bag>'
        "</dc:subject><lr:hierarchicalSubject><rdf:Bag><rdf:li>a|b</rdf:li></rdf:Bag></lr:hierarchicalSubject>"
        "<digiKam:TagsList><rdf:Seq><rdf:li>a/b</rdf:li></rdf:Seq></digiKam:TagsList>"
        "</rdf:Description>"
    ),
    "the same keyword": packet(
        '<rdf:Description rdf:about=""><dc:subject><rdf:Bag><rdf:li>Fear</rdf:li></rdf:Bag>'
        "</dc:subject></rdf:Description>"
    ),
    "several descriptions": packet(
        '<rdf:Description rdf:about="" xmp:Rating="1"/><!-- mine -->'
        '<rdf:Description rdf:about=""><my:deep rdf:parseType="Resource"><my:x>1</my:x></my:deep>'
        "<dc:subject><rdf:Bag><rdf:li>x</rdf:li></rdf:Bag></dc:subject></rdf:Description>"
        '<rdf:Description rdf:about=""><my:text><![CDATA[<not> a tag & "so on"]]></my:text>'
        "</rdf:Description>"
    ),
    "shorthand keyword": packet('<rdf:Description rdf:about="" dc:subject="single"/>'),
    "keyword that is no list": packet(
        '<rdf:Description rdf:about=""><dc:subject>single</dc:subject></rdf:Description>'
    ),
    "an alternative": packet(
        '<rdf:Description rdf:about=""><dc:title><rdf:Alt><rdf:li xml:lang="x-default">a &gt; b'
        "</rdf:li></rdf:Alt></dc:title></rdf:Description>"
    ),
    "quoted sign": packet('<rdf:Description rdf:about="" my:a="a > b" my:b=\'"\'/>'),
    "other prefixes": (
        f'<RDF xmlns="{RDF}"><Description xmlns:k="http://purl.org/dc/elements/1.1/" '
        f'xmlns:r="{RDF}" r:about=""><k:subject><Bag><li>x</li></Bag></k:subject>'
        "</Description></RDF>"
    ).encode(),
    "packet wrapper": b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
    + packet("")
    + b'\n<?xpacket end="w"?>   \r\n',
    "mark": b"\xef\xbb\xbf" + packet('<rdf:Description rdf:about="" my:a="é"/>'),
    "latin 1": b'<?xml version="1.0" encoding="ISO-8859-1"?>'
    + of_mine("é").encode("latin-1"),
    "utf-16": b"\xff\xfe" + of_mine("漢").encode("utf-16-le"),
    "utf-16 of the other end": b"\xfe\xff" + of_mine("漢").encode("utf-16-be"),
    "the prefix for something else": packet(
        '<rdf:Description rdf:about="" xmlns:emotag="http://other.example/" emotag:mood="calm" '
        'my:a="see emotag:X=\'1\' ok"><emotag:x>1</emotag:x></rdf:Description>'
    ),
    "of an ingredient": packet(
        '<rdf:Description rdf:about=""><my:pantry><rdf:Bag><rdf:li><rdf:Description '
        f'xmlns:emotag="{NAMESPACE}" emotag:Emotion="love"/></rdf:li></rdf:Bag></my:pantry>'
        "</rdf:Description>"
    ),
    "a declaration that nothing uses": packet(
        f'<rdf:Description rdf:about="" xmlns:emotag="{NAMESPACE}" my:a="1"/>'
    ),
    "a declaration in text": packet(
        f'<!-- xmlns:q="{NAMESPACE}" --><?my xmlns:q="{NAMESPACE}"?><rdf:Description rdf:about="" '
        f"my:a='write xmlns:q=\"{NAMESPACE}\"'><my:b>or  xmlns:q=\"{NAMESPACE}\" there</my:b>"
        f'<my:c><![CDATA[<a xmlns:q="{NAMESPACE}">]]></my:c></rdf:Description>'
    ),
    "two lists": packet(
        '<rdf:Description rdf:about=""><dc:subject><rdf:Bag><rdf:li>a</rdf:li></rdf:Bag>'
        '</dc:subject></rdf:Description><rdf:Description rdf:about=""><dc:subject><rdf:Bag>'
        "<rdf:li>Fear</rdf:li></rdf:Bag></dc:subject></rdf:Description>"
    ),
    "an empty container": packet(
        '<rdf:Description rdf:about=""><dc:subject><rdf:Bag /></dc:subject>'
        "<digiKam:TagsList><rdf:Seq></rdf:Seq></digiKam:TagsList></rdf:Description>"
    ),
    "an empty list": packet('<rdf:Description rdf:about=""><dc:subject/></rdf:Description>'),
    "an empty RDF": (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF xmlns:r="{RDF}"  /></x:xmpmeta>'
    ).encode(),
    "old lines": packet('\r\n<rdf:Description\r\n rdf:about=""\r\n my:a="1"/>\r\n'),
}  # fmt: skip

exiftool = pytest.mark.skipif(shutil.which("exiftool") is None, reason="needs exiftool")
exiv2 = pytest.mark.skipif(shutil.which("exiv2") is None, reason="needs exiv2")


def by_exiftool(path: Path) -> dict[str, Any]:
    command = ["exiftool", "-json", "-G1", "-a", "-struct", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    (found,) = json.loads(done.stdout)
    return {name: value for name, value in found.items() if name.startswith("XMP-")}


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


@pytest.mark.parametrize("name", PACKETS)
@pytest.mark.parametrize("tags", [FEAR, LOVE])
def test_taken_out_to_the_byte(name: str, tags: Tags) -> None:
    content = PACKETS[name]
    tagged = add_tags(content, tags)
    assert read_tags(tagged) == tags
    assert remove_tags(tagged) == content
    assert read_tags(content) is None
    assert remove_tags(content) == content


@pytest.mark.parametrize("name", PACKETS)
def test_a_second_time_replaces_the_first(name: str) -> None:
    twice = add_tags(add_tags(PACKETS[name], FEAR), LOVE)
    assert twice == add_tags(PACKETS[name], LOVE)
    assert read_tags(twice) == LOVE


@pytest.mark.parametrize("name", PACKETS)
def test_what_is_foreign_stays(name: str) -> None:
    # XML of another library: all that was there is there, in order
    before = list(ElementTree.fromstring(PACKETS[name]).iter())
    after = iter(ElementTree.fromstring(add_tags(PACKETS[name], LOVE)).iter())
    for element in before:
        assert any(
            (other.tag, other.attrib) == (element.tag, element.attrib)
            and (other.text or "").strip() == (element.text or "").strip()
            for other in after
        )


def test_a_new_packet_is_removed_whole() -> None:
    content = add_tags(None, FEAR)
    assert remove_tags(content) is None
    assert add_tags(content, LOVE) == add_tags(None, LOVE)


def test_an_empty_container_gets_its_first() -> None:
    tagged = add_tags(PACKETS["an empty container"], FEAR)
    items = [item.text for item in ElementTree.fromstring(tagged).iter(f"{{{RDF}}}li")]
    assert items == ["Fear", "Emotion/Fear", "Emotion|Fear"]


def test_a_keyword_of_the_same_name_that_was_set_since_stays() -> None:
    # by hand, before and after emotag's own
    tagged = add_tags(PACKETS["keywords"], FEAR)
    (place,) = (tagged.index(text) for text in [b"<rdf:li>dog"])
    more = tagged[:place] + b"<rdf:li>Fear</rdf:li>" + tagged[place:]
    left = remove_tags(more)
    assert left is not None
    assert left.count(b"<rdf:li>Fear</rdf:li>") == 1
    assert left.index(b"<rdf:li>Fear</rdf:li>") == place


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no XML at all",
        b"<x:xmpmeta>",
        PACKETS["keywords"][:-20],
        b"\xff\xfe\x00",
        b"<?xml version='1.0' encoding='klingon'?><a/>",
        b"<html><body>no RDF</body></html>",
        b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>' + packet("&b;"),
        b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + packet("&a;"),
        b'<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd">' + packet(""),
        packet("&undefined;"),
        b"<a>" * 5000 + b"</a>" * 5000,
        packet("<my:a/>" * 100_001),
    ],
    ids=range(13),
)
def test_what_is_left_alone(content: bytes) -> None:
    for function in (remove_tags, read_tags, lambda given: add_tags(given, FEAR)):
        with pytest.raises(SidecarError):
            function(content)


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=12)


@st.composite
def packets(draw: Any) -> bytes:
    """Draw a packet of several descriptions with nested, attribute and list properties."""
    escape = {ord("&"): "&amp;", ord("<"): "&lt;", ord('"'): "&quot;"}
    space = st.sampled_from(["", "\n", "\n   ", " "])

    def text() -> str:
        return str(draw(TEXT)).translate(escape)

    def items() -> str:
        return "".join(
            f"<rdf:li>{text()}</rdf:li>{draw(space)}" for _ in range(draw(st.integers(1, 3)))
        )

    free = [
        ("dc:subject", "Bag"), ("lr:hierarchicalSubject", "Bag"), ("digiKam:TagsList", "Seq"),
    ]  # fmt: skip
    lists = draw(st.lists(st.sampled_from(free), unique=True))
    parts = []
    for _ in range(draw(st.integers(0, 3))):
        attributes = f' my:a="{text()}"' if draw(st.booleans()) else ""
        inside = []
        if draw(st.booleans()):
            inside.append(
                f"<my:deep><rdf:Description><my:x>{text()}</my:x></rdf:Description></my:deep>"
            )
        if lists and draw(st.booleans()):
            name, kind = lists.pop()
            inside.append(f"<{name}><rdf:{kind}>{draw(space)}{items()}</rdf:{kind}></{name}>")
        body = draw(space).join(["", *inside, ""])
        parts.append(f'<rdf:Description rdf:about=""{attributes}>{body}</rdf:Description>')
    return packet(draw(space).join(["", *parts, ""]))


@settings(max_examples=200, deadline=None)
@given(packets(), TEXT.filter(str.strip), TEXT, st.sampled_from(["utf-8", "utf-16-le"]))
def test_any_packet(content: bytes, emotion: str, model: str, encoding: str) -> None:
    if encoding != "utf-8":
        content = b"\xff\xfe" + content.decode().encode(encoding)
    tags = Tags(emotion, "", "0.5000", model, "2026-01-01T00:00:00+00:00")
    tagged = add_tags(content, tags)
    assert remove_tags(tagged) == content
    assert remove_tags(add_tags(tagged, LOVE)) == content
    ElementTree.fromstring(tagged)


@pytest.mark.parametrize(
    ("inside", "needed"),
    [
        ("", False),
        ('<my:deep rdf:parseType="Resource"><emotag:Emotion>love</emotag:Emotion></my:deep>', True),
        ('<my:deep><rdf:Description emotag:Emotion="love"/></my:deep>', True),
    ],
)
def test_declarations_that_were_put_together_go_unless_something_else_needs_them(
    inside: str, needed: bool
) -> None:
    def shorthand(own: str, keyword: str, declaration: str) -> bytes:
        description = (
            f"<rdf:Description rdf:about='' my:a='1'{own}><dc:subject><rdf:Bag><rdf:li>dog</rdf:li>"
            f"{keyword}</rdf:Bag></dc:subject>{inside}</rdf:Description>"
        )
        return packet(description).replace(b"<rdf:RDF", f"<rdf:RDF{declaration}".encode())

    declaration = f'\n  xmlns:emotag = "{NAMESPACE}"'
    own = "\n emotag:Emotion='fear' emotag:Added=\"dc\""
    tagged = shorthand(own, "<rdf:li>Fear</rdf:li>", declaration)
    assert remove_tags(tagged) == shorthand("", "", declaration if needed else "")


def test_signs_that_xml_cannot_hold() -> None:
    tags = Tags("bell\x07", "", "0.5", "a\ud800b", "now")
    found = read_tags(add_tags(None, tags))
    assert found == Tags("bell\ufffd", "", "0.5", "a\ufffdb", "now")
    assert remove_tags(add_tags(PACKETS["keywords"], tags)) == PACKETS["keywords"]


# which exiftool does not read, with tags or without
UNREAD = {
    "an empty RDF",
    "other prefixes",
    "two lists",
    "quoted sign",
    "utf-16",
    "utf-16 of the other end",
}


@exiftool
@pytest.mark.parametrize("name", [None, *sorted(PACKETS.keys() - UNREAD)])
def test_read_by_exiftool(name: str | None, tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg.xmp"
    before: dict[str, Any] = {}
    if name is not None:
        path.write_bytes(PACKETS[name])
        before = by_exiftool(path)
    path.write_bytes(add_tags(None if name is None else PACKETS[name], FEAR))
    found = by_exiftool(path)
    no_list = ("shorthand keyword", "keyword that is no list", "an empty list")
    if name not in no_list:
        assert "Fear" in as_list(found["XMP-dc:Subject"])
    assert "Emotion|Fear" in as_list(found["XMP-lr:HierarchicalSubject"])
    assert "Emotion/Fear" in as_list(found["XMP-digiKam:TagsList"])
    prefix = "emotag1" if name == "the prefix for something else" else "emotag"
    assert found[f"XMP-{prefix}:Model"] == "emotag-lite0"
    assert float(found[f"XMP-{prefix}:Confidence"]) == 0.81
    for key, value in before.items():
        was = [item for item in as_list(value) if item != ""]
        assert as_list(found[key])[: len(was)] == was


@exiv2
@pytest.mark.parametrize("name", [None, "keywords", "several descriptions", "old lines"])
def test_read_by_exiv2(name: str | None, tmp_path: Path) -> None:
    path = tmp_path / "photo.xmp"
    path.write_bytes(add_tags(None if name is None else PACKETS[name], FEAR))
    done = subprocess.run(["exiv2", "-PXkt", str(path)], capture_output=True, text=True, check=True)
    found = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert "Fear" in found["Xmp.dc.subject"].split(", ")
    assert found["Xmp.lr.hierarchicalSubject"] == "Emotion|Fear"
    assert found["Xmp.digiKam.TagsList"] == "Emotion/Fear"
    assert found["Xmp.emotag.Confidence"] == "0.8100"


@exiftool
@pytest.mark.parametrize("name", [None, "keywords", "all lists", "rating"])
def test_written_anew_by_another_program(name: str | None, tmp_path: Path) -> None:
    path = tmp_path / "photo.xmp"
    path.write_bytes(add_tags(None if name is None else PACKETS[name], FEAR))
    rewrite = ["exiftool", "-q", "-overwrite_original", "-XMP-dc:Creator=Ada", str(path)]
    subprocess.run(rewrite, check=True)
    assert path.read_bytes() != add_tags(None if name is None else PACKETS[name], FEAR)
    found = read_tags(path.read_bytes())
    assert found is not None
    assert found.emotion == "fear"
    path.write_bytes(add_tags(path.read_bytes(), LOVE))
    assert "Love" in as_list(by_exiftool(path)["XMP-dc:Subject"])
    assert "Fear" not in as_list(by_exiftool(path)["XMP-dc:Subject"])
    left = remove_tags(path.read_bytes())
    assert left is not None
    assert NAMESPACE.encode() not in left
    path.write_bytes(left)
    expected = {"XMP-dc:Creator": ["Ada"]}
    if name is not None:
        (tmp_path / "before.xmp").write_bytes(PACKETS[name])
        expected |= by_exiftool(tmp_path / "before.xmp")
    found_now = by_exiftool(path)
    found_now.pop("XMP-x:XMPToolkit", None)
    assert {key: as_list(value) for key, value in found_now.items()} == {
        key: as_list(value) for key, value in expected.items()
    }


@exiv2
def test_written_anew_by_exiv2(tmp_path: Path) -> None:
    path = tmp_path / "photo.xmp"
    path.write_bytes(add_tags(PACKETS["keywords"], FEAR))
    subprocess.run(["exiv2", "-Mset Xmp.xmp.Rating 4", str(path)], check=True)
    left = remove_tags(path.read_bytes())
    assert left is not None
    path.write_bytes(left)
    done = subprocess.run(["exiv2", "-PXkt", str(path)], capture_output=True, text=True, check=True)
    found = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert found == {"Xmp.xmp.Rating": "4", "Xmp.dc.subject": "dog & cat"}
