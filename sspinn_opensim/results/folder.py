"""The results folder as a type, and the one table of files that any verb writes into one.

A row of `ResultsFolder` serves everywhere: ``ResultsFolder.grf.name`` is the name of the file,
``ResultsFolder(out).grf`` its path, and README.txt, ``sspinn open``, the report, the table in docs and
the tests of the verbs are made from all rows (`FILES`).
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import overload


@dataclass(frozen=True)
class File:
    """A file of a results folder; an attribute of `ResultsFolder`, through which its path is asked for.

    Parameters
    ----------
    label : str
        Name relative to the results folder. That of a folder ends in ``/`` and includes all in it; ``*``
        stands for any text.
    holds : str
        What it holds, with units.
    verbs : str
        The verbs of ``sspinn`` that write it, the one that usually does first; ``*`` for every verb.
    when : str
        Where it is not always written, for what it is.
    """

    label: str
    holds: str
    verbs: str
    when: str = ""

    @property
    def name(self) -> str:
        """The label as a path needs it."""
        return self.label.rstrip("/")

    @property
    def says(self) -> str:
        """What it holds, in a list of files."""
        return f"{self.when}: {self.holds}" if self.when else self.holds

    @overload
    def __get__(self, folder: None, owner: type) -> File: ...
    @overload
    def __get__(self, folder: ResultsFolder, owner: type) -> Path: ...
    def __get__(self, folder: ResultsFolder | None, owner: type) -> File | Path:
        """Return the row itself, or the path in a folder."""
        return self if folder is None else folder.path / self.name

    def includes(self, name: str) -> bool:
        """Return whether a name, relative to the folder, is this file or one in this folder."""
        return fnmatchcase(name, f"{self.label}*" if self.label.endswith("/") else self.label)

    def written_by(self, verb: str) -> bool:
        """Return whether a verb may write it."""
        return self.verbs == "*" or verb in self.verbs.split()


_TRIAL = "muscles inverse-dynamics joint-reactions"  # a laboratory's trial is brought into the folder


@dataclass(frozen=True)
class ResultsFolder:
    """A folder that verbs write to.

    Parameters
    ----------
    path : Path
        It need not be there.
    """

    path: Path

    report = File("report.html", "everything on one page; open it in a browser", "evaluate muscles")
    subject = File(
        "subject.osim",
        "the scaled model, with contact points and its own IMU frames",
        f"scale adapt ablate {_TRIAL}",
    )
    scaling = File("scaling.json", "what scaling did", "scale adapt ablate")
    scale_tool = File(
        "scaling/",
        "what OpenSim's ScaleTool read and wrote, with a set-up to load",
        "scale adapt ablate",
        when="scaled from markers",
    )
    conversion = File("conversion.json", "how closely the converted model agrees with OpenSim", "convert")
    upgraded_model = File(
        "*_upgraded.osim",
        "the model anew: upgraded, in one file",
        "convert",
        when="a model that is old or in several files",
    )
    reading = File(
        "reading.json",
        "what reading the recording found and did: clocks, gaps, biases of gyroscopes, findings",
        "train adapt estimate",
    )
    alignment = File(
        "alignment.toml",
        "how each sensor sits on its segment, with deviations: degrees",
        "train adapt estimate",
        when="sensors that had to be aligned",
    )
    training = File("training/", "networks and loss histories", "train adapt")
    kinematics = File(
        "kinematics.mot", "every coordinate of the model: degrees, metres", f"estimate {_TRIAL} simulate-imu"
    )
    opensense_motion = File(
        "opensense.mot", "angles by OpenSim's own inverse kinematics of IMUs: degrees", "opensense"
    )
    opensense = File("opensense/", "orientations it followed, and the model with placed IMUs", "opensense")
    moments = File("moments.sto", "the estimated joint moments: N m", f"estimate {_TRIAL} simulate-imu")
    grf = File(
        "grf.mot",
        "force, point and torque on each foot, in ground: N, m, N m",
        f"estimate {_TRIAL} simulate-imu",
    )
    kinematics_sd = File(
        "kinematics_sd.mot",
        "how far kinematics.mot may be off: one standard deviation of every number",
        "estimate",
    )
    moments_sd = File("moments_sd.sto", "the same for moments.sto", "estimate")
    grf_sd = File("grf_sd.mot", "the same for grf.mot", "estimate")
    external_loads = File(
        "external_loads.xml", "says on which body each ground force acts", f"estimate {_TRIAL}"
    )
    strides = File(
        "strides.csv",
        "a row for each stride: its events, length, stance, double support: s, m, percent",
        "estimate",
    )
    gait_cycles = File(
        "gait_cycles.csv",
        "mean and standard deviation over the strides of each side, at each percent of the gait cycle, of "
        "every coordinate, moment and ground force: degrees, m, N m, N",
        "estimate",
    )
    spatiotemporal = File(
        "spatiotemporal.json",
        "cadence, speed, stride and step, stance, double support, symmetry; what the person does when",
        "estimate",
    )
    fit = File(
        "fit.json",
        "verdict on the training: is it like those of good recordings, term by term and sensor by sensor: "
        "m/s², rad/s, degrees, m, s",
        "estimate",
    )
    consistency = File(
        "consistency.json",
        "what made motion and ground forces agree: what held the pelvis before and after, and how far each "
        "curve moved, in its unit and in deviations: degrees, m, N m, N",
        "estimate",
        when="[output] consistent, as by default",
    )
    seeds = File("seeds/", "the estimate of every seed", "estimate ablate")
    static_optimization_setup = File(
        "static_optimization_setup.xml",
        "set-up of static optimization, with paths relative to the folder",
        "muscles",
    )
    static_optimization_model = File(
        "subject_static_optimization.osim",
        "the model with its own contact switched off, so that the ground acts once",
        "muscles",
    )
    static_optimization_actuators = File(
        "static_optimization_actuators.xml", "residual and reserve actuators", "muscles"
    )
    static_optimization = File(
        "static_optimization/",
        "the two tables of OpenSim's static optimization, with the actuators",
        "muscles",
    )
    muscle_forces = File("muscle_forces.sto", "muscle forces: N", "muscles")
    muscle_activations = File("muscle_activations.sto", "muscle activations: 0 to 1", "muscles")
    muscle_cycles = File(
        "muscle_cycles.csv",
        "their mean and standard deviation over the strides analysed, at each percent of the gait cycle of "
        "each side: N",
        "muscles",
        when="whole strides analysed",
    )
    static_optimization_verdict = File(
        "static_optimization.json",
        "can the muscle forces be trusted: failed frames, reserves, residuals",
        "muscles",
    )
    static_optimization_frames = File(
        "static_optimization_frames.sto",
        "of every frame: whether it was solved, largest reserve, residuals and activations",
        "muscles",
    )
    muscle_groups = File("muscle_groups/", "a picture of each muscle group", "muscles")
    trials = File("trials.csv", "verdict and peak force of each muscle: N", "muscles", when="several trials")
    mean_forces = File(
        "muscle_forces_mean_sd.csv",
        "mean and standard deviation at each percent of the part analysed: N",
        "muscles",
        when="several trials",
    )
    mean_activations = File(
        "muscle_activations_mean_sd.csv",
        "the same of the activations: 0 to 1",
        "muscles",
        when="several trials",
    )
    inverse_dynamics = File(
        "inverse_dynamics.sto", "joint moments by OpenSim's inverse dynamics: N m", "inverse-dynamics"
    )
    inverse_dynamics_comparison = File(
        "inverse_dynamics.json",
        "how far moments.sto and the converted model are from them, by coordinate",
        "inverse-dynamics",
    )
    inverse_dynamics_setup = File(
        "inverse_dynamics_setup.xml", "set-up of inverse dynamics", "inverse-dynamics"
    )
    inverse_dynamics_model = File(
        "subject_inverse_dynamics.osim",
        "the model with its own contact switched off, if it has some",
        "inverse-dynamics joint-reactions",
    )
    joint_reactions = File(
        "joint_reactions.sto",
        "force, moment and point on one body of each joint: N, N m, m",
        "joint-reactions",
    )
    joint_reactions_peaks = File(
        "joint_reactions.json", "peaks of the joint contact forces: N, N m", "joint-reactions"
    )
    joint_reactions_setup = File(
        "joint_reactions_setup.xml", "set-up of the joint reaction analysis", "joint-reactions"
    )
    joint_reactions_forces = File(
        "joint_reactions_forces.sto",
        "force of every muscle and actuator, which the analysis applies: N, N m",
        "joint-reactions",
    )
    joint_reactions_tables = File("joint_reactions/", "what OpenSim wrote, as it wrote it", "joint-reactions")
    given_forces = File(
        "given_forces.sto", "muscle forces of a laboratory's own static optimization: N", "joint-reactions"
    )
    given_actuators = File("given_actuators_*.xml", "the actuators of that optimization", "joint-reactions")
    metrics = File("metrics.json", "the errors against the reference", "evaluate ablate")
    people = File("people/", "the results folder of each person", "scale estimate", when="a cohort")
    people_scores = File(
        "people.json", "errors by person, seen and unseen apart", "evaluate", when="a cohort"
    )
    people_text = File("people.md", "the same as a text", "evaluate", when="a cohort")
    people_page = File("people.html", "the same as a page", "evaluate", when="a cohort")
    ablation_table = File("ablation.csv", "what each loss term is worth: a table", "ablate")
    ablation_text = File("ablation.md", "the same as a text", "ablate")
    ablation_plot = File("ablation.svg", "the same as a picture", "ablate")
    arms = File("arms/", "the results folder of each training with a term off", "ablate")
    arm = File("arm.json", "what it was trained from, and its finished seeds", "ablate", when="an arm")
    sensor_places = File(
        "sensor_places.json", "where each sensor sits, with deviations: m, degrees", "locate-sensors"
    )
    sensor_places_picture = File("sensor_places.svg", "a picture of it", "locate-sensors")
    sensor_places_model = File(
        "sensor_places.osim", "the model with IMU frames at these places", "locate-sensors"
    )
    recording = File("recording.csv", "what the virtual sensors record: s, m/s², rad/s", "simulate-imu")
    study = File("study.toml", "a study of it, to run", "simulate-imu")
    truth = File(
        "truth.json", "the true placements and errors of the sensors, and all settings", "simulate-imu"
    )
    recording_page = File("recording.html", "what is in a recording and what is wrong with it", "check")
    recording_check = File("recording.json", "the same as JSON", "check")
    comparison = File("comparison.json", "differences of two folders or files, column by column", "compare")
    comparison_page = File("comparison.html", "the same as a page, with curves", "compare")
    stream = File(
        "stream/",
        "the estimate as it was streamed: a folder for each stream, in it one for each ten seconds with the "
        "three tables of an estimate, and latency and health of the sensors in summary.json",
        "stream",
    )
    adapted = File(
        "adapted/",
        "the network as it was adapted to the person while streaming, with the scaled model: results to "
        "adapt from, to export, or to stream with",
        "stream",
        when="--adapt",
    )
    manifest = File("manifest.json", "versions, settings, and a SHA-256 of every input and output", "*")
    readme = File("README.txt", "this list, and what to open in OpenSim", "*")

    @property
    def estimate(self) -> tuple[Path, Path, Path]:
        """The three tables of an estimate: motion, moments and ground forces."""
        return self.kinematics, self.moments, self.grf

    @property
    def deviations(self) -> tuple[Path, Path, Path]:
        """The tables of their standard deviations."""
        return self.kinematics_sd, self.moments_sd, self.grf_sd

    def seed(self, seed: int) -> ResultsFolder:
        """Return the folder of one seed's estimate."""
        return ResultsFolder(self.seeds / seed_name(seed))

    def checkpoint(self, seed: int) -> Path:
        """Return the file of one seed's network."""
        return self.training / seed_name(seed) / "checkpoint.pt"

    def history(self, seed: int) -> Path:
        """Return the table of one seed's losses over its training."""
        return self.checkpoint(seed).with_name("history.csv")

    def histories(self) -> list[Path]:
        """Return the tables of losses that are there."""
        return sorted(self.training.glob("seed_*/history.csv"))

    def person(self, name: str) -> ResultsFolder:
        """Return the results folder of one person of a cohort."""
        return ResultsFolder(self.people / name)

    def without_term(self, name: str) -> ResultsFolder:
        """Return the results folder of one training of an ablation, by the term that is off."""
        return ResultsFolder(self.arms / name)

    def files(self) -> list[File]:
        """Return the rows of the table that lie in the folder, in the order of the table."""
        return [file for file in FILES if next(self.path.glob(file.label), None) is not None]


def seed_name(seed: int) -> str:
    """Return the name of a seed's folders, under which its scores stand too."""
    return f"seed_{seed}"


#: All rows, in the order in which they are listed.
FILES = tuple(row for row in vars(ResultsFolder).values() if isinstance(row, File))


def file_of(name: str) -> File | None:
    """Return the row that a name, relative to a results folder, belongs to; None if it is in no row."""
    return next((file for file in FILES if file.includes(name)), None)
