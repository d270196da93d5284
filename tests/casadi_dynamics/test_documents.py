"""The file around a model: encodings, versions, XML that OpenSim and lxml would read differently."""

import pytest
from lxml import etree

from casadi_dynamics.errors import InputError
from casadi_dynamics.osim import is_older, read_model, whole_document


@pytest.fixture
def read_bytes(tmp_path):
    def read(data: bytes):
        (tmp_path / "tiny.osim").write_bytes(data)
        return read_model(tmp_path / "tiny.osim")

    return read


def credited(osim, credit: str) -> str:
    """Return a model whose credits hold a text."""
    return osim.document().replace("<gravity>", f"<credits>{credit}</credits><gravity>")


@pytest.mark.parametrize(
    ("declaration", "encoding"),
    [
        ('<?xml version="1.0"?>', "utf-8"),
        ('<?xml version="1.0"?>', "utf-8-sig"),
        ('<?xml version="1.0" encoding="UTF-8" ?>', "utf-8"),
        ('<?xml version="1.0" encoding="UTF-8" ?>', "cp1252"),
        ('<?xml version="1.0" encoding="ISO-8859-1" ?>', "latin-1"),
        ('<?xml version="1.0" encoding="nonsense" ?>', "utf-8"),
        ('<?xml version="1.0" encoding="UTF-16" ?>', "utf-16"),
    ],
)
def test_encodings(osim, read_bytes, declaration, encoding):
    text = credited(osim, "Fran\xe7ois M\xfcller \xa9").replace('<?xml version="1.0"?>', declaration)
    assert read_bytes(text.encode(encoding)) == read_bytes(osim.document().encode())


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("<mass>2<", "<mass>1<!-- and -->2<", "not one value"),
        ("<mass>2<", "<mass>2<x/><", "not one value"),
        ("<mass>2<", "<mass>2</mass><mass>3<", "has <mass> twice"),
        ("<mass>2<", "<mass><![CDATA[2]]><", "CDATA"),
        ("<mass>2<", "<mass>&two;<", "not well-formed"),
        ("<mass>2<", "<mass>1_0<", "finite numbers"),
        ("<mass>2<", "<mass>\u0662<", "finite numbers"),
        ("<mass>2<", "<mass>0x2<", "finite numbers"),
        ("<mass>2<", "<mass>2 2<", "finite numbers"),
        ("<mass>2<", "<mass>1e999<", "finite numbers"),
        ("<mass>2<", "<mass>inf<", "finite numbers"),
        ("</BodySet>", "</BodySet><BodySet/>", "has <BodySet> twice"),
        ("<BodySet><objects>", "<BodySet><objekts/><objects>", "objekts"),
        ("</Model>", "</Model><Model/>", "one <Model>"),
        ('Version="40000"', 'Version="\uff14\uff10\uff10\uff10\uff10"', "not an OpenSim model"),
        ('Version="40000"', 'Version="4e4"', "not an OpenSim model"),
        ('Version="40000"', 'Version="30516"', "older version"),
        ('Version="40000"', 'Version="40601"', "newer version"),
        ('Version="40000"', 'Version="' + "9" * 5000 + '"', "not an OpenSim model"),
        ('name="rod"', 'name="r d"', "cannot stand in a path"),
        ('name="rod"', 'name="r/d"', "cannot stand in a path"),
        ("<BodySet>", "<BodySet>" + "<x>" * 100_000 + "</x>" * 100_000, "not well-formed"),
    ],
)
def test_what_opensim_would_read_differently_is_refused(osim, read_bytes, old, new, reason):
    text = osim.document()
    assert old in text
    with pytest.raises(InputError, match=reason):
        read_bytes(text.replace(old, new, 1).encode())


def test_a_bomb_of_entities_does_not_go_off(osim, read_bytes):
    entities = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10 if i else "1"}">' for i in range(12))
    doctype = f"<!DOCTYPE OpenSimDocument [{entities}]>"
    text = osim.document().replace("<OpenSimDocument", f"{doctype}<OpenSimDocument")
    with pytest.raises(InputError, match="document type|not well-formed"):
        read_bytes(text.replace("<mass>2<", "<mass>&e11;<").encode())


def test_comments_beside_a_value_are_no_part_of_it(osim, read_bytes):
    text = osim.document().replace("<mass>2<", "<mass><!-- kg -->\n 2 <")
    assert read_bytes(text.encode()) == read_bytes(osim.document().encode())


def test_lines_in_messages_are_those_of_the_file(osim, read_bytes):
    text = osim.document().replace('<?xml version="1.0"?>', '<?xml version="1.0"\n\n?>')
    line = text[: text.index("<mass>")].count("\n") + 1
    with pytest.raises(InputError, match=f"line {line},"):
        read_bytes(text.replace("<mass>2<", "<mass>x<").encode())


@pytest.mark.parametrize("name", ["missing.osim", ".", "a\0b"])
def test_a_file_that_cannot_be_opened_is_refused(tmp_path, name):
    with pytest.raises(InputError, match="cannot be read"):
        read_model(str(tmp_path / name))


@pytest.mark.parametrize(
    ("version", "older"), [("", True), ("20303", True), ("39999", True), ("40000", False)]
)
def test_what_must_be_upgraded(osim, tmp_path, version, older):
    (tmp_path / "tiny.osim").write_text(osim.document().replace('"40000"', f'"{version}"'))
    assert is_older(tmp_path / "tiny.osim") is older


def apart(document: str, folder, sets=("BodySet", "JointSet")):
    """Write a model whose sets stand in files of their own, one folder down; return the model's file."""
    root = etree.fromstring(document.encode())
    (folder / "parts").mkdir()
    for tag in sets:
        node = root.find(f"Model/{tag}")
        own = etree.Element("OpenSimDocument", Version="40600")
        node.getparent().replace(node, etree.Element(tag, file=f"parts\\{tag}.xml"))
        own.append(node)
        own.getroottree().write(str(folder / "parts" / f"{tag}.xml"))
    root.getroottree().write(str(folder / "apart.osim"))
    return folder / "apart.osim"


def test_sets_in_files_of_their_own_are_read_from_there(osim, read_bytes, tmp_path):
    whole = read_bytes(osim.document().encode())
    assert read_model(apart(osim.document(), tmp_path)) == whole and whole.bodies


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "holds a part of this one is not there"),
        ("<OpenSimDocument Version='40000'><JointSet/></OpenSimDocument>", "holds another object"),
        (
            "<OpenSimDocument Version='30000'><BodySet/></OpenSimDocument>",
            "of another version than the model",
        ),
        (
            "<OpenSimDocument Version='40600'><BodySet><objects file=''/><BodySet file='BodySet.xml'/>"
            "</BodySet></OpenSimDocument>",
            "names itself",
        ),
        ("<OpenSimDocument>", "not well-formed"),
    ],
)
def test_a_set_that_is_not_where_it_should_be_is_named(osim, tmp_path, text, reason):
    model = apart(osim.document(), tmp_path)
    part = tmp_path / "parts" / "BodySet.xml"
    part.unlink()
    if text is not None:
        part.write_text(text)
    with pytest.raises(InputError, match=reason) as error:
        read_model(model)
    assert "BodySet" in str(error.value)


def test_an_error_in_a_part_names_the_file_and_the_line_of_the_part(osim, tmp_path):
    model = apart(osim.document(), tmp_path)
    part = tmp_path / "parts" / "BodySet.xml"
    part.write_text(part.read_text().replace("<Body ", "\n\n<Body ").replace("<mass>2<", "<mass>heavy<"))
    line = 1 + part.read_text()[: part.read_text().index("<Body ")].count("\n")
    with pytest.raises(InputError, match="finite numbers") as error:
        read_model(model)
    assert line > 2 and error.value.where == f"{part}, line {line}, Body 'rod'"


def test_the_marks_of_parts_stay_out_of_what_is_written(osim, tmp_path):
    assert b"base" not in whole_document(apart(osim.document(), tmp_path))
