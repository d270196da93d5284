"""What runs inside the process of OpenSim; nothing else may import it."""
