"""Thirteen people, walking 0.9 to 2.2 m/s and running 2 to 5 m/s: virtual IMUs against their laboratory.

Run ``python -m benchmarks.virtual_imu --data ../shared/data --out DIR`` to make one study for each trial and
one cohort file for each fold of people. Train and score each cohort with ``sspinn run``; then
``--adapt RESULTS ... --out DIR`` adapts its networks to each unseen person's recording, and
``--collect RESULTS ... --out DIR`` gathers all scores into one table. ``--floor`` measures what the planar
projection alone costs, with no network, and ``--clocks`` how late the force plates are. See
benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import mean

from casadi_dynamics.errors import InputError
from sspinn_opensim.evaluation.people import PersonTrial, summarize_people
from sspinn_opensim.opensim_io.tables.storage import read_storage
from sspinn_opensim.report.people import people_markdown, write_people
from sspinn_opensim.simulation.settings import (
    PERFECT,
    ErrorSettings,
    LaboratorySettings,
    MotionSettings,
    SimulationSettings,
    StudySettings,
)
from sspinn_opensim.study import read_study
from sspinn_opensim.verbs.simulate_imu import simulate_imu

WALKING, RUNNING = "schreiber2019_walking", "hamner2013_running"
#: Trials that cannot be used: a marker is 41 mm off.
SKIPPED = {("2014007", "C5_04")}
#: Cut-offs of the coordinates. The laboratory's own moments used 6 and 15 Hz; walking keeps more of heel
#: strike.
LOWPASS_HZ = {WALKING: 10.0, RUNNING: 15.0}
#: A walk holds one stride or little more; it is repeated this often.
STRIDES = 8
#: Height of the runners: the data set does not state it. It is taken from the length of the scaled model's
#: leg, hip to ankle, by the proportions of the built-in model (thigh 0.245 and shank 0.246; Winter 2009).
LEG_PER_HEIGHT = 0.491
KINDS = {WALKING: "walking", RUNNING: "running"}
#: Folder of the trials that a cohort's networks were adapted to, in its folder of results.
ADAPTED = "adapted"
#: How late the force plates are behind the cameras, s: the median over the trials, see `--clocks`.
FORCES_LATE_S = {WALKING: 0.015, RUNNING: 0.0}


@dataclass(frozen=True)
class Trial:
    """One trial of a person.

    Attributes
    ----------
    dataset, person, name : str
    model, motion, moments, external_loads : Path
    height_m : float
    mass_kg : float or None
        None: that of the model.
    belt_speed_m_s : float
    keep_s : tuple of 2 float or None
        Where the force plates see whole feet, for a walk that is repeated.
    """

    dataset: str
    person: str
    name: str
    model: Path
    motion: Path
    moments: Path
    external_loads: Path
    height_m: float
    mass_kg: float | None = None
    belt_speed_m_s: float = 0.0
    keep_s: tuple[float, float] | None = None

    @property
    def kind(self) -> str:
        """'walking' or 'running'."""
        return KINDS[self.dataset]


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the studies, or the table of results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.virtual_imu", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder that holds the two data sets")
    parser.add_argument("--out", type=Path, help="folder for studies and cohorts")
    parser.add_argument("--people", type=int, metavar="N", help="use the first N of each data set")
    parser.add_argument("--folds", type=int, default=3, metavar="N", help="default: %(default)s")
    parser.add_argument("--quick", action="store_true", help="two walkers and two runners, one trial each")
    parser.add_argument("--seed", type=int, default=0, help="of the sensors' errors; default: %(default)s")
    parser.add_argument("--perfect", action="store_true", help="sensors without any error")
    parser.add_argument(
        "--shipped-moments", action="store_true", help="walking moments of the data set, not worked out anew"
    )
    parser.add_argument(
        "--space", action="store_true", help="estimate in space on everyone's own model, not in the plane"
    )
    parser.add_argument("--floor", action="store_true", help="measure the cost of the planar projection")
    parser.add_argument(
        "--late-plates", action="store_true", help="forces at the times of their files, late as they are"
    )
    parser.add_argument("--clocks", action="store_true", help="measure how late the force plates are")
    parser.add_argument(
        "--adapt", type=Path, nargs="+", metavar="FOLDER", help="folders of results: adapt to the unseen"
    )
    parser.add_argument("--collect", type=Path, nargs="+", metavar="FOLDER", help="folders of results")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    try:
        return _run(options)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2


def _run(options: argparse.Namespace) -> int:
    if options.adapt:
        if options.out is None:
            raise InputError("--out is needed.", expected="--out DIR, the folder of the studies")
        for folder in options.adapt:
            adapt_to_unseen(folder, options.out)
        return 0
    if options.collect:
        summary = collect(options.collect, options.out)
        if options.out:
            options.out.mkdir(parents=True, exist_ok=True)
            write_people(summary, options.out, "Virtual IMUs against the laboratory")
        print(json.dumps(summary, indent=1) if options.json else people_markdown(summary))
        return 0
    if options.data is None or (options.out is None and not options.clocks):
        raise InputError("--data and --out are needed.", expected="--data ../shared/data --out DIR")
    found = quick(trials(options.data)) if options.quick else trials(options.data)
    found = first_people(found, options.people) if options.people else found
    if options.floor or options.clocks:
        _measure(found, options)
        return 0
    choices = {
        "perfect": options.perfect,
        "shipped": options.shipped_moments,
        "space": options.space,
        "late_plates": options.late_plates,
    }
    written = [write_study(trial, options.out, options.seed, **choices) for trial in found]
    # A cohort shares one generic model; in space walkers and runners have others, so everyone is alone.
    cohorts = [] if options.space else write_cohorts(found, options.out, options.folds)
    if options.json:
        print(json.dumps({"studies": [str(f) for f in written], "cohorts": [str(f) for f in cohorts]}))
    else:
        print(f"{len(written)} studies in {options.out / 'studies'}")
        print("\n".join(f"cohort: {cohort}" for cohort in cohorts))
    return 0


def _measure(found: list[Trial], options: argparse.Namespace) -> None:
    """Print what the planar projection costs, or how late the force plates are."""
    if options.floor:
        from benchmarks.planar_floor import floor, format_floor

        chosen = partial(settings_of, perfect=True, shipped=options.shipped_moments)
        measured, shown = floor(found, options.out, chosen), format_floor
    else:
        from benchmarks.laboratory_clocks import clocks, format_clocks

        measured, shown = clocks(found, partial(settings_of, perfect=True, late_plates=True)), format_clocks
    print(json.dumps(measured, indent=1) if options.json else shown(measured))


def trials(data: Path) -> list[Trial]:
    """Return the usable trials of both data sets.

    Raises
    ------
    InputError
        If neither data set is there.
    """
    found = [*walking_trials(data / WALKING), *running_trials(data / RUNNING)]
    if not found:
        raise InputError(
            "The data sets are not there.",
            where=str(data),
            expected=f"folders {WALKING} and {RUNNING}",
            fix="see benchmarks/README.md for where they come from",
        )
    return found


def walking_trials(folder: Path) -> list[Trial]:
    """Return the walks: one at preferred and one at fast speed for each person."""
    if not folder.is_dir():
        return []
    with (folder / "anthropometrics.csv").open(newline="", encoding="utf-8") as file:
        people = {row["subjectID"]: row for row in csv.DictReader(file)}
    found = []
    for motion in sorted(folder.glob("*/*_ik_full.mot")):
        person, trial = motion.parent.name, motion.name.removesuffix("_ik_full.mot")
        if (person, trial) in SKIPPED:
            continue
        valid = read_storage(motion.with_name(f"{trial}_ik.mot")).time_s
        found.append(
            Trial(
                dataset=WALKING,
                person=f"walker_{person}",
                name=f"walker_{person}_{trial[:2]}",
                model=motion.with_name(f"{person}_scaledModelAdjusted.osim"),
                motion=motion,
                moments=motion.with_name(f"{trial}_id.sto"),
                external_loads=motion.with_name(f"{person}_{trial}_grf.xml"),
                height_m=float(people[person]["height"]),
                mass_kg=float(people[person]["mass"]),
                keep_s=(float(valid[0]), float(valid[-1])),
            )
        )
    return found


def running_trials(folder: Path) -> list[Trial]:
    """Return the runs: up to four speeds of each person."""
    found = []
    for motion in sorted(folder.glob("subject*/Run_?_ik.mot")):
        number, stem = motion.parent.name.removeprefix("subject"), motion.name.removesuffix("_ik.mot")
        model = motion.with_name(f"subject{number}_scaled.osim")
        found.append(
            Trial(
                dataset=RUNNING,
                person=f"runner_{number}",
                name=f"runner_{number}_{stem[-1]}",
                model=model,
                motion=motion,
                moments=motion.with_name(f"{stem}_id.sto"),
                external_loads=motion.with_name(f"{stem}_grf.xml"),
                height_m=_stature(model),
                belt_speed_m_s=float(stem[-1]),
            )
        )
    return found


def _stature(file: Path) -> float:
    """Return the height that goes with the legs of a model, m."""
    from casadi_dynamics.osim import read_model
    from casadi_dynamics.symbolic import build
    from sspinn_opensim.simulation.places import joint_distance

    functions = build(read_model(file))
    legs = [
        joint_distance(functions, f"hip_{s}", f"knee_{s}")
        + joint_distance(functions, f"knee_{s}", f"ankle_{s}")
        for s in "rl"
    ]
    return round(mean(legs) / LEG_PER_HEIGHT, 2)


def first_people(found: list[Trial], count: int) -> list[Trial]:
    """Return the trials of the first people of each data set."""
    kept = {name for dataset in KINDS for name in people_of(found, dataset)[:count]}
    return [trial for trial in found if trial.person in kept]


def quick(found: list[Trial]) -> list[Trial]:
    """Return one trial of two walkers and of two runners."""
    few, seen = first_people(found, 2), set()
    return [t for t in few if not (t.person in seen or seen.add(t.person))]


def people_of(found: Iterable[Trial], dataset: str) -> list[str]:
    """Return the people of a data set."""
    return sorted({trial.person for trial in found if trial.dataset == dataset})


def settings_of(
    trial: Trial,
    seed: int = 0,
    *,
    perfect: bool = False,
    shipped: bool = False,
    space: bool = False,
    late_plates: bool = False,
) -> SimulationSettings:
    """Return how a trial is recorded; in `space`, its own model is estimated, else the planar one.

    The moments that come with the walks were worked out from a motion cut to half a stride before it was
    filtered, so they are wrong at its ends (hip 0.7 to 1 BWBH% over the window, 0.1 to 0.3 in its middle).
    They are worked out anew from the whole motion unless `shipped` is asked for. Ground forces are moved to
    the clock of the motion, but for those moments and with `late_plates`.
    """
    keep = trial.keep_s or (None, None)
    moments = trial.moments if shipped or trial.keep_s is None else None
    return SimulationSettings(
        seed=seed,
        motion=MotionSettings(
            lowpass_hz=LOWPASS_HZ[trial.dataset],
            heading_deg=None if trial.keep_s else 0.0,
            belt_speed_m_s=trial.belt_speed_m_s,
            strides=STRIDES if trial.keep_s else None,
            keep_from_s=keep[0],
            keep_to_s=keep[1],
        ),
        errors=PERFECT if perfect else ErrorSettings(),
        study=StudySettings(
            model=trial.model if space else None,
            estimate="observed" if space else "all",
            name=trial.name,
            person=trial.person,
            height_m=trial.height_m,
            mass_kg=None if space else trial.mass_kg,
        ),
        laboratory=LaboratorySettings(
            moments,
            trial.external_loads,
            0.0 if moments or late_plates else FORCES_LATE_S[trial.dataset],
        ),
    )


def write_study(trial: Trial, out: Path, seed: int = 0, **choices: bool) -> Path:
    """Write the study of a trial."""
    # Two trials of one person are two days: the sensors are strapped on anew, so their errors differ.
    own_seed = seed * 1000 + sum(map(ord, trial.name))
    settings = settings_of(trial, own_seed, **choices)
    return simulate_imu(trial.model, trial.motion, out / "studies" / trial.name, settings).study


def folds(found: Sequence[Trial], count: int) -> list[set[str]]:
    """Return the people who are unseen in each fold: everyone is unseen once, walkers and runners in each."""
    unseen: list[set[str]] = [set() for _ in range(count)]
    for dataset in KINDS:
        for k, person in enumerate(people_of(found, dataset)):
            unseen[k % count].add(person)
    return unseen


def write_cohorts(found: Sequence[Trial], out: Path, count: int) -> list[Path]:
    """Write one cohort file for each fold."""
    people = {trial.person for trial in found}
    if not 2 <= count <= len(people):
        raise InputError(
            "Too few people for that many folds.",
            where="--folds",
            expected=f"2 to {len(people)}",
            found=str(count),
        )
    files = []
    for number, unseen in enumerate(folds(found, count), 1):
        entry = {t.name: f"studies/{t.name}/study.toml" for t in found}
        lines = [f'name = "fold_{number}"']
        for key, wanted in (("members", people - unseen), ("unseen", unseen)):
            chosen = [f'  "{entry[t.name]}",' for t in found if t.person in wanted]
            lines += [f"{key} = [", *chosen, "]"]
        file = out / f"fold_{number}.toml"
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        files.append(file)
    return files


def adapt_to_unseen(results: Path, out: Path) -> None:
    """Adapt the networks of a cohort to each recording of its unseen people, and score them.

    Parameters
    ----------
    results : Path
        Results folder of the cohort; each trial gets a folder in its ``adapted``.
    out : Path
        Folder of the studies.
    """
    from sspinn_opensim.verbs import estimate, evaluate
    from sspinn_opensim.verbs.adapt import adapt

    seeds = tuple(sorted(int(file.parent.name[5:]) for file in results.glob("training/seed_*/checkpoint.pt")))
    if not seeds:
        raise InputError(
            "There is no trained network.",
            where=str(results),
            expected="a folder written by sspinn run COHORT.toml --out FOLDER",
        )
    for name in _unseen(results):
        study = read_study(out / "studies" / name / "study.toml")
        study = replace(study, training=replace(study.training, seeds=seeds))
        folder = results / ADAPTED / name
        adapt(study, results, folder)
        estimate.estimate(study, folder)
        evaluate.evaluate(study, folder)


def _unseen(results: Path) -> list[str]:
    manifest = results / "manifest.json"
    found = json.loads(manifest.read_text(encoding="utf-8")) if manifest.is_file() else {}
    return found.get("cohort", {}).get("unseen", [])


def collect(results: Sequence[Path], out: Path | None = None) -> dict:
    """Return the scores below folders of results, summed up over people; see `summarize_people`.

    Each folder is that of one cohort: its ``manifest.json`` says who was unseen. A person who is seen in
    several folds counts once, with the mean over the folds.

    Parameters
    ----------
    results : sequence of Path
    out : Path, optional
        Folder of the studies, which state the speeds.

    Raises
    ------
    InputError
        If there is no scored trial of this benchmark.
    """
    found = [trial for folder in results for trial in _scored(folder, out)]
    if not found:
        raise InputError(
            "No scored trial of this benchmark is there.",
            where=", ".join(map(str, results)),
            expected="folders written by sspinn run COHORT.toml --out FOLDER",
        )
    return summarize_people(found)


def _scored(results: Path, out: Path | None) -> list[PersonTrial]:
    unseen = _unseen(results)
    found = []
    for file in sorted(results.rglob("metrics.json")):
        for name, scores in json.loads(file.read_text(encoding="utf-8")).get("trials", {}).items():
            activity = {"walker": "walking", "runner": "running"}.get(name.partition("_")[0])
            if activity is not None:
                person, trial = name.rpartition("_")[0], f"{name} of {results.name}"
                group = "unseen" if name in unseen else "seen"
                if results / ADAPTED in file.parents:
                    group = "unseen, adapted"
                found.append(PersonTrial(person, trial, group, scores, _speed(name, out), activity))
    return found


def _speed(name: str, out: Path | None) -> float | None:
    file = out / "studies" / name / "study.toml" if out else None
    return read_study(file).recording.speed_m_s if file is not None and file.is_file() else None


if __name__ == "__main__":
    sys.exit(main())
