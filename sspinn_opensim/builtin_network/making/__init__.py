"""Making of the network that is shipped: walkers and runners of our own, their sensors, the training."""
