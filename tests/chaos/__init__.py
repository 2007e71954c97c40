"""Inject faults into a running service under steady load, and check that it recovers."""
