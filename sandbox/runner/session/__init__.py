"""The code inside a session's box: a supervisor, and branches that keep their state between calls."""
