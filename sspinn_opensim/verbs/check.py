"""``sspinn check``: what is in a recording, what is wrong with it, and a study of a vendor's files."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping
from pathlib import Path

from casadi_dynamics.errors import InputError
from sspinn_opensim.alignment.types import Alignment
from sspinn_opensim.files import write_atomically, write_json
from sspinn_opensim.opensim_io.model.upgraded_model import read_any_model
from sspinn_opensim.recording import (
    Recording,
    along_bodies,
    check_placement,
    on_model,
    unaccepted,
)
from sspinn_opensim.recording.checks.overview import Overview
from sspinn_opensim.recording.findings import merged
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.results.record import recorded
from sspinn_opensim.study import Study, read_study
from sspinn_opensim.study.cohort import is_cohort
from sspinn_opensim.study.draft import NewStudy, model_file
from sspinn_opensim.study.person import odd_person
from sspinn_opensim.study.placed_sensors import check_segments, tells_segment
from sspinn_opensim.training.coordinates import held_by_choice
from sspinn_opensim.training.coverage import refuse_short
from sspinn_opensim.training.loss_terms import weights
from sspinn_opensim.verbs.axes import contradictions, on_body
from sspinn_opensim.verbs.recording_check import RecordingCheck
from sspinn_opensim.verbs.vendor_files import Recorded, look_at, read_files, write_study


def check(
    path: str | Path,
    *,
    out: str | Path | None = None,
    where: Mapping[str, str] | None = None,
    recorded_rate_hz: float | None = None,
    options: Mapping[str, str] | None = None,
    new_study: NewStudy | None = None,
    as_json: bool = False,
) -> RecordingCheck:
    """Say what is in a recording and what is wrong with it; write a study of a vendor's files.

    Parameters
    ----------
    path : str or Path
        A file or folder as a vendor's software wrote it, or a study.
    out : str or Path, optional
        Folder for a page with plots, and the same as JSON; made if it is not there.
    where : mapping of str to str, optional
        Sensor of the file to the segment or body that carries it; the others are left out.
    recorded_rate_hz : float, optional
        Rate at which it was recorded, Hz, for files that do not say it.
    options : mapping of str to str, optional
        Keys of the format's table in a study, such as the `trial` of a folder that holds several.
    new_study : NewStudy, optional
        The study to write.
    as_json : bool
        Whether the result is printed as JSON.

    Raises
    ------
    InputError
        The files have no layout that is known, or cannot be read; or the study cannot be written.
    """
    path = Path(path)
    if not path.exists():
        raise InputError("There is no such file or folder.", where=path, fix="check the path")
    looked, left_out, unnamed, bodiless = None, {}, (), frozenset()
    if path.suffix.lower() == ".toml":
        _refuse_options_of_files(path, where, recorded_rate_hz, options, new_study)
        study = read_study(path)
        name, source = study.recording.format, study
    else:
        files = read_files(path.absolute(), where or {}, recorded_rate_hz, options)
        source: Study | Recorded = files.source
        name, unnamed = source.recording.format, files.unnamed
        if new_study is None:
            check_segments(where or {})
        else:
            overview, alignment, placed = write_study(new_study, files)
            looked = overview, alignment
            source = read_study(new_study.file)
            beside = {other: p.name for p in placed for other in p.beside}
            unused = [s.name for s in files.streams if s.name not in {p.source for p in placed}]
            left_out = {name: beside.get(name, "") for name in unused if not where or name in beside}
            bodiless = frozenset(s.name for s in files.streams if tells_segment(s.segment or s.name))
    overview, alignment = looked or look_at(source)
    if isinstance(source, Study):
        overview = _with_body(overview, source, alignment)
    result = RecordingCheck(
        path,
        name,
        overview,
        source.recording.accepted,
        alignment,
        study=new_study.file if new_study else None,
        left_out=left_out,
        unnamed=unnamed,
        bodiless=bodiless,
        as_json=as_json,
    )
    known = source if result.ok and isinstance(source, Study) else None
    file = str(source.recording.file)
    result = dataclasses.replace(result, refused=_refused(known, file, overview.recording, alignment))
    if out is None:
        return result
    with recorded(
        Path(out).absolute(),
        "check",
        title=f"Check of {path.name}",
        path=path if path.is_file() else str(path),
    ):
        return _with_page(result, source, Path(out).absolute())


def _refuse_options_of_files(path: Path, *options: object) -> None:
    if any(options):
        raise InputError(
            "A study says all of this itself.",
            where=path,
            found="options that describe a vendor's files",
            fix="change the study, or check the recording's file or folder",
        )
    if is_cohort(path):
        raise InputError(
            "'check' is for one recording.",
            where=path,
            expected="a study file, or a recording",
            found="a cohort file",
            fix="give one of its studies",
        )


def _with_body(overview: Overview, study: Study, alignment: Alignment | None) -> Overview:
    """Return an overview with what person and model of a study say against it.

    A model that cannot be used says nothing: that is why the study is refused.
    """
    found = [*overview.findings, *odd_person(study.person)]
    if all(sensor.axes_known for sensor in overview.recording.sensors):
        with contextlib.suppress(InputError):
            model = read_any_model(study.model.file)
            placed = on_model(overview.recording, model)
            # What is refused anyway needs no look at its movement, which takes longer.
            check_placement(placed.sensors, model)
            held = held_by_choice(study.coordinates, placed.sensors, model)
            weights(study.training.weights)
            if not unaccepted(found, study.recording.accepted):  # else nothing opens it
                from sspinn_opensim.verbs.inputs import read_reference

                read_reference(study, model)
            along = along_bodies(placed, model)
            if alignment is None and any(sensor.imu_frame for sensor in placed.sensors):
                found += contradictions(along)  # which way a frame points is not known before
            found += on_body(placed, along, model, found, held)
    return dataclasses.replace(overview, findings=merged(found))


def _refused(study: Study | None, file: str, recording: Recording, alignment: Alignment | None) -> str:
    """Return why a study, or any of its file alone, would not be run; empty: it would."""
    try:
        refuse_short(recording, file)
        if study is not None:
            from sspinn_opensim.verbs.inputs import check_inputs  # brings more along than a recording needs

            check_inputs(study, alignment)
    except InputError as error:
        return str(error)
    return ""


def _with_page(result: RecordingCheck, source: Study | Recorded, out: Path) -> RecordingCheck:
    """Write page and JSON into a folder."""
    from sspinn_opensim.report.recording_page import recording_page, sensors_picture

    out.mkdir(parents=True, exist_ok=True)
    folder = ResultsFolder(out)
    model = source.model.file if isinstance(source, Study) else model_file("builtin:planar_gait")
    picture = sensors_picture(result.overview.recording, read_any_model(model))
    verdict = (result.ok, result.verdict)
    title = f"Recording {result.overview.recording.name}"
    page = recording_page(result.overview, title, result.facts, verdict, picture, result.alignment)
    done = dataclasses.replace(result, page=write_atomically(folder.recording_page, page))
    write_json(folder.recording_check, done.to_json())
    return done
