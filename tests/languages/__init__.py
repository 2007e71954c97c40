"""Every language of the table, run for real."""
