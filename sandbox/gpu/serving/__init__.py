"""Generation jobs: the vLLM server, its completions, and their verdicts."""
