import re

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim.opensim_io.scaling.marker_trials import read_marker_trial, write_marker_trial

HEADER = "PathFileType\t4\t(X/Y/Z)\tstatic.trc"
KEYS = "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames"
ROWS = ("1\t0.00\t100\t900\t-50\t110\t400\t60", "2\t0.01\t101\t901\t-51\t111\t401\t61")


def text(*rows, markers=2, frames=2, units="mm", names="ASIS\t\t\tKNEE\t\t", blank=True):
    return "\n".join(
        [
            HEADER,
            KEYS,
            f"100\t100\t{frames}\t{markers}\t{units}\t100\t1\t{frames}",
            f"Frame#\tTime\t{names}",
            "\t\tX1\tY1\tZ1\tX2\tY2\tZ2",
            *([""] if blank else []),
            *(rows or ROWS),
            "",
        ]
    )


@pytest.fixture
def read(tmp_path):
    def _read(content, encoding="utf-8"):
        file = tmp_path / "static.trc"
        file.write_bytes(content.encode(encoding))
        return read_marker_trial(file)

    return _read


def test_a_trial_is_read_in_metres(read):
    trial = read(text())
    assert trial.names == ("ASIS", "KNEE") and trial.notes == ()
    np.testing.assert_allclose(trial.time_s, [0.0, 0.01])
    np.testing.assert_allclose(trial.place("KNEE"), [[0.110, 0.4, 0.06], [0.111, 0.401, 0.061]])


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (text().replace("\n", "\r\n"), "utf-8"),
        (text(), "utf-8-sig"),
        (text(blank=False), "utf-8"),
        (text(names="ASIS\tKNEE"), "utf-8"),  # one tab between names, as some toolboxes write
        (text(*(row + "\t\t" for row in ROWS)), "utf-8"),
        (text(*(row.replace("\t", "  ") for row in ROWS)), "utf-8"),
        (text(*(row.replace(".", ",") for row in ROWS)), "utf-8"),
        (text(units="MM"), "utf-8"),
        (text().replace(HEADER, HEADER + " Größe"), "cp1252"),
    ],
)
def test_what_laboratories_write_is_read_alike(read, content, encoding):
    trial = read(content, encoding)
    assert trial.names == ("ASIS", "KNEE") and not trial.notes
    np.testing.assert_allclose(trial.position_m[1], [[0.101, 0.901, -0.051], [0.111, 0.401, 0.061]])


@pytest.mark.parametrize(
    ("content", "note"),
    [
        (text(markers=3), "the header says 3 markers, the file holds 2"),
        (text(frames=500), "the header says 500 frames, the file holds 2"),
        (text(names="Anna:ASIS\t\t\tAnna:KNEE\t\t"), "the prefix 'Anna:' of all markers is left out"),
        (text(units=""), "no unit in the header, taken as mm"),
        (text("1\t0.0\t0\t0\t0\t110\t400\t60"), "exactly zero in some frames, taken as not seen: ASIS"),
    ],
)
def test_a_doubt_is_noted(read, content, note):
    assert note in read(content).notes


LAYOUTS = {
    "commas": lambda plain: plain.replace("\t", ","),
    "semicolons and decimal commas": lambda plain: re.sub(r"(\d)\.(\d)", r"\1,\2", plain.replace("\t", ";")),
    "axes from the first cell on": lambda plain: plain.replace("\t\tX1", "X1"),
    "blanks between names": lambda plain: plain.replace(
        "Time\tASIS\t\t\tKNEE\t\t", "Time   ASIS     KNEE"
    ).replace("\t\tX1\tY1\tZ1\tX2\tY2\tZ2", "\tX1 Y1 Z1 X2 Y2 Z2"),
    "blanks within rows": lambda plain: plain.replace("\t100\t900\t-50", " 100 900 -50"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_of_laboratories_mean_the_same(read, layout):
    plain, written = read(text()), LAYOUTS[layout](text())
    assert written != text()
    other = read(written)
    assert other.names == plain.names
    np.testing.assert_array_equal(other.time_s, plain.time_s)
    np.testing.assert_array_equal(other.position_m, plain.position_m)


@pytest.mark.parametrize("nines", ["9999", "9999.0", "-9999.0000", "9999.99"])
def test_nines_are_a_gap(read, nines):
    row = "\t".join(["3", "0.02", *[nines] * 3, "112", "402", "62"])
    trial = read(text(*ROWS, row, frames=3))
    seen = np.isfinite(trial.place("ASIS")).all(axis=1)
    assert seen.tolist() == [True, True, False] and np.isfinite(trial.place("KNEE")).all()
    assert any("taken as not seen: ASIS" in note for note in trial.notes)
    np.testing.assert_allclose(trial.place("KNEE")[2], [0.112, 0.402, 0.062])


def test_a_coordinate_of_nines_alone_is_a_number(read):
    trial = read(text("1\t0.00\t100\t9999\t-50\t110\t400\t60", ROWS[1]))
    assert trial.place("ASIS")[0, 1] == pytest.approx(9.999) and trial.notes == ()


@pytest.mark.parametrize("gap", ["\t\t", "NaN\tNaN\tNaN", "nan\t-\t"])
def test_a_marker_that_was_not_seen_is_nan(read, gap):
    trial = read(text(f"1\t0.0\t{gap}\t110\t400\t60", ROWS[1]))
    assert np.isnan(trial.place("ASIS")[0]).any() and np.isfinite(trial.place("KNEE")).all()
    whole, notes = trial.complete(["ASIS"])
    assert whole.names == ("ASIS", "KNEE") and len(whole.time_s) == 1
    assert notes == ("1 of 2 frames lack a needed marker and are not used",)
    whole, notes = trial.complete(["KNEE"])
    assert whole.names == ("KNEE",) and len(whole.time_s) == 2 and "left out: ASIS" in notes[0]


def test_a_needed_marker_that_is_never_seen_is_named(read):
    trial = read(text("1\t0.0\t\t\t\t110\t400\t60"))
    with pytest.raises(InputError, match="ASIS missing in 1 of 1 frames"):
        trial.complete(["ASIS", "KNEE"])


def test_units_of_metres(read):
    trial = read(text("1\t0.0\t0.1\t0.9\t-0.05\t0.11\t0.4\t0.06", units="m"))
    np.testing.assert_allclose(trial.position_m[0], [[0.1, 0.9, -0.05], [0.11, 0.4, 0.06]])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (text(units="inch"), "unit of the marker trial is not known"),
        (text(names="ASIS\t\t\tASIS\t\t"), "(?s)marker names are repeated.*ASIS"),
        (text(ROWS[0] + "\t7"), "(?s)another number of cells.*line 7"),
        (text(ROWS[0].replace("400", "x4")), "(?s)marker 'KNEE' is not a number.*'x4'"),
        (text(ROWS[1], ROWS[0]), "does not increase"),
        (text(ROWS[0], ROWS[0]), "does not increase"),
        ("time\tpelvis_tilt\n0\t1\n", "not a marker trial"),
        (HEADER + "\n" + KEYS + "\nFrame#\tTime\n", "names no marker"),
        (text("\t"), "has no frame"),
        ("C3D\0\0", "a binary file"),
    ],
)
def test_what_cannot_be_read_is_one_clear_error(read, content, message):
    with pytest.raises(InputError, match=message):
        read(content)


def test_a_missing_file_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="The marker trial cannot be read"):
        read_marker_trial(tmp_path / "none.trc")


def test_a_part_outside_the_trial_names_what_there_is(read):
    trial = read(text())
    assert len(trial.part(0.01, None).time_s) == 1 and len(trial.part(None, None).time_s) == 2
    with pytest.raises(InputError, match=r"(?s)no frame in the time range.*0 to 0.01 s.*1 to 2 s"):
        trial.part(1.0, 2.0)


def test_written_and_read_again_nothing_changes(read, tmp_path):
    trial = read(text())
    again = read_marker_trial(write_marker_trial(tmp_path / "again.trc", trial))
    assert again.names == trial.names and not again.notes
    np.testing.assert_array_equal(again.position_m, trial.position_m)
    np.testing.assert_array_equal(again.time_s, trial.time_s)


def test_a_single_frame_is_written_twice_for_opensim(read, tmp_path):
    again = read_marker_trial(write_marker_trial(tmp_path / "again.trc", read(text(ROWS[0]))))
    assert len(again.time_s) == 2
    np.testing.assert_array_equal(again.position_m[0], again.position_m[1])


def test_the_static_trials_of_the_data_sets_are_read(shared):
    sets = [shared / "data" / name for name in ["capsense_walk", "opensim_scaling", "schreiber2019_walking"]]
    files = sorted(
        file for place in sets for end in ("static*", "_ST") for file in place.rglob(f"*{end}.trc")
    )
    assert len(files) >= 15
    for file in files:
        trial = read_marker_trial(file)
        stated = int(re.search(r"\t(\d+)\t(?:mm|m)\t", file.read_text().replace(" ", ""))[1])
        assert len(trial.names) == stated, file
        # A standing person: markers from the floor to the head or the pelvis.
        assert 0.9 < np.nanmax(trial.position_m[..., 1]) < 2.2, file
