"""OpenSim's inverse dynamics and joint reactions on the files of a folder."""
