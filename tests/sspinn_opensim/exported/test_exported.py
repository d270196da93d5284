"""An exported estimator in onnxruntime, against the streaming estimator in torch."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from casadi_dynamics.errors import InputError
from sspinn_opensim.estimation import StreamingEstimator
from sspinn_opensim.exported.model_file import exported_model
from sspinn_opensim.exported.runtime import ExportedEstimator
from sspinn_opensim.streaming.channels import channels_of_estimate
from sspinn_opensim.streaming.sensors import StreamedSensors
from sspinn_opensim.training.estimator import PersonNetwork
from sspinn_opensim.training.networks import NETWORKS
from sspinn_opensim.training.signals import make_signals
from sspinn_opensim.training.subject import make_subject

#: Signals are rounded to single precision in both, and torch's tanh of single precision may differ from the
#: rounded one of double precision in its last place, 6e-8 of one of the inputs. Everything after is double.
TOLERANCE = 1e-6
#: Samples on which a network settles.
LEAD_IN = 60


def case_of(model, recording, folder, kind="lstm", fixed=None):
    """Return a loud estimator, its sensors (each turned otherwise), and the file of its export."""
    subject = make_subject(model, recording, fixed or {}, height_m=1.8)
    signals = make_signals(recording, subject)
    with torch.random.fork_rng():
        torch.manual_seed(5)
        network = PersonNetwork(subject, signals, kind=kind).eval()
        with torch.no_grad():
            network.network.head[-1].weight *= 10
    streaming = StreamingEstimator(network, subject, signals)
    rotation = np.array([np.roll(np.eye(3), k, axis=0) for k in range(len(recording.sensors))])
    sensors = StreamedSensors.of(recording, subject, signals).turned(rotation)
    motions = [coordinate.motion for coordinate in model.coordinates]
    channels = channels_of_estimate(streaming.coordinates, motions, streaming.actuated, streaming.feet)
    file = folder / "estimator.onnx"
    file.write_bytes(exported_model(streaming, sensors, channels).SerializeToString())
    return streaming, sensors, file


def own_axes(sensors, signals):
    """Return signals (n, k, 3) along the axes of the bodies as sensors read them."""
    return np.einsum("kij,nki->nkj", sensors.rotation, signals)


@pytest.fixture(scope="module")
def planar(walker, tmp_path_factory):
    return case_of(walker.model, walker.recording, tmp_path_factory.mktemp("planar"))


@pytest.fixture(scope="module")
def in_space(walker, spatial_model, tmp_path_factory):
    """Return an estimator of a body that turns, with a gyroscope on its root, and a recording that turns."""
    rate = np.array(walker.recording.angular_rate)
    rate[:, 0, 1] += 0.7 + 0.3 * np.sin(np.arange(len(rate)) / 20)
    recording = replace(walker.recording, angular_rate=rate)
    return recording, case_of(spatial_model, recording, tmp_path_factory.mktemp("space"))


def assert_same(case, recording, pause_at=None):
    streaming, sensors, file = case
    exported = ExportedEstimator(file)
    given = [own_axes(sensors, signals) for signals in (recording.acceleration, recording.angular_rate)]
    body = (recording.acceleration, recording.angular_rate)
    streaming.settle(*(signals[:LEAD_IN] for signals in body))
    exported.settle(*(signals[:LEAD_IN] for signals in given))
    pairs = []
    for k in range(len(recording.time_s)):
        if k == pause_at:
            rows = slice(k, k + LEAD_IN)
            streaming.settle(*(signals[rows] for signals in body), keep_place=True)
            exported.settle(*(signals[rows] for signals in given), keep_place=True)
        expected, found = (
            one.step(*(s[k] for s in of)) for one, of in ((streaming, body), (exported, given))
        )
        ground = expected.ground
        theirs = (
            expected.q,
            expected.moments,
            ground.force,
            ground.point,
            ground.torque,
            expected.heading_rad,
        )
        ours = (found.coordinates, found.moments, found.force, found.point, found.torque, found.heading_rad)
        pairs.append((ours, theirs))
    for k, name in enumerate(("q", "moments", "force", "point", "torque", "heading")):
        ours, theirs = (np.array([pair[side][k] for pair in pairs]) for side in (0, 1))
        scale = max(np.abs(theirs).max(), 1.0)
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=TOLERANCE * scale, err_msg=name)
    return np.array([pair[1][0] for pair in pairs]), np.array([pair[1][5] for pair in pairs])


def test_every_frame_is_that_of_torch(planar, walker):
    q, _ = assert_same(planar, walker.recording, pause_at=150)
    assert q.std(axis=0).max() > 0.1


def test_settling_on_nothing_is_to_begin_anew(planar, walker):
    _, sensors, file = planar
    first = [own_axes(sensors, x)[0] for x in (walker.recording.acceleration, walker.recording.angular_rate)]
    fresh, settled = ExportedEstimator(file), ExportedEstimator(file)
    settled.step(*first)
    settled.settle(np.zeros((0, len(sensors.names), 3)), np.zeros((0, len(sensors.names), 3)))
    np.testing.assert_array_equal(settled.step(*first).moments, fresh.step(*first).moments)


def test_in_space_too_with_heading_and_path(in_space):
    recording, case = in_space
    _, heading = assert_same(case, recording, pause_at=200)
    assert np.ptp(heading) > 0.5


@pytest.mark.parametrize("kind", sorted(set(NETWORKS) - {"lstm"}))
def test_other_networks_too(walker, tmp_path, kind):
    assert_same(case_of(walker.model, walker.recording, tmp_path, kind), walker.recording)


def test_fixed_coordinates_keep_their_values(walker, tmp_path):
    case = case_of(walker.model, walker.recording, tmp_path, fixed={"lumbar_extension": 0.125})
    q, _ = assert_same(case, walker.recording)
    assert (q[:, case[0].coordinates.index("lumbar_extension")] == 0.125).all()


def test_a_short_beginning_goes_back_and_forth(planar, walker):
    streaming, sensors, file = planar
    exported = ExportedEstimator(file)
    body = [x[:7] for x in (walker.recording.acceleration, walker.recording.angular_rate)]
    streaming.settle(*body)
    exported.settle(*(own_axes(sensors, x) for x in body))
    found = exported.step(*(own_axes(sensors, x)[0] for x in body))
    np.testing.assert_allclose(found.moments, streaming.step(*(x[0] for x in body)).moments, rtol=1e-6)


def test_the_file_says_what_its_numbers_are(planar):
    streaming, sensors, file = planar
    exported = ExportedEstimator(file)
    assert exported.sensors == sensors.names and exported.sampling_rate_hz == 100.0
    assert exported.coordinates == streaming.coordinates and exported.feet == streaming.feet
    units = dict(zip(exported.coordinates, exported.coordinate_units, strict=True))
    assert (units["pelvis_tx"], units["hip_flexion_r"]) == ("m", "rad")
    assert len(exported.moments) == len(streaming.actuated) and set(exported.moment_units) == {"N m"}
    assert exported.about["acceleration_unit"] == "m/s^2"


def test_axes_that_are_not_used_may_be_missing_and_others_not(planar, walker):
    _, sensors, file = planar
    exported = ExportedEstimator(file)
    given = [own_axes(sensors, x)[0] for x in (walker.recording.acceleration, walker.recording.angular_rate)]
    expected = exported.step(*given)
    exported.reset()
    used = np.split(sensors.needed, 2, axis=1)
    holes = [np.where(axes, x, np.nan) for axes, x in zip(used, given, strict=True)]
    assert np.isnan(holes[0]).any()
    np.testing.assert_array_equal(exported.step(*holes).coordinates, expected.coordinates)
    again = exported.step(*given)
    exported.reset()
    exported.step(*given)
    for bad, match in ((np.where(used[0], np.nan, 0.0), "not finite"), (given[0][:-1], "wrong shape")):
        with pytest.raises(InputError, match=match):
            exported.step(bad, given[1])
    np.testing.assert_array_equal(exported.step(*given).moments, again.moments)


def test_it_runs_without_torch_and_casadi(planar):
    """In a process of its own. How long that takes is what `benchmarks.exported` measures."""
    script = """
import sys
import numpy as np
from sspinn_opensim.exported.runtime import ExportedEstimator
estimator = ExportedEstimator(sys.argv[1])
sample = np.tile([0.0, 9.81, 0.0], (len(estimator.sensors), 1))
frame = estimator.step(sample, 0 * sample)
assert np.isfinite(frame.coordinates).all()
heavy = {"torch", "casadi", "lightning", "pytorch_lightning", "scipy", "onnx", "llvmlite"} & set(sys.modules)
print(sorted(heavy))
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(planar[2])], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("content", [None, b"", b"not a model"])
def test_another_file_is_refused(tmp_path, content):
    file = tmp_path / "other.onnx"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError, match="file") as error:
        ExportedEstimator(file)
    assert "sspinn export" in error.value.fix


def test_the_examples_of_the_document_run(planar, repository, tmp_path):
    text = (repository / "docs" / "export.md").read_text()
    programs = [part.split("```")[0] for part in text.split("```python\n")[1:]]
    assert len(programs) == 2
    (tmp_path / "estimator.onnx").write_bytes(planar[2].read_bytes())
    for program in programs:
        subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, capture_output=True)
