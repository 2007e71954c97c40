"""Import problem packages of ICPC and Kattis, in the legacy format and in the format of 2025-09."""
