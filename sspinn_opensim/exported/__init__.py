"""A trained network and its person's body as one ONNX file, and a runtime for it without torch and CasADi."""
