"""A network that has learnt nothing but answers loudly, so that every number has something to say."""

import pytest
import torch


@pytest.fixture(scope="session")
def estimator(walker):
    """Return an estimator with random weights whose outputs are of the order of one."""
    from sspinn_opensim.training.trainer import Estimator

    with torch.random.fork_rng():
        torch.manual_seed(5)
        estimator = Estimator(walker.subject, walker.signals)
        with torch.no_grad():
            estimator.network.head[-1].weight *= 10
    return estimator.eval()
