"""Two runs of a program that draws random numbers differ, as two runs of `python3 main.py` do."""

from __future__ import annotations

import json

import pytest

from sandbox import languages
from sandbox.box.box import Box
from sandbox.runner.contract import Limits, Run

DRAWS = {
    "random": "import random\nprint(random.random())",
    "random_in_a_function": "from random import getrandbits\ndef f():\n    return getrandbits(64)\nprint(f())",
    "shuffle": "import random\nx = list(range(100))\nrandom.shuffle(x)\nprint(x)",
    "gauss": "import random\nprint(random.gauss(0, 1), random.gauss(0, 1))",
    "statistics": "import statistics\nprint(statistics.NormalDist().samples(3))",
    "uuid1_clock": "import uuid\nprint(uuid.uuid1().clock_seq, uuid.uuid1().node, uuid.uuid4())",
    "uuid4": "import uuid\nprint(uuid.uuid4())",
    "secrets": "import secrets\nprint(secrets.token_hex(16))",
    "tempfile": "import tempfile\nprint(tempfile.mkdtemp())",
    "new_generator": "import random\nprint(random.Random().random())",
    "imported_by_name": "print(__import__('rand' + 'om').random())",
    "file_left_open": "import random\nf = open('x', 'w')\nprint(random.random())",
    "multiprocessing_key": "import multiprocessing\nprint(bytes(multiprocessing.current_process().authkey))",
    "numpy": "import numpy as np\nprint(np.random.rand(2))",
    "numpy_generator": "import numpy as np\nprint(np.random.default_rng().random())",
    "numpy_without_its_random": "import numpy\nimport random\nprint(random.random())",
    "scipy": "from scipy import stats\nprint(stats.norm.rvs(size=2))",
    "pandas": "import pandas as pd\nprint(pd.Series(range(1000)).sample(5).tolist())",
    "sympy": "from sympy.core.random import rng\nprint(rng.random())",
    "sympy_random_integers": "from sympy import randMatrix\nprint(randMatrix(4))",
    "networkx": "import networkx as nx\nprint(sorted(nx.gnp_random_graph(30, 0.5).edges))",
    "networkx_numpy": "import networkx as nx\nprint(nx.spring_layout(nx.path_graph(3)))",
}
SEEDED = {
    "random": "import random\nrandom.seed(7)\nprint(random.random(), random.gauss(0, 1))",
    "numpy": "import numpy as np\nnp.random.seed(7)\nprint(np.random.rand(2), np.random.randn(2))",
    "own_generator": "import random\nprint(random.Random(5).random())",
    "hash_of_text": "print(hash('text'), {'a', 'b', 'c', 'd'})",
}
LIMITS = Limits(cpu_time_s=20.0, wall_time_s=40.0, memory_mb=1_024)


def _collect_outputs(box: Box, source: str, runs: int) -> list[bytes]:
    box.load(languages.get_language("python").build_program(source))
    outcomes = [box.run(Run(limits=LIMITS)) for _ in range(runs)]
    assert all(outcome.ended_well for outcome in outcomes), outcomes[0].stderr.decode()
    return [outcome.stdout for outcome in outcomes]


@pytest.mark.parametrize("name", DRAWS)
def test_two_runs_draw_different_values(name: str, box: Box) -> None:
    outputs = _collect_outputs(box, DRAWS[name], 3)
    assert len(set(outputs)) == len(outputs), outputs


@pytest.mark.parametrize("name", SEEDED)
def test_a_seeded_generator_draws_the_same_in_each_run(name: str, box: Box) -> None:
    assert len(set(_collect_outputs(box, SEEDED[name], 2))) == 1


@pytest.mark.parametrize("module", ["random", "numpy.random", "sympy.core.random"])
def test_two_calls_of_a_function_draw_different_numbers(module: str, box: Box) -> None:
    draw = {"random": "random", "numpy.random": "rand", "sympy.core.random": "rng.random"}[module]
    root = module.partition(".")[0]
    box.load(
        languages.get_language("python").build_program(
            f"import {root}\nimport {module}\ndef f():\n    return {module}.{draw}()"
        )
    )
    call = json.dumps({"name": "f", "args": [], "kwargs": {}}).encode() + b"\n"
    answers = [box.call(call, LIMITS).answers for _ in range(3)]
    assert all(b'"value"' in answer for answer in answers), answers
    assert len(set(answers)) == len(answers)
