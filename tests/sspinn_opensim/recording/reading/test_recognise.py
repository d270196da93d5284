import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording import recognise, recognised

MT = "// DeviceId: {0}\nPacketCounter\tAcc_X\tAcc_Y\tAcc_Z\n1\t0\t0\t9.8\n2\t0\t0\t9.8\n"
DOT = (
    "sep=,\nDeviceTag:,{0}\n\nPacketCounter,SampleTimeFine,Acc_X,Acc_Y,Acc_Z\n1,0,0,0,9.8\n2,16667,0,0,9.8\n"
)
STO = "DataType=Quaternion\nversion=3\nendheader\ntime\tpelvis_imu\n0\t1,0,0,0\n"
UNKNOWN = "made by us\nfoo [m],bar,baz\n1,2,3\n4,5,6\n"


@pytest.fixture
def folder(tmp_path):
    def _folder(**texts):
        for name, text in texts.items():
            (tmp_path / name.replace("__", ".")).write_text(text)
        return tmp_path

    return _folder


def refused(path) -> InputError:
    with pytest.raises(InputError) as caught:
        recognise(path)
    assert str(path) in caught.value.where
    return caught.value


@pytest.mark.parametrize(
    ("text", "name"),
    [(MT, "xsens_mt"), (DOT, "movella_dot"), (STO, "opensense"), ("<?xml version='1.0'?><mvnx/>", "mvnx")],
)
def test_a_file_is_recognised_by_its_content(folder, text, name):
    assert recognise(folder(a__dat=text) / "a.dat").name == name


def test_an_unknown_layout_is_told_with_its_columns_and_what_to_write(folder):
    error = refused(folder(a__csv=UNKNOWN) / "a.csv")
    assert "foo [m], bar, baz" in error.found and "[recording.csv.columns.NAME]" in error.fix


@pytest.mark.parametrize(
    "text",
    ['{\n "rate": 100,\n "files": ["a.txt", "b.txt"]\n}\n', "{\n [\n  0.5,\n  1.5\n ]\n", "1,2,3\n4,5,6\n"],
)
def test_what_is_no_table_is_not_told_by_columns(folder, text):
    error = refused(folder(a__json=text) / "a.json")
    assert error.found.endswith(f"it starts with '{text.splitlines()[0]}'") and "a table" in error.fix


@pytest.mark.parametrize(
    ("data", "what"), [(b"", "empty"), (b"\x00\x01\x02", "no text"), (b"\xff" * 9, "layout")]
)
def test_what_is_no_text_is_refused(tmp_path, data, what):
    (tmp_path / "a.bin").write_bytes(data)
    assert what in refused(tmp_path / "a.bin").what


def test_what_is_not_there_is_refused(tmp_path):
    assert "no such" in refused(tmp_path / "nowhere").what


def test_a_folder_is_what_its_files_are_and_others_are_named(folder):
    path = folder(a__txt=MT.format("00000001"), b__txt=MT.format("00000002"), notes__md="hello", o__sto=STO)
    (path / "inside").mkdir()
    found = recognised(path)
    assert found.format.name == "xsens_mt"
    assert [file.name for file in found.files] == ["a.txt", "b.txt"]
    assert [file.name for file in found.ignored] == ["notes.md", "o.sto"]


def test_a_folder_without_recordings_is_refused(folder):
    assert "notes.md" in refused(folder(notes__md="hello")).found


def test_a_folder_of_several_formats_or_recordings_is_refused(folder):
    path = folder(a__txt=MT, b__csv=DOT)
    assert refused(path).found == "1 of xsens_mt (a.txt), 1 of movella_dot (b.csv)"
    (path / "a.txt").unlink()
    (path / "b.csv").unlink()
    assert "several recordings" in refused(folder(a__sto=STO, b__sto=STO)).what


def test_recordings_in_folders_of_a_folder_are_pointed_to(folder):
    path = folder(notes__md="hello")
    for trial in ("one", "two"):
        (path / trial).mkdir()
        (path / trial / "a.txt").write_text(MT)
    error = refused(path)
    assert "folders of this folder" in error.what and error.found == "one, two"
