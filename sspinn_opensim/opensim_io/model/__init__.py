"""The `.osim` file itself: facts of it, contact, IMU frames, shoes, muscle laws, fitted paths."""
