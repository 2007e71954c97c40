"""Turn verdicts into rewards: extract code from completions, read tests in many formats, and score verdicts."""
