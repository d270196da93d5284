"""OpenSim in a process of its own: started, limited, watched, its outputs checked."""
