"""Tapes as machine code, through LLVM."""
