"""Run all sides in interleaved rounds on the same cores. `loadtest.result` builds the table from their samples."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Protocol

from loadtest.baselines import Interpreters, Pool
from loadtest.load_generator import MeasurementFailed
from loadtest.peers import PEERS
from loadtest.result import Result, build_rows
from loadtest.sample import Sample, WrongVerdict
from loadtest.sides import BARE, COMPILE_EACH, DOCKER_RUN, SANDBOX, HttpSide, SandboxDialect
from loadtest.spread import Spread
from loadtest.temporary_service import CpuMeter, TemporaryService, read_machine_cpu_s, read_steal_s
from loadtest.workloads import Workload, find_workload

COMPILED_WORKLOAD = "W3 cpp-10"
CURVE_CONCURRENCIES = (1, 2, 4, 8, 16, 32)
CURVE_SECONDS = 1.5
CURVE_ROUNDS = 3
MAX_STEAL_SHARE = 0.05  # of the CPU time of the machine; a round with more is run again
MAX_REPEATS = 2
MAX_REASON_CHARS = 200  # of the reason why a peer is left out

Say = Callable[[str], None]


class Side(Protocol):
    """A service or pool that gives verdicts."""

    name: str

    def run(self, workload: Workload, seconds: float, concurrency: int = 0) -> Sample: ...


@dataclass(frozen=True)
class Plan:
    """The settings of one benchmark run."""

    workloads: Sequence[Workload]
    rounds: int = 5
    seconds: float = 5.0
    url: str = ""
    peers: Mapping[str, str] = field(default_factory=dict)
    slots: int = 0
    python: str = "/usr/bin/python3"
    docker_run: bool = True
    curve: bool = True

    @property
    def cores(self) -> int:
        return self.slots or len(os.sched_getaffinity(0))

    @cached_property
    def numpy_python(self) -> str:
        """The first interpreter with numpy, for the bare side of W6; empty if there is none."""
        for python in (self.python, sys.executable):
            if not subprocess.run([python, "-c", "import numpy"], capture_output=True).returncode:
                return python
        return ""


def run(plan: Plan, say: Say) -> Result:
    """Run the whole benchmark. Raises WrongVerdict or MeasurementFailed."""
    with ExitStack() as stack:
        meter, sides = open_sides(plan, stack, say)
        left_out: list[str] = []
        able = {workload: warm_up_sides(workload, sides, plan, left_out, say) for workload in plan.workloads}
        samples: dict[tuple[str, str], list[Sample]] = defaultdict(list)
        for number in range(plan.rounds):
            for workload, its_sides in able.items():
                for side in rotate_sides(list(its_sides), number):
                    said = f"round {number + 1}/{plan.rounds}  {workload.name:<11} {side.name:<15}"
                    try:
                        sample = measure_round(side, workload, plan.seconds, meter)
                    except MeasurementFailed as failure:
                        if side.name not in PEERS:
                            raise
                        its_sides.remove(side)
                        left_out.append(f"{workload.name}: {side.name}: {str(failure)[:MAX_REASON_CHARS]}")
                        say(f"{said} {failure}")
                        continue
                    samples[workload.name, side.name].append(sample)
                    failed = f", {sample.wrong} wrong, {sample.lost} lost" if sample.wrong or sample.lost else ""
                    say(f"{said} {sample.rate:8.1f}/s{failed}")
        result = Result(describe_machine(plan), build_rows(samples), left_out)
        if plan.curve:
            result.curve = measure_curve(sides, min(CURVE_SECONDS, plan.seconds))
    return result


def open_sides(plan: Plan, stack: ExitStack, say: Say) -> tuple[CpuMeter, list[Side]]:
    """Start all sides and wait until they are ready. The sandbox comes first."""
    import docker

    from sandbox.box.docker.images import IMAGES, ensure_images

    client = docker.from_env()
    images = ensure_images(client, IMAGES, say)
    client.close()
    meter, url = CpuMeter(0, Path()), plan.url
    if not url:
        say(f"starting a service with {plan.cores} slots")
        service = stack.enter_context(TemporaryService(plan.cores))
        meter, url = service.meter, service.url
    sides: list[Side] = [HttpSide(SANDBOX, url, partial(SandboxDialect, slots=plan.cores), plan.cores)]
    peers = [HttpSide(name, peer, PEERS[name], plan.cores, may_fail=True) for name, peer in plan.peers.items()]
    for peer in peers:
        if not peer.run(replace(find_workload("W1 single"), programs=1), 1.0).verdicts:
            raise MeasurementFailed(f"{peer.name}: {peer.url} does not judge the simplest program right")
    sides += peers
    sides.append(
        stack.enter_context(Pool(BARE, plan.cores, Interpreters(plan.python, plan.numpy_python or plan.python)))
    )
    sides.append(stack.enter_context(Pool(COMPILE_EACH, plan.cores)))
    if plan.docker_run:
        sides.append(stack.enter_context(Pool(DOCKER_RUN, plan.cores, images=images)))
    return meter, sides


def can_run(side: Side, workload: Workload) -> bool:
    if side.name == COMPILE_EACH:
        return workload.name == COMPILED_WORKLOAD
    return workload.with_docker_run or side.name != DOCKER_RUN


def warm_up_sides(workload: Workload, sides: Sequence[Side], plan: Plan, left_out: list[str], say: Say) -> list[Side]:
    """Run a little of the workload on each side, so that no first run is measured; return the sides that can run it.

    A peer that gives no right verdict (because it lacks numpy, for example) is left out of this workload only.
    """
    if workload.family == "W6":
        reason = explain_missing_numpy(sides[0], plan)
        if reason:
            left_out.append(f"{workload.name}: {reason}")
            say(left_out[-1])
            return []
    say(f"warming up for {workload.name}")
    few = replace(workload, programs=2 * plan.cores, programs_per_core=0, batch=min(workload.batch, plan.cores))
    able = [side for side in sides if can_run(side, workload)]
    for side in [side for side in able if not isinstance(side, Pool)]:
        try:
            sample = side.run(few, 1.0)
            if not sample.verdicts:
                raise MeasurementFailed(f"{sample.wrong} wrong and {sample.lost} lost verdicts, and no right one")
        except (WrongVerdict, MeasurementFailed) as failure:
            if side.name not in PEERS:
                raise
            able.remove(side)
            reason = str(failure).splitlines()[0].removesuffix(", for")  # leave out the program
            left_out.append(f"{workload.name}: {side.name}: {reason[:MAX_REASON_CHARS]}")
            say(left_out[-1])
    return able


def explain_missing_numpy(side: Side, plan: Plan) -> str:
    """Return why W6 cannot be measured; empty if it can."""
    import httpx

    assert isinstance(side, HttpSide)
    if not plan.numpy_python:
        return f"the bare side needs numpy; get it with `{sys.executable} -m pip install numpy`"
    answer = httpx.post(f"{side.url}/execute", json={"language": "python", "code": "import numpy"}, timeout=60)
    if "ModuleNotFoundError" in answer.json().get("stderr", ""):
        return "numpy is not in the image"
    return ""


def rotate_sides(sides: Sequence[Side], number: int) -> list[Side]:
    """Rotate the sides, so that another one goes first in each round."""
    start = number % max(1, len(sides))
    return [*sides[start:], *sides[:start]]


def measure_round(side: Side, workload: Workload, seconds: float, meter: CpuMeter, concurrency: int = 0) -> Sample:
    """Run one round and measure the CPU time of all processes involved.

    If the hypervisor takes more than `MAX_STEAL_SHARE`, run the round again, at most `MAX_REPEATS` times. Return the
    round in which it took least.
    """
    best = _measure_once(side, workload, seconds, meter, concurrency)
    for _ in range(MAX_REPEATS):
        if best.steal_share <= MAX_STEAL_SHARE:
            break
        best = min(best, _measure_once(side, workload, seconds, meter, concurrency), key=lambda one: one.steal_share)
    return best


def _measure_once(side: Side, workload: Workload, seconds: float, meter: CpuMeter, concurrency: int) -> Sample:
    before = meter.read() if side.name == SANDBOX else {}
    began, machine_before, steal_before = time.monotonic(), read_machine_cpu_s(), read_steal_s()
    sample = side.run(workload, seconds, concurrency)
    if not sample.verdicts:
        raise MeasurementFailed(f"{side.name} gave no verdict on {workload.name}")
    sample.cpu_s["machine"] = read_machine_cpu_s() - machine_before
    sample.measured_s = time.monotonic() - began
    sample.steal_share = (read_steal_s() - steal_before) / sample.measured_s / (os.cpu_count() or 1)
    if before:
        after = meter.read()
        sample.cpu_s.update({kind: after[kind] - before[kind] for kind in before})
    return sample


def measure_curve(sides: Sequence[Side], seconds: float) -> dict[str, list[tuple[int, float]]]:
    """Measure the throughput of single tiny programs by concurrency, as medians of a few rounds. A pool never has more
    workers than cores.
    """
    tiny = find_workload("W1 single")
    rates: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for _ in range(CURVE_ROUNDS):
        for concurrency in CURVE_CONCURRENCIES:
            for side in sides:
                if side.name not in {DOCKER_RUN, COMPILE_EACH}:
                    rates[side.name][concurrency].append(side.run(tiny, seconds, concurrency).rate)
    return {
        side: [(at, Spread.from_values(found).median) for at, found in points.items()] for side, points in rates.items()
    }


def describe_machine(plan: Plan) -> dict[str, Any]:
    """Describe the machine and the plan that the figures come from."""
    model = [line.split(":", 1)[1].strip() for line in _read_lines("/proc/cpuinfo") if line.startswith("model name")]
    return {
        "cpu": model[0] if model else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "slots": plan.cores,
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "kernel": platform.release(),
        "cgroup": 2 if Path("/sys/fs/cgroup/cgroup.controllers").exists() else 1,
        "python": platform.python_version(),
        "bare_python": plan.python,
        "bare_numpy_python": "the benchmark's own" if plan.numpy_python == sys.executable else plan.numpy_python,
        "load_average": os.getloadavg(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "rounds": plan.rounds,
        "seconds": plan.seconds,
        "clock": time.get_clock_info("monotonic").implementation,
    }


def _read_lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
