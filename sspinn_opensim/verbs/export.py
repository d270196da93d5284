"""A trained network and its person's body as one ONNX file, for programs without torch and CasADi."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from casadi_dynamics.errors import InputError
from casadi_dynamics.osim import read_model
from sspinn_opensim.files import write_atomically
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.training.checkpoint_checks import require_finished
from sspinn_opensim.training.checkpoint_file import read_outline
from sspinn_opensim.verbs.on_study import subject_file


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes
    ----------
    file : Path
        The ONNX model.
    nodes : int
        Operations in it.
    """

    file: Path
    nodes: int
    sensors: tuple[str, ...]
    sampling_rate_hz: float

    def __str__(self) -> str:
        return (
            f"{self.file}: {self.nodes} nodes, {self.file.stat().st_size / 1e6:.1f} MB; {len(self.sensors)} "
            f"sensors ({', '.join(self.sensors)}) at {self.sampling_rate_hz:g} Hz in"
        )


def export(folder: str | Path, out: str | Path = "estimator.onnx", *, seed: int = 0) -> Exported:
    """Write the trained network of a results folder, with all that follows it, as an ONNX model.

    Parameters
    ----------
    folder : str or Path
        Results after ``sspinn run``, ``train`` or ``adapt``.
    out : str or Path
        The file.
    seed : int
        Of the training.

    Raises
    ------
    InputError
        There is no model or no finished network of one person, onnx is not installed, or the file cannot be
        written.
    """
    folder, out = Path(folder), Path(out)
    if out.suffix != ".onnx":
        raise InputError("The file's name does not end in .onnx.", where="--out", found=str(out))
    model, checkpoint = read_model(subject_file(folder)), ResultsFolder(folder).checkpoint(seed)
    require_finished(checkpoint, read_outline(checkpoint))
    from sspinn_opensim.exported.from_results import exported_network  # brings PyTorch along

    network = exported_network(model, checkpoint, name=str(folder))
    write_atomically(out, network.model.SerializeToString())
    return Exported(out, len(network.model.graph.node), network.sensors, network.sampling_rate_hz)
