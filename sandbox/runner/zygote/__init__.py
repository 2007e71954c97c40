"""The warm interpreter that forks one confined child per run."""
