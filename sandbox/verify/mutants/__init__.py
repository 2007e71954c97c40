"""Mutants: programs that differ from a right one by one small change. One module per mutation operator."""
