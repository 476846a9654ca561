"""The benchmarks run and record their results. No duration is checked."""

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from needs import needs

needs("wasmtime", "wat")
pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]


def run(*arguments):
    command = [sys.executable, "-m", "benchmarks", *map(str, arguments)]
    paths = os.pathsep.join(filter(None, sys.path))  # the folders where this process finds wamr
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_a_quick_line_is_printed_kept_and_compared(tmp_path):
    kept = tmp_path / "run.json"
    first = run("--quick", "calls.callable", "--json", kept)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "add.callable(2, 3)" in first.stdout
    (line,) = json.loads(kept.read_text())["lines"]
    assert (line["key"], line["unit"], line["problem"]) == ("calls.callable", "s", "")
    assert 0 < line["results"]["wamr"]["best"] <= line["results"]["wamr"]["median"]

    second = run("--quick", "calls.callable", "--compare", kept)
    assert second.returncode == 0, second.stdout + second.stderr
    assert "before" in second.stdout
    assert " %" in second.stdout


def test_a_line_that_is_not_there_is_named():
    done = run("calls.nothing")
    assert done.returncode == 1
    assert "'calls.nothing'" in done.stderr


def test_sandboxes_are_measured_beside_each_other(tmp_path):
    kept = tmp_path / "run.json"
    command = [sys.executable, "-m", "benchmarks.sandboxes", "--quick", "wamr, JavaScript"]
    paths = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [*command, "pyeryx", "--json", kept],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads(kept.read_text())
    assert rows["wamr, JavaScript"].keys() == {"first", "fresh", "again", "memory"}
    assert all(value > 0 for value in rows["wamr, JavaScript"].values())
    assert isinstance(rows["pyeryx"], (dict, str))  # measured, or why not
    assert "wamr, JavaScript" in done.stdout
    unknown = subprocess.run(
        [*command, "nothing"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert unknown.returncode == 2
    assert "'nothing' is no sandbox" in unknown.stderr


# ------------------------------------------------------------------ the plot
SVG = "{http://www.w3.org/2000/svg}"
MACHINE = {"python": "P", "system": "S", "cores": 2, "processor": "", "versions": {"wamr": "1"}}


def line(title, results, unit="s", point=None, problem=""):
    best = {name: {"best": value, "median": value, "rounds": 1} for name, value in results.items()}
    return {"key": title, "title": title, "unit": unit, "results": best, "problem": problem} | {
        "point": point
    }


def drawn(*lines):
    from benchmarks import plot

    return ET.fromstring(plot.drawn({"machine": MACHINE, "lines": list(lines)}))


def tips(image):
    return [title.text for title in image.iter(f"{SVG}title")]


def words(image):
    return [text.text for text in image.iter(f"{SVG}text")]


def test_a_run_is_drawn(tmp_path):
    file = tmp_path / "run.svg"
    done = run("--quick", "calls.callable", "calls.armed", "--plot", file)
    assert done.returncode == 0, done.stdout + done.stderr
    image = ET.parse(file).getroot()
    assert any("times as fast as wasmtime-py" in tip for tip in tips(image))
    assert "add.callable(2, 3), held" in words(image)
    # The row has no other engine to compare with.
    assert "what a limit's timeout adds" not in words(image)


def test_how_many_times_as_fast_we_are_is_where_the_dot_is():
    image = drawn(
        line("slow <&>", {"wamr": 1.0, "pywasm3": 0.01}),
        line("fast", {"wamr": 1.0, "pywasm3": 100.0}),
        line("even", {"wamr": 3.0, "pywasm3": 3.0}),
        line("failed", {}, problem="Error"),
    )
    assert "slow <&>: 0.01 times as fast as pywasm3" in tips(image)
    assert "fast: 100 times as fast as pywasm3" in tips(image)
    assert "failed" not in words(image)
    places = {
        circle.find(f"{SVG}title").text.partition(":")[0]: float(circle.get("cx"))
        for circle in image.iter(f"{SVG}circle")
    }
    assert places["slow <&>"] < places["even"] < places["fast"]
    left, right = places["even"] - places["slow <&>"], places["fast"] - places["even"]
    assert left == pytest.approx(right, abs=0.2)


def test_points_of_a_curve_are_in_one_panel():
    image = drawn(
        *(
            line(f"p{x}", {"wamr": 1e-6 * x}, point={"curve": "all", "x": x, "axis": "functions"})
            for x in (1, 10, 100)
        ),
        line("q1", {"wamr": 5.0}, "B", point={"curve": "other", "x": 1, "axis": "functions"}),
    )
    first, second = image.iter(f"{SVG}polyline")
    places = [tuple(map(float, place.split(","))) for place in first.get("points").split()]
    assert len(places) == 3
    assert places[0][0] < places[1][0] < places[2][0]
    assert places[0][1] > places[1][1] > places[2][1]  # upward
    assert len(second.get("points").split()) == 1
    assert "wamr, 100 functions: 100 us" in tips(image)
    assert "wamr, 1 functions: 5.00 B" in tips(image)


def test_a_run_without_results_is_a_head_only():
    image = drawn(line("failed", {}, problem="Error"))
    assert words(image)[0] == "wamr and other engines"
    assert not list(image.iter(f"{SVG}circle"))


# ------------------------------------------------------------------ what is measured
@pytest.mark.parametrize("size", [1_000, 20_000, 300_000])
def test_generated_code_is_of_the_size_that_was_asked_for(size):
    import wamr
    from benchmarks import binaries

    binary = binaries.code(size)
    assert size * 0.9 < len(binary) <= size
    assert wamr.load(binary).exports.run(1, 2) == wamr.load(binaries.code(1_000)).exports.run(1, 2)


@pytest.mark.parametrize("shape", ["exports", "names", "imports", "globals", "types", "segments"])
def test_generated_modules_have_as_many_items_as_requested(shape):
    import wamr
    from benchmarks import binaries

    module = wamr.Module(wamr.Engine(), binaries.SHAPES[shape](300))
    have = {"exports": len(module.exports), "globals": len(module.exports)}
    have["imports"] = len(module.imports)
    assert have.get(shape, 300) == 300
    smaller = binaries.SHAPES[shape](100)
    assert len(binaries.SHAPES[shape](300)) > 2.5 * len(smaller)


def test_instances_are_counted_in_a_process_of_their_own():
    from benchmarks.scaling import live

    found = live("wamr", 3)
    assert found.keys() == {"make", "bytes", "call", "end"}
    assert all(value >= 0 for value in found.values())
    assert min(found["make"], found["call"]) > 0


def test_a_line_that_nobody_can_do_is_empty():
    from benchmarks.timing import QUICK, measure

    assert measure({}, QUICK) == {}


def test_tasks_of_a_cluster_are_measured_beside_plain_python():
    needs("distributed", "cluster")
    command = [sys.executable, "-m", "benchmarks.cluster", "here", "dask", "--tasks", "20"]
    done = subprocess.run(
        [*command, "--rounds", "1"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    assert [row[0] for row in rows] == ["µs", "here", "dask", "wasm"]
    assert rows[0][-3:] == ["nothing", "Python", "wasm"]
    assert all(float(figure) > 0 for row in rows[1:3] for figure in row[1:])


def test_the_picture_of_the_readme_is_drawn_from_the_picture_of_a_run():
    from benchmarks import figures

    whole = (ROOT / "docs" / "benchmarks.svg").read_text(encoding="utf-8")
    kept = (ROOT / "docs" / "figures.svg").read_text(encoding="utf-8")
    assert kept == figures.drawn(whole), "make pictures"
    readme = (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## ")[0]
    for figure in figures.figures(whole):
        assert f"{figure.ratio:.0f} times" in readme, figure
        assert figures.shown(figure.seconds) in readme, figure
        assert f"{figure.ratio:.0f} times as fast" in kept
