"""Every language of the table, tested in real boxes."""
