"""The verdict on a training: how well its network fits the recording, held against good recordings."""
