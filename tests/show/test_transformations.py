"""The package of transformations: it is whole, its wheel is the same bytes, and its own tests run on local Spark."""

from __future__ import annotations

import ast
import base64
import csv
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from dataplatform.cli import dp
from dataplatform.local.errors import UsageError
from dataplatform.show.transformations import build_wheel, new_package

ROOT = Path(__file__).resolve().parents[2]
SPARK = ROOT / ".venvs/spark/bin/python"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: data-platform\nruntime: python\n")
    return tmp_path


def run(root: Path, *arguments: str) -> Result:
    return CliRunner().invoke(dp, ["--root", str(root), *arguments], standalone_mode=False)


def test_a_new_package_is_whole(root: Path) -> None:
    result = run(root, "new", "transformations", "parking")
    assert result.return_value == 0, result.output
    folder = root / "transformations/parking"
    files = [path for path in folder.rglob("*") if path.is_file()]
    names = {path.relative_to(folder).as_posix() for path in files}
    assert {"src/parking/standardize.py", "src/parking/expectations.yaml", "notebooks/standardize.py"} <= names
    for path in files:
        assert "PACKAGE" not in path.read_text("utf-8")
        if path.suffix == ".py":
            ast.parse(path.read_text("utf-8"))
            assert all(len(line) <= 120 for line in path.read_text("utf-8").splitlines()), path
    told = yaml.safe_load((folder / "src/parking/expectations.yaml").read_text("utf-8"))
    assert set(told["values"]) <= set(told["columns"])


def test_the_notebook_only_calls_the_package(root: Path) -> None:
    new_package(root, "parking")
    tree = ast.parse((root / "transformations/parking/notebooks/standardize.py").read_text("utf-8"))
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda)]
    called = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert "standardize" in called


@pytest.mark.parametrize("name", ["Parking", "1st", "a-b", "class", "../x", "a b", ""])
def test_a_name_that_python_could_not_import_is_refused(root: Path, name: str) -> None:
    result = run(root, "new", "transformations", name)
    assert result.return_value == 64
    assert not (root / "transformations").exists()


def test_nothing_is_overwritten(root: Path) -> None:
    assert run(root, "new", "transformations", "parking").return_value == 0
    result = run(root, "new", "transformations", "parking")
    assert result.return_value == 1
    assert "there is transformations/parking already" in result.output


def test_the_same_files_and_release_give_the_same_wheel(root: Path, tmp_path: Path) -> None:
    new_package(root, "parking")
    new_package(tmp_path / "elsewhere", "parking")
    one, two = root / "transformations/parking", tmp_path / "elsewhere/transformations/parking"
    for path in two.rglob("*"):
        os.utime(path, (1, 1))
    (two / "src/parking/__pycache__").mkdir()
    (two / "src/parking/__pycache__/x.cpython-311.pyc").write_bytes(b"x")
    assert build_wheel(one, "1.4.0") == build_wheel(two, "1.4.0")
    assert build_wheel(one, "1.4.1")[1] != build_wheel(one, "1.4.0")[1]
    (two / "src/parking/standardize.py").write_text("# changed\n")
    assert build_wheel(one, "1.4.0")[1] != build_wheel(two, "1.4.0")[1]


def test_the_wheel_is_one_that_python_can_use(root: Path, tmp_path: Path) -> None:
    new_package(root, "parking")
    result = run(root, "wheel", "transformations/parking", "--release", "1.4.0", "--out", str(tmp_path / "dist"))
    assert result.return_value == 0, result.output
    file = tmp_path / "dist/parking-1.4.0-py3-none-any.whl"
    with zipfile.ZipFile(file) as wheel:
        names = wheel.namelist()
        record = list(csv.reader(wheel.read("parking-1.4.0.dist-info/RECORD").decode().splitlines()))
        assert [row[0] for row in record] == names
        for path, digest, size in record[:-1]:
            data = wheel.read(path)
            assert int(size) == len(data)
            assert digest == "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    assert "parking/expectations.yaml" in names
    # Python imports from the wheel itself, and knows its version.
    code = "import parking, importlib.metadata as m; print(parking.RELEASE, m.requires('parking'))"
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(file)}, capture_output=True, text=True)
    assert done.stdout == "1.4.0 ['pyyaml>=6']\n", done.stderr


@pytest.mark.parametrize("release", ["", "main", "1.4.0-dirty hack", "v1", "../1"])
def test_a_release_that_is_no_version_is_refused(root: Path, release: str) -> None:
    new_package(root, "parking")
    with pytest.raises(UsageError, match="is no version of a wheel"):
        build_wheel(root / "transformations/parking", release)


def test_a_folder_without_a_package_is_refused(root: Path) -> None:
    (root / "empty").mkdir()
    with pytest.raises(UsageError, match=r"src/empty/__init__\.py is missing"):
        build_wheel(root / "empty", "1.0.0")


def require_spark() -> None:
    """Skip where Java is missing, saying so; in CI that is a failure."""
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        if os.environ.get("CI") == "true":
            pytest.fail("the tests of marker spark cannot run: there is no Java on PATH")
        pytest.skip("the tests of marker spark are left out: there is no Java on PATH")


@pytest.mark.spark
def test_its_own_tests_run_on_local_spark(root: Path) -> None:
    require_spark()
    new_package(root, "parking")
    folder = root / "transformations/parking"
    environment = {
        **os.environ,
        "PYSPARK_PYTHON": str(SPARK),
        "PYTHONDONTWRITEBYTECODE": "1",
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    done = subprocess.run(
        [str(SPARK), "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "passed" in done.stdout
