"""A network of others fitted to a new person's recording, without labels, in a fraction of a training."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from casadi_dynamics.errors import InputError
from sspinn_opensim.builtin_network.known_model import BUILTIN, refuse_other_model
from sspinn_opensim.builtin_network.shipped import FILE, network_for, read_network
from sspinn_opensim.files import sha256
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.results.record import recorded, refuse_other_study, refuse_own_network, require_seed
from sspinn_opensim.study import Study, read_study
from sspinn_opensim.training.checkpoint import identity, load_mounting, load_network, network_kind
from sspinn_opensim.training.checkpoint_checks import require_finished
from sspinn_opensim.training.checkpoint_file import read_outline
from sspinn_opensim.training.cohort import single_person_cohort
from sspinn_opensim.training.loss_terms import weights
from sspinn_opensim.training.settings import Progress, adaptation_settings
from sspinn_opensim.verbs import scale
from sspinn_opensim.verbs.prepared import prepare, write_reading
from sspinn_opensim.verbs.train import Training, train_seed

log = logging.getLogger(__name__)


def adapt(
    study: Study | str | Path,
    source: str | Path,
    out: str | Path,
    *,
    steps: int | None = None,
    restart: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Training:
    """Scale the model and train on from the networks of another results folder, one for each seed.

    Parameters
    ----------
    study : Study, str or Path
        Of the person; a path is that of a study file.
    source : str or Path
        Results folder of a cohort, or of a study, with the same model and sensors; ``builtin``: the network
        that is shipped. Of a recording of the same person with the same sensors what was learnt about how
        they sit is kept, to go on from.
    out : str or Path
        Results folder of this person; every later verb works on it as after a training.
    steps : int, optional
        Optimizer steps, instead of the study's; 0 takes the network as it is.

    Raises
    ------
    InputError
        If the folder has no finished network of a seed, or one for another model or other sensors.
    """
    study = study if isinstance(study, Study) else read_study(study)
    given, out = None if str(source) == BUILTIN else Path(source).absolute(), Path(out).absolute()
    steps = study.training.adaptation_steps if steps is None else steps
    if steps < 0:
        raise InputError("A number of steps cannot be negative.", where="--steps", found=str(steps))
    weights(study.training.weights)
    _refuse_unfit(study, given, out)
    refuse_other_study(out, study=study, restart=restart)
    with recorded(out, "adapt", study=study, steps=steps, restart=restart):
        log.info(scale.scale(study, out))
        title = f"adapt: {steps} steps" if steps else "network as it is, without adaptation"
        log.info(title, extra={"heading": True})
        prepared = prepare(study, out)
        for note in prepared.notes:
            log.info(note)
        people, done = single_person_cohort(prepared.subject, prepared.signals), []
        write_reading(prepared, out)
        for seed in study.training.seeds:
            file = FILE if given is None else ResultsFolder(given).checkpoint(seed)
            kind = read_network().kind if given is None else network_kind(file)
            settings = adaptation_settings(study.training, seed, steps, kind)
            belongs_to = identity(prepared.subject, prepared.trained_on, settings)
            if given is None:
                topology, where = belongs_to["network"], str(study.path)
                network, mounting = network_for(kind, topology, prepared.subject, where), None
            else:
                network, mounting = load_network(file, belongs_to), load_mounting(file, belongs_to)
            if mounting is not None:
                log.info("the same person with the same sensors: what is known of how they sit is kept")
            belongs_to["training"]["adapted_from"] = sha256(file)
            done.append(train_seed(people, settings, belongs_to, out, restart, network, progress, mounting))
    return Training(out, tuple(done), prepared=prepared)


def _refuse_unfit(study: Study, given: Path | None, out: Path) -> None:
    """Refuse networks that are not finished, or that the study cannot go on from."""
    if given is None:
        refuse_other_model(study.model.file, str(study.path))
        return
    for seed in study.training.seeds:
        require_seed(given, seed)
        checkpoint = ResultsFolder(given).checkpoint(seed)
        require_finished(checkpoint, read_outline(checkpoint))
    refuse_own_network(given, out)
