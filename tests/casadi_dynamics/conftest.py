"""Tiny models written in the test, and the models that have stored answers of OpenSim."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from casadi_dynamics.opensim_process.jobs import run_job
from casadi_dynamics.opensim_process.worker.answers import model_answers
from casadi_dynamics.osim import read_model
from casadi_dynamics.symbolic import build
from casadi_dynamics.verify import answer_sensors

_DOCUMENT = """<?xml version="1.0"?>
<OpenSimDocument Version="40000">
<Model name="tiny">
<gravity>0 -9.81 0</gravity>
<BodySet><objects>{bodies}</objects></BodySet>
<JointSet><objects>{joints}</objects></JointSet>
{more}
</Model>
</OpenSimDocument>
"""


class OsimText:
    """Parts of `.osim` text with sensible defaults; each part can be replaced by what a test is about."""

    @staticmethod
    def body(
        name="rod", mass="2", center="0.1 -0.2 0.03", inertia="0.02 0.03 0.04 0.001 -0.002 0.003", more=""
    ):
        return (
            f'<Body name="{name}"><mass>{mass}</mass><mass_center>{center}</mass_center>'
            f"<inertia>{inertia}</inertia>{more}</Body>"
        )

    @staticmethod
    def frame(name, parent, translation="0 0 0", orientation="0 0 0"):
        return (
            f'<PhysicalOffsetFrame name="{name}"><socket_parent>{parent}</socket_parent>'
            f"<translation>{translation}</translation><orientation>{orientation}</orientation>"
            "</PhysicalOffsetFrame>"
        )

    @staticmethod
    def coordinates(*names):
        return "<coordinates>" + "".join(f'<Coordinate name="{n}"/>' for n in names) + "</coordinates>"

    @classmethod
    def joint(
        cls, kind="PinJoint", name="hinge", parent="/ground", child="/bodyset/rod", names=("angle",), more=""
    ):
        """Return a joint between offset frames that are neither at the origins nor parallel to the bodies."""
        frames = cls.frame("fixed", parent, "0.1 0.2 -0.3", "0.4 -0.3 0.2")
        frames += cls.frame("moving", child, "-0.2 0.1 0.15", "-0.1 0.25 0.35")
        return (
            f'<{kind} name="{name}"><socket_parent_frame>fixed</socket_parent_frame>'
            f"<socket_child_frame>moving</socket_child_frame>{cls.coordinates(*names)}"
            f"<frames>{frames}</frames>{more}</{kind}>"
        )

    @staticmethod
    def spatial_transform(**axes):
        """Return six axes; each of `axes` is (coordinates, axis, function text)."""
        text = ""
        for i, name in enumerate(f"{kind}{i}" for kind in ("rotation", "translation") for i in (1, 2, 3)):
            idle = ("", ("1 0 0", "0 1 0", "0 0 1")[i % 3], "<Constant><value>0</value></Constant>")
            used, axis, function = axes.get(name, idle)
            text += (
                f'<TransformAxis name="{name}"><coordinates>{used}</coordinates><axis>{axis}</axis>'
                f"{function}</TransformAxis>"
            )
        return f"<SpatialTransform>{text}</SpatialTransform>"

    @classmethod
    def document(cls, bodies=None, joints=None, more=""):
        return _DOCUMENT.format(
            bodies=cls.body() if bodies is None else bodies,
            joints=cls.joint() if joints is None else joints,
            more=more,
        )


@pytest.fixture(scope="session")
def osim() -> type[OsimText]:
    """Return the writer of tiny models."""
    return OsimText


@pytest.fixture
def read(tmp_path):
    """Return a function that reads `.osim` text."""

    def read_text(text: str):
        path = tmp_path / "tiny.osim"
        path.write_text(text)
        return read_model(path)

    return read_text


@pytest.fixture
def ask(tmp_path):
    """Return a function that gives a model text to us and to OpenSim: model, functions, OpenSim's answers."""

    def ask_opensim(text: str, samples: int = 12):
        file, output = tmp_path / "tiny.osim", tmp_path / "answers.npz"
        file.write_text(text)
        request = {"model": file, "samples": samples, "seed": 5, "output": output}
        run_job(model_answers, request, timeout_s=120.0, outputs=[output])
        with np.load(output) as stored:
            answers = dict(stored)
        model = read_model(file)
        return model, build(model), answers

    return ask_opensim


@pytest.fixture(scope="session")
def planar(repository):
    """Return our planar model, its functions and OpenSim's answers."""
    return _with_answers(repository / "osim_models", "planar_gait.osim", "planar_gait_answers.npz")


@pytest.fixture(scope="session")
def public_models(repository) -> Path:
    """Return the folder of public models kept beside the repository; skip where it is absent."""
    folder = repository.parent / "shared" / "models"
    if not folder.is_dir():
        pytest.skip("the public models are not beside this checkout (../shared/models)")
    return folder


@pytest.fixture(scope="session")
def with_answers():
    """Return a function that reads a model and its answers from a folder."""
    return _with_answers


def _with_answers(folder: Path, model_file: str, answers_file: str):
    model = read_model(folder / model_file)
    with np.load(folder / answers_file) as stored:
        answers = dict(stored)
    return model, build(model, answer_sensors(model, answers)), answers
