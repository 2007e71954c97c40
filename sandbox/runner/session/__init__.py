"""The inside of a session's box: a supervisor, and branches that keep their state between calls."""
