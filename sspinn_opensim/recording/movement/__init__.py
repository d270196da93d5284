"""Movement of the person, told by the sensors alone: phases, speed of the feet, the sagittal plane."""
