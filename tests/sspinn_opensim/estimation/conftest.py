"""A network that has learnt nothing but answers loudly, so that every number has something to say."""

import pytest
import torch


@pytest.fixture(scope="session")
def make_estimator(walker):
    """Return a function: kind of network to an estimator with random weights, outputs of the order of one."""
    from sspinn_opensim.training.estimator import PersonNetwork

    def make(kind):
        with torch.random.fork_rng():
            torch.manual_seed(5)
            estimator = PersonNetwork(walker.subject, walker.signals, kind=kind)
            with torch.no_grad():
                estimator.network.head[-1].weight *= 10
        return estimator.eval()

    return make


@pytest.fixture(scope="session")
def estimator(make_estimator):
    """Return the estimator with the network that is the default."""
    from sspinn_opensim.training.networks import DEFAULT

    return make_estimator(DEFAULT)
