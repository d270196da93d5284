"""Program in OpenSim's process, and the jobs that every model can be asked: what it is, how it answers."""
