"""``sspinn check`` on a vendor's folder that the tests write: what is seen, what is wrong, and the study."""

import dataclasses
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

import osim_models
from casadi_dynamics.errors import InputError
from sspinn_opensim import cli
from sspinn_opensim.opensim_io.model.model_file import read_model_tree, write_model_tree
from sspinn_opensim.recording import Recording, read_recording
from sspinn_opensim.study import override, read_study
from sspinn_opensim.study.draft import NewStudy
from sspinn_opensim.verbs.axes import contradictions
from sspinn_opensim.verbs.check import check
from sspinn_opensim.verbs.inputs import check_inputs
from sspinn_opensim.verbs.prepared import prepare
from sspinn_opensim.verbs.run import run
from sspinn_opensim.verbs.scale import scale
from sspinn_opensim.verbs.train import train
from sspinn_opensim.verbs.vendor_files import read_files

#: Serial number of the sensor on each body.
SERIALS = {
    "pelvis": "00B4A000",
    "femur_r": "00B4A001",
    "tibia_r": "00B4A002",
    "foot_r": "00B4A003",
    "femur_l": "00B4A004",
    "tibia_l": "00B4A005",
    "foot_l": "00B4A006",
}
COLUMNS = ("PacketCounter", *(f"{kind}_{axis}" for kind in ("Acc", "Gyr") for axis in "XYZ"))
STANDING_S = 2.0
STUDY = ("--study", "s.toml", "--model", "builtin:planar_gait", "--height", "1.7", "--mass", "70")


@pytest.fixture(scope="module")
def recording(repository) -> Recording:
    """Standing, then the walk of the demo, whose sensors sit obliquely on their segments and are complete."""
    walk = read_recording(read_study(repository / "examples" / "demo.toml"))
    still = round(STANDING_S * walk.sampling_rate_hz)
    upright = np.tile([0.0, 9.80665, 0.0], (still, 7, 1))
    acceleration = np.concatenate([upright, walk.acceleration])
    rate = np.concatenate([0.0 * upright, walk.angular_rate])
    random = np.random.default_rng(0)
    for k in range(7):
        turn = Rotation.random(random_state=k)
        acceleration[:, k] = turn.apply(acceleration[:, k]) + 0.02 * random.normal(size=(len(rate), 3))
        rate[:, k] = turn.apply(rate[:, k]) + 0.002 * random.normal(size=(len(rate), 3))
    known = np.ones((7, 3), bool)
    return dataclasses.replace(
        walk,
        time_s=np.arange(len(rate)) / walk.sampling_rate_hz,
        acceleration=acceleration,
        angular_rate=rate,
        acceleration_available=known,
        angular_rate_available=known,
        usable=np.ones(len(rate), bool),
    )


def write_folder(folder: Path, recording: Recording, *, rate: bool = True) -> Path:
    """Write a recording as MT Manager does: a file for each sensor."""
    folder.mkdir(parents=True)
    for k, serial in enumerate(SERIALS.values()):
        signals = np.hstack([recording.acceleration[:, k], recording.angular_rate[:, k]])
        rows = "\n".join(
            "\t".join([f"{n:05d}", *(f"{value:.6f}" for value in row)]) for n, row in enumerate(signals)
        )
        head = ["// Start Time: Unknown", *(["// Update Rate: 100.0Hz"] if rate else [])]
        text = "\n".join([*head, "\t".join(COLUMNS), rows]) + "\n"
        (folder / f"walk-000_{serial}.txt").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory, recording) -> Path:
    return write_folder(tmp_path_factory.mktemp("vendor") / "imu", recording)


@pytest.fixture(scope="module")
def where() -> dict[str, str]:
    return {serial: body for body, serial in SERIALS.items()}


def test_a_folder_is_recognised_and_described(folder, tmp_path, only_files_of_the_table):
    result = check(folder, out=tmp_path / "out")
    assert result.ok and result.format == "xsens_mt" and result.overview.findings == ()
    assert [sensor.source for sensor in result.overview.sensors] == list(SERIALS.values())
    assert [round(sensor.resting_m_s2, 1) for sensor in result.overview.sensors] == 7 * [9.8]
    kinds = [phase.kind for phase in result.overview.phases]
    assert kinds == ["standing", "walking"]
    text = str(result)
    assert "steps/min in steady gait, by how the signals repeat" in text
    assert "1400 samples at 100 Hz" in text and "nothing is wrong" in text
    assert "moves like" in text and "heading" not in text  # whose axes nobody asked for have no column
    only_files_of_the_table(tmp_path / "out", "check")
    page = result.page.read_text(encoding="utf-8")
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org", "")
    assert "00B4A003" in page and "standing" in page
    assert json.loads((tmp_path / "out" / "recording.json").read_text())["samples"] == 1400


def test_the_command_has_three_ends(folder, recording, tmp_path, capsys):
    assert cli.main(["check", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True
    acceleration = recording.acceleration.copy()
    acceleration[:, 2] = acceleration[:, 1]
    copied = dataclasses.replace(recording, acceleration=acceleration)
    assert cli.main(["check", str(write_folder(tmp_path / "copied", copied)), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)["findings"]
    assert [(f["key"], f["severity"]) for f in found] == [("duplicate:00B4A002", "serious")]
    assert found[0]["advice"].startswith("remove [sensors.00B4A002] from the study, or its file")
    assert cli.main(["check", str(tmp_path / "nothing")]) == 2
    (tmp_path / "notes.csv").write_text("subject,age,height\nA,30,1.7\n")
    assert cli.main(["check", str(tmp_path / "notes.csv")]) == 2
    message = capsys.readouterr().err
    assert "subject, age, height" in message and "[recording.csv.columns.NAME]" in message


def test_of_several_trials_one_is_checked_and_written(folder, tmp_path, where):
    both = tmp_path / "imu"
    both.mkdir()
    for file in folder.iterdir():
        for trial in ("walk-000", "walk-001"):
            (both / file.name.replace("walk-000", trial)).write_bytes(file.read_bytes())
    with pytest.raises(InputError, match="(?s)several trials.*walk-000, walk-001.*--option trial="):
        check(both)
    new = NewStudy(tmp_path / "study.toml", "builtin:planar_gait", height_m=1.7, mass_kg=70)
    result = check(both, options={"trial": "walk-001"}, where=where, new_study=new)
    assert len(result.overview.sensors) == 7
    study = read_study(new.file)
    assert study.recording.options.trial == "walk-001"
    assert read_recording(study).time_s.size == 1400
    with pytest.raises(InputError, match="describe a vendor's files"):
        check(new.file, options={"trial": "walk-001"})


def test_a_folder_of_one_file_is_that_file(tmp_path):
    (tmp_path / "imu").mkdir()
    rows = "".join(f"{k / 100},0,0,9.8,0,0,0\n" for k in range(200))
    names = "time," + ",".join(f"foot_{kind}_{axis}" for kind in ("acc", "gyro") for axis in "xyz")
    (tmp_path / "imu" / "walk.csv").write_text(names + "\n" + rows)
    assert check(tmp_path / "imu").format == "csv"
    with pytest.raises(InputError, match="(?s)no option 'mapping'.*--option mapping"):
        check(tmp_path / "imu", options={"mapping": "walk"})
    with pytest.raises(InputError, match="(?s)not one of the choices.*acceleration_unit"):
        check(tmp_path / "imu", options={"acceleration_unit": "G"})
    assert check(tmp_path / "imu", options={"acceleration_unit": "m/s^2"}).format == "csv"


def test_options_are_typed_as_keys_and_values(tmp_path, capsys):
    (tmp_path / "a.csv").write_text("t,s_acc_x\n" + "".join(f"{k / 100},9.8\n" for k in range(200)))
    command = ["check", str(tmp_path / "a.csv"), "--json", "--option"]
    assert cli.main([*command, "time_column=t"]) in (0, 1)
    with pytest.raises(SystemExit):
        cli.main([*command, "time_column=t", "time_column=u"])
    with pytest.raises(SystemExit):
        cli.main([*command, "time_column"])
    assert "KEY=VALUE" in capsys.readouterr().err


def test_a_rate_that_is_stated_nowhere_is_asked_for(recording, tmp_path):
    unstated = write_folder(tmp_path / "imu", recording, rate=False)
    with pytest.raises(InputError) as caught:
        check(unstated)
    assert "--rate" in caught.value.fix
    assert check(unstated, recorded_rate_hz=100.0).overview.recording.sampling_rate_hz == pytest.approx(100)


@pytest.mark.parametrize(
    ("plant", "key"),
    [
        (lambda a, w: (100.0 * a, w), "acceleration_unit"),
        # The reader of this format takes free acceleration out itself, for MT files may hold it.
        (lambda a, w: (a - a[:100].mean(axis=0), w), "missing_signal"),
        (lambda a, w: (a, np.degrees(w)), "angular_rate_unit"),
        (lambda a, w: (a, np.radians(w)), "angular_rate_unit"),
    ],
)
def test_a_planted_fault_ends_with_status_1(plant, key, recording, tmp_path):
    acceleration, rate = plant(recording.acceleration, recording.angular_rate)
    wrong = dataclasses.replace(recording, acceleration=acceleration, angular_rate=rate)
    result = check(write_folder(tmp_path / "imu", wrong))
    assert not result.ok and key in {finding.kind for finding in result.overview.findings}


NEW = {"model": "builtin:planar_gait", "height_m": 1.72, "mass_kg": 68.0}


def test_a_study_is_written_that_is_read(folder, where, tmp_path):
    file = tmp_path / "studies" / "walk.toml"
    result = check(folder, where=where, new_study=NewStudy(file, **NEW))
    study = read_study(file)
    assert result.study == file and f"sspinn run {file}" in str(result)
    assert [(s.name, s.body, s.source) for s in study.sensors] == [
        (body, body, serial) for body, serial in SERIALS.items()
    ]
    assert study.recording.file == folder and study.coordinates.fixed == {"lumbar_extension": 0.0}
    text = file.read_text(encoding="utf-8")
    assert "../" in text and "# guess:" in text and "speed_m_s = 1." in text
    with pytest.raises(InputError) as caught:
        check(folder, where=where, new_study=NewStudy(file, **NEW))
    assert "--force" in caught.value.fix
    part = {serial: body for serial, body in where.items() if body.endswith("_r")}
    check(folder, where=part, new_study=NewStudy(file, force=True, **NEW))
    assert len(read_study(file).sensors) == 3 and "Not used" in file.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def kuopio(shared, tmp_path_factory) -> Path:
    """The files of kuopio2024_walk without the mapping that says where each sensor sits."""
    folder = tmp_path_factory.mktemp("kuopio")
    for file in (shared / "data" / "kuopio2024_walk" / "imu").glob("*.txt"):
        shutil.copy(file, folder)
    return folder


#: Where the sensors of kuopio2024_walk sit, by the mapping file of the data set.
KUOPIO = {
    "00B42DA3": "pelvis",
    "00B42DA2": "femur_r",
    "00B42DAE": "tibia_r",
    "00B42D48": "foot_r",
    "00B42D4D": "femur_l",
    "00B42D53": "tibia_l",
    "00B42D4E": "foot_l",
}


@pytest.mark.parametrize("stated", ["", "standing_s = [0.2, 1.8]\n"])
def test_standing_outside_the_pieces_that_are_used_counts(stated, folder, where, tmp_path):
    new = NewStudy(tmp_path / "study.toml", "builtin:planar_gait", height_m=1.7, mass_kg=70)
    check(folder, where=where, new_study=new)
    text = new.file.read_text(encoding="utf-8")
    part = f"[recording]\npieces = [[3.0, 8.0], [9.0, 13.0]]\n{stated}"
    new.file.write_text(text.replace("[recording]\n", part, 1), encoding="utf-8")
    result = check(new.file)
    assert [phase.kind for phase in result.overview.phases] == ["walking"]
    assert "no_standing" not in {finding.kind for finding in result.overview.findings}
    assert all("standing" in " ".join(own.evidence) for own in result.alignment.sensors)
    new.file.write_text(new.file.read_text().replace("standing_s = [0.2, 1.8]", "standing_s = [4.0, 7.0]"))
    walked = [f for f in check(new.file).overview.findings if f.kind == "no_standing"]
    assert [f.is_serious for f in walked] == ([True] if stated else [])


def test_where_sensors_sit_is_told_by_how_they_move(kuopio, tmp_path):
    file = tmp_path / "walk.toml"
    result = check(kuopio, recorded_rate_hz=100.0, new_study=NewStudy(file, **NEW))
    assert {s.source: s.body for s in read_study(file).sensors} == KUOPIO
    assert file.read_text(encoding="utf-8").count("# guess: it moves like a sensor on the") == 7
    assert result.ok and result.alignment is not None and "--where" not in str(result)
    seen = check(kuopio, recorded_rate_hz=100.0)
    assert seen.ok and "00B42D53=shank_l" in str(seen)
    told = json.loads(json.dumps(seen.to_json()))["alignment"]
    assert {own["name"]: own["moves_like"] for own in told}["00B42D48"] == "right foot"
    # Of a sensor whose file was copied one is proposed.
    again = shutil.copytree(kuopio, tmp_path / "again", ignore=shutil.ignore_patterns("*.xml"))
    copied = (again / "l_comf_01-000_00B42D53.txt").read_text(encoding="utf-8")
    copied = copied.replace("00B42D53", "00B42D54")
    (again / "l_comf_01-000_00B42D54.txt").write_text(copied, encoding="utf-8")
    proposed = str(check(again, recorded_rate_hz=100.0))
    assert "00B42D53=shank_l" in proposed and "00B42D54=" not in proposed
    written = check(again, recorded_rate_hz=100.0, new_study=NewStudy(file, force=True, **NEW))
    assert written.ok and dict(written.left_out) == {"00B42D54": ""} and "(--where): 00B42D54" in str(written)


def write_table(file: Path, recording: Recording) -> Path:
    """Write a recording as a table of sensors that are numbered."""
    names = [f"imu{k}_{kind}_{axis}" for k in range(7) for kind in ("acc", "gyro") for axis in "xyz"]
    signals = np.stack([recording.acceleration, recording.angular_rate], axis=2)
    rows = np.column_stack([recording.time_s, signals.reshape(-1, 42)])
    np.savetxt(file, rows, fmt="%.6f", delimiter=",", header=",".join(["time", *names]), comments="")
    return file


def test_a_name_that_is_part_of_another_is_that_sensor_alone(tmp_path):
    names = [f"imu{k}_{kind}_{axis}" for k in (1, 10) for kind in ("acc", "gyro") for axis in "xyz"]
    rows = [f"{k / 100},{','.join(['0', '9.8', '0', '0', '0', '0.1'] * 2)}" for k in range(200)]
    (tmp_path / "walk.csv").write_text("\n".join([",".join(["time", *names]), *rows]) + "\n")
    files = read_files(tmp_path / "walk.csv", {"imu1": "thigh_r", "imu10": "foot_r"}, None)
    assert [(own.source, own.body) for own in files.source.sensors] == [
        ("imu1", "thigh_r"),
        ("imu10", "foot_r"),
    ]


def test_sensors_beside_those_that_the_user_places_are_not_looked_at(folder, where, tmp_path):
    part = {serial: body for serial, body in where.items() if body.endswith("_r")}
    others = [serial for serial in where if serial not in part]
    for new in (None, NewStudy(tmp_path / "study.toml", **NEW)):
        result = check(folder, where=part, new_study=new)
        assert {sensor.source for sensor in result.overview.sensors} == {*part}
        assert {*result.unnamed} == {*others} == {*result.to_json()["left_out"]}
        assert f"not looked at, as --where names others: {', '.join(result.unnamed)}" in str(result)


def test_a_segment_before_its_sensor_is_turned_round(recording, tmp_path):
    table = write_table(tmp_path / "walk.csv", recording)
    with pytest.raises(InputError) as refused:
        check(table, where={"foot_r": "imu3"})
    assert refused.value.fix == "--where imu3=foot_r"


def test_a_table_along_the_sensors_own_axes_is_turned_by_its_signals(recording, tmp_path):
    """Sensors sit anyhow on their segments, as the study that is written says; a table along them stays."""
    table, file = write_table(tmp_path / "walk.csv", recording), tmp_path / "walk.toml"
    seen = check(table)
    assert seen.ok and seen.alignment is not None and "table is taken to be along their own" in str(seen)
    where = {f"imu{k}": body for k, body in enumerate(SERIALS)}
    result = check(table, where=where, new_study=NewStudy(file, **NEW))
    study = read_study(file)
    assert (
        result.ok and study.alignment.method == "signals" and "# guess: most sensors feel" in file.read_text()
    )
    assert {s.source: s.body for s in study.sensors} == where and check(file).ok
    back = [Rotation.random(random_state=k).inv() for k in range(7)]
    signals = {
        name: np.stack(
            [turn.apply(getattr(recording, name)[:, k].copy()) for k, turn in enumerate(back)], axis=1
        )
        for name in ("acceleration", "angular_rate")
    }
    along = write_table(tmp_path / "along.csv", dataclasses.replace(recording, **signals))
    assert check(along, where=where).alignment is None
    check(along, where=where, new_study=NewStudy(file, force=True, **NEW))
    assert read_study(file).alignment.method == "auto"


def test_a_sensor_that_lies_still_is_not_guessed_to_sit_on_the_pelvis(shared, tmp_path, capsys):
    """Three segments swing beside a sensor that nobody wears; what each is most like is told."""
    file = shared / "data" / "vendor_formats" / "apdm" / "imuData01.csv"
    assert cli.main(["check", str(file), *STUDY[:1], str(tmp_path / "s.toml"), *STUDY[2:]]) == 2
    said = capsys.readouterr().err
    assert "Static, Upper moves like thigh_r" in said and not (tmp_path / "s.toml").exists()


def test_the_next_command_says_where_sensors_sit_if_nothing_else_does(shared):
    """Of one foot alone it is not sure which one it is."""
    result = check(shared / "data" / "vendor_formats" / "x_imu3")
    assert result.ok and "--where short_walk=SEGMENT" in str(result)


def test_sensors_on_segments_that_the_model_has_not_are_told_so(shared, tmp_path):
    new = NewStudy(tmp_path / "s.toml", **NEW)
    said = str(check(shared / "data" / "vendor_formats" / "mvnx", new_study=new))
    # Four samples tell no axes: that is what is wrong.
    assert "Not to be used as it is: alignment:pelvis" in said and "too short to train on" in said
    assert "no body for them: RightUpperArm, RightForeArm, RightHand, LeftUpperArm" in said
    assert "where they sit (--where): Head, RightShoulder, LeftShoulder" in said


def test_of_a_folder_with_several_tables_of_all_sensors_it_is_said_what_to_do(recording, tmp_path):
    for name in ("a", "b"):
        write_table(tmp_path / f"{name}.csv", recording)
    with pytest.raises(InputError) as refused:
        check(tmp_path)
    assert refused.value.fix == "name one of the files" and "a.csv, b.csv" in str(refused.value)


def test_of_two_sensors_on_a_shank_one_is_used_and_the_other_named(shared, tmp_path):
    folder = shared / "data" / "gaittoolbox_walk" / "imu"
    file = tmp_path / "walk.toml"
    result = check(folder, recorded_rate_hz=100.0, new_study=NewStudy(file, **NEW))
    # The last two are copies of the two that sit above the ankles.
    above = {"00B40C44": "shank_l", "00B40C47": "shank_r"}
    assert dict(result.left_out) == above | {"00B40C49": "", "00B40C4A": ""}
    told = "not used: 00B40C44, as it sits on the same segment as 'shank_l'"
    assert told in str(result) and "where they sit (--where): 00B40C49, 00B40C4A" in str(result)
    text = file.read_text(encoding="utf-8")
    assert "# 00B40C47 sits on it, too" in text and "# Not used: 00B40C49, 00B40C4A" in text
    assert {sensor.name for sensor in read_study(file).sensors} >= set(above.values())
    assert "00B40C44 beside 00B40BA5" in str(check(folder, recorded_rate_hz=100.0))


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [("foot_r", "foot_l", "swapped_sides"), ("tibia_l", "femur_l", "swapped_segments")],
)
def test_exchanged_sensors_stop(one, other, kind, kuopio, tmp_path):
    serials = {body: serial for serial, body in KUOPIO.items()}
    exchanged = KUOPIO | {serials[one]: other, serials[other]: one}
    file = tmp_path / "walk.toml"
    result = check(kuopio, recorded_rate_hz=100.0, where=exchanged, new_study=NewStudy(file, **NEW))
    serious = {f.key for f in result.overview.findings if f.is_serious}
    assert not result.ok and serious >= {f"{kind}:{one}", f"{kind}:{other}"}
    with pytest.raises(InputError, match="wrong with the recording"):
        run(file, tmp_path / "results")
    assert not (tmp_path / "results").exists()


@pytest.fixture(scope="module")
def p01(repository, dorschky2019) -> str:
    """The study of a public walk whose signals are along the axes of the segments."""
    text = (repository / "examples" / "dorschky2019_walk.toml").read_text(encoding="utf-8")
    return text.replace("../../shared/data/dorschky2019", str(dorschky2019))


@pytest.mark.parametrize(
    ("change", "keys"),
    [
        (("", ""), set()),
        (("[sensors.foot_r]", '[sensors.foot_r]\naxes = ["-x", "-y", "z"]'), {"upside_down:foot_r"}),
        (("[sensors.tibia_l]", '[sensors.tibia_l]\naxes = ["-x", "y", "-z"]'), {"upside_down:tibia_l"}),
    ],
)
def test_axes_that_a_study_states_are_held_against_the_movement(change, keys, p01, tmp_path):
    """Upside down, and turned about the vertical, where gravity says nothing."""
    study = tmp_path / "study.toml"
    study.write_text(p01.replace(*change), encoding="utf-8")
    result = check(study)
    assert {f.key for f in result.overview.findings if f.is_serious} == keys and result.ok == (not keys)
    if keys:
        with pytest.raises(InputError, match="wrong with the recording"):
            run(study, tmp_path / "results")
        accepted = ", ".join(f'"{key}"' for key in keys)
        text = study.read_text(encoding="utf-8")
        study.write_text(text.replace("[recording]", f"[recording]\naccepted = [{accepted}]", 1))
        assert check(study).ok


def test_every_recording_of_capsense_gives_a_study_that_can_be_used(shared, tmp_path):
    """With its two accelerometers named, whichever of the six it is."""
    for file in sorted((shared / "data" / "capsense_walk").glob("*.npz")):
        study = tmp_path / f"{file.stem}.toml"
        result = check(file, new_study=NewStudy(study, **NEW))
        named = {f.key for f in result.overview.findings if f.kind == "resting_magnitude"}
        assert named == {"resting_magnitude:foot_l", "resting_magnitude:trunk"}, file
        again = check(study)
        assert again.ok and abs(again.overview.recording.sampling_rate_hz - 100) < 1e-3
        assert again.overview.time_of("walking") > 50 and len(again.overview.sensors) == 8


@pytest.mark.parametrize(
    ("lost", "evidence"),
    [
        (["femur_l_acc_x"], "no specific force along x"),
        (["tibia_r_gyro_z"], "no angular rate that can be used"),
        (["foot_r_gyro_z", "foot_r_acc_y"], "no specific force along y"),
    ],
)
def test_a_signal_of_the_plane_that_a_sensor_lacks_is_told(lost, evidence, repository, tmp_path):
    """By the check, and by the training, of sensors in IMU frames of the model too."""
    source = repository / "examples"
    rows = [line.split(",") for line in (source / "demo" / "imu.csv").read_text().splitlines()]
    kept = [k for k, name in enumerate(rows[0]) if name not in lost]
    assert len(kept) == len(rows[0]) - len(lost)
    shutil.copytree(source / "demo", tmp_path / "demo")
    text = "\n".join(",".join(row[k] for k in kept) for row in rows)
    (tmp_path / "demo" / "imu.csv").write_text(text + "\n")
    study = Path(shutil.copy(source / "demo.toml", tmp_path))
    found = [f for f in check(study).overview.findings if f.kind == "missing_signal"]
    assert len(found) == len(lost) and {f.severity for f in found} == {"doubt"}
    assert any(evidence in f.evidence and lost[0].startswith(f.sensor) for f in found)
    scale(study, tmp_path / "out")
    notes = prepare(read_study(study), tmp_path / "out").notes
    assert sum(str(f) in notes for f in found) == len(lost)


def lock(coordinate: str, model: Path) -> None:
    """Write the built-in model with a coordinate locked."""
    tree = read_model_tree(osim_models.path("planar_gait.osim"))
    (found,) = (element for element in tree.iter("Coordinate") if element.get("name") == coordinate)
    found.find("locked").text = "true"
    write_model_tree(model, tree)


@pytest.mark.parametrize("held", ["by the study", "in the model"])
def test_sensors_that_turn_across_a_held_joint_are_told(held, repository, tmp_path):
    """A knee that is held would give a stiff leg, and pretty curves."""
    source = repository / "examples"
    shutil.copytree(source / "demo", tmp_path / "demo")
    text = (source / "demo.toml").read_text()
    if held == "by the study":
        text = text.replace("fixed = {", "fixed = { knee_angle_r = 0.0,")
    else:
        text = text.replace("builtin:planar_gait", "locked.osim")
        lock("knee_angle_r", tmp_path / "locked.osim")
    (tmp_path / "demo.toml").write_text(text)
    result = check(tmp_path / "demo.toml")
    (finding,) = (f for f in result.overview.findings if f.kind == "held_joint")
    assert finding.key == "held_joint:tibia_r" and finding.is_serious and "'femur_r'" in finding.evidence
    assert not result.ok
    with pytest.raises(InputError, match="joint between them is held"):
        check_inputs(read_study(tmp_path / "demo.toml"))


def test_exchanged_sensors_in_imu_frames_are_told_by_name(repository, tmp_path):
    """Frames of a model say how they are turned: no other finding, and no error, comes in its place."""
    source = repository / "examples"
    shutil.copytree(source / "demo", tmp_path / "demo")
    shutil.copy(source / "demo.toml", tmp_path / "demo.toml")
    head, *rows = (source / "demo" / "imu.csv").read_text().splitlines()
    sides = {"femur_r": "femur_l", "femur_l": "femur_r"}
    head = re.sub("femur_[rl]", lambda at: sides[at[0]], head)
    (tmp_path / "demo" / "imu.csv").write_text("\n".join([head, *rows]) + "\n")
    result = check(tmp_path / "demo.toml")
    assert [f.key for f in result.overview.findings if f.severity != "note"] == [
        "swapped_sides:femur_r",
        "swapped_sides:femur_l",
    ]
    assert not result.refused


def test_nothing_is_said_of_axes_in_frames_before_the_model_turns_them(folder, where, tmp_path):
    """Frames of `sspinn locate-sensors` are turned as the sensors are: along them nobody's segments lie."""
    file = tmp_path / "walk.toml"
    check(folder, where=where, new_study=NewStudy(file, **NEW))
    recording = read_recording(read_study(file), refuse=False)
    known = [dataclasses.replace(sensor, axes_known=True) for sensor in recording.sensors]
    assert contradictions(dataclasses.replace(recording, sensors=tuple(known)))
    known[0] = dataclasses.replace(known[0], imu_frame="pelvis_imu")
    assert contradictions(dataclasses.replace(recording, sensors=tuple(known))) == ()


def test_a_root_that_is_locked_is_refused_before_it_is_scaled(repository, tmp_path):
    lock("pelvis_tx", tmp_path / "locked.osim")
    shutil.copytree(repository / "examples" / "demo", tmp_path / "demo")
    text = (repository / "examples" / "demo.toml").read_text().replace("builtin:planar_gait", "locked.osim")
    (tmp_path / "demo.toml").write_text(text)
    assert "cannot move forward and up" in check(tmp_path / "demo.toml").refused


def test_the_written_study_trains(folder, where, tmp_path):
    file, out = tmp_path / "walk.toml", tmp_path / "results"
    check(folder, where=where, new_study=NewStudy(file, **NEW))
    study = override(read_study(file), steps=1)
    scale(study, out)
    prepared = prepare(study, out)
    assert all(sensor.axes_known for sensor in prepared.recording.sensors)
    assert train(study, out, prepared=prepared).seeds[0].steps == 1


def test_nothing_is_left_of_a_study_that_cannot_be(folder, where, tmp_path, shared):
    file = tmp_path / "walk.toml"
    for changes, said in (
        ({"where": {"00B4A000": "nose"}}, "no body for 'nose'"),
        ({"model": str(shared / "models" / "Rajagopal2016.osim")}, "is not known"),
    ):
        new = NewStudy(file, **(NEW | {k: v for k, v in changes.items() if k != "where"}))
        with pytest.raises(InputError, match=said):
            check(folder, where=changes.get("where", where), new_study=new)
    assert list(tmp_path.iterdir()) == []


def test_options_for_files_do_not_go_with_a_study(repository):
    study = repository / "examples" / "demo.toml"
    assert check(study).ok
    with pytest.raises(InputError, match="says all of this itself"):
        check(study, recorded_rate_hz=100.0)
    with pytest.raises(InputError, match="one recording"):
        check(repository / "examples" / "dorschky2019_p01.toml")


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--height", "1.7"], "--study"),
        (["--study", "s.toml", "--height", "1.7"], "--model, --mass"),
        (["--study", "s.toml", "--model", "m.osim", "--height", "170", "--mass", "70"], "--height"),
        ([*STUDY, "--speed", "-1"], "--speed"),
        ([*STUDY, "--generic-height", "175"], "--generic-height"),
        (["--study", ".", *STUDY[2:], "--force"], "This is a folder"),
        (["--rate", "0"], "--rate"),
        (["--rate", "-5"], "--rate"),
        (["--where", "00B4AXXX=pelvis"], "no sensor '00B4AXXX'"),
        (["--where", *(f"00B4A00{k}=pelvis" for k in range(8))], "leave 00B4A007 out"),
        (["--where", "00B4A000=pelvsi"], "did you mean 'pelvis'"),
        (["--where", "00B4A001=tihgh_r"], "did you mean 'thigh_r'"),
        (["--where", "00B4A001=thigh"], "thigh_r, thigh_l"),
        ([*STUDY[:2], "--model", "nope.osim", *STUDY[4:]], "The model file does not exist."),
    ],
)
def test_half_a_study_and_what_cannot_be_is_refused(arguments, what, folder, capsys):
    assert cli.main(["check", str(folder), *arguments]) == 2
    message = capsys.readouterr().err
    assert what in message and "Errno" not in message


def test_a_segment_whose_movement_is_not_known_is_named_so(folder, capsys):
    assert cli.main(["check", str(folder), "--where", "00B4A000=pelvis", "00B4A001=hand_r"]) == 1
    said = capsys.readouterr().out
    assert "the usual movement of the hand is not known" in said
    assert "[sensors.00B4A001] of a study" in said and "the study" not in said


@pytest.mark.parametrize(
    ("table", "what"),
    [
        ("[output]\nfrom_s = 100.0\nto_s = 101.0", "output window does not fit"),
        ("[training.weights]\nnothing = 1.0", "no loss term 'nothing'"),
        ('[reference]\nformat = "opensim"\nkinematics = "study.toml"', "study.toml"),
    ],
)
def test_what_a_run_refuses_a_check_finds(folder, where, tmp_path, table, what, capsys):
    file = tmp_path / "study.toml"
    check(folder, where=where, new_study=NewStudy(file, **NEW))
    assert check(file).ok
    text = file.read_text(encoding="utf-8")
    file.write_text(f"{text}\n{table}\n", encoding="utf-8")
    with pytest.raises(InputError, match=what):
        run(file, tmp_path / "results")
    assert cli.main(["check", str(file), "--out", str(tmp_path / "out")]) == 1
    assert what in capsys.readouterr().out
    found = json.loads((tmp_path / "out" / "recording.json").read_text(encoding="utf-8"))
    assert not found["ok"] and what in found["verdict"]


def test_of_two_sensors_whose_names_tell_one_segment_the_second_is_left_out_and_named(repository, tmp_path):
    rows = [row.split(",") for row in (repository / "examples" / "demo" / "imu.csv").read_text().splitlines()]
    shank = [k for k, name in enumerate(rows[0]) if name.startswith("tibia_r")]
    second = [
        ",".join([*row, *(row[k].replace("tibia_r", "shank_right") for k in shank)]) for row in rows[:600]
    ]
    file, study = tmp_path / "two.csv", tmp_path / "study.toml"
    file.write_text("\n".join(second) + "\n")
    result = check(file, new_study=NewStudy(study, **NEW))
    assert dict(result.left_out) == {"shank_right": "shank_r"}
    assert "not used: shank_right, as it sits on the same segment as 'shank_r'" in str(result)
    study.unlink()
    where = {name: name for name in ("pelvis", "femur_r", "foot_r", "tibia_r")} | {"shank_right": "shank_r"}
    both = check(file, where=where, new_study=NewStudy(study, **NEW))
    assert {(s.name, s.body) for s in read_study(study).sensors} >= {
        ("tibia_r", "tibia_r"),
        ("shank_r", "tibia_r"),
    }
    assert not both.left_out


@pytest.mark.parametrize("new", [False, True])
def test_less_than_a_step_cannot_be_run(new, repository, tmp_path, capsys):
    rows = (repository / "examples" / "demo" / "imu.csv").read_text().splitlines()
    file, study = tmp_path / "short.csv", tmp_path / "study.toml"
    file.write_text("\n".join(rows[:51]) + "\n")
    wanted = ["--study", str(study), "--model", "builtin:planar_gait", "--height", "1.72", "--mass", "68"]
    assert cli.main(["check", str(file), *(wanted if new else [])]) == 1
    said = capsys.readouterr().out
    assert "Cannot be run: The recording is too short to train on." in said and "found: 0.5 s" in said
    assert "next:" not in said


def test_a_sensor_is_placed_once(folder, capsys):
    for arguments in (["a=pelvis", "a=foot_r"], ["pelvis"]):
        with pytest.raises(SystemExit):
            cli.main(["check", str(folder), "--where", *arguments])
    assert "SENSOR=SEGMENT" in capsys.readouterr().err


def test_the_next_command_is_quoted(folder, where, tmp_path):
    file = tmp_path / "a study.toml"
    result = check(folder, where=where, new_study=NewStudy(file, "builtin:planar_gait", 1.72, 68.0))
    assert f"sspinn run '{file}' --out" in str(result)
