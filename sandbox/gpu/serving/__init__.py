"""Generation jobs: vLLM servers, their completions, and the verdicts on these."""
