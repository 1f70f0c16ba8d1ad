"""The files of examples/cluster, as far as they can be checked without SLURM and Kubernetes."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

EXAMPLES = Path(__file__).parents[3] / "examples" / "cluster"
CRD = "operator/deployment/helm/dask-kubernetes-operator/crds/daskjob.yaml"


def test_slurm_jobs_start_workers_of_one_thread() -> None:
    pytest.importorskip("dask_jobqueue", reason="dask-jobqueue is not installed")
    words = [sys.executable, EXAMPLES / "slurm.py", "--render", "--processes", "3", "--partition", "compute"]
    script = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    assert "#SBATCH -p compute" in script
    assert "--nthreads 1 " in script
    assert "--nworkers 3 " in script
    assert sys.executable in script


def test_kubernetes_has_one_image_one_thread_and_a_shared_folder() -> None:
    spec = _manifest()["spec"]
    pods = [
        spec["job"]["spec"],
        spec["cluster"]["spec"]["scheduler"]["spec"],
        spec["cluster"]["spec"]["worker"]["spec"],
    ]
    assert {container["image"] for pod in pods for container in pod["containers"]} == {"IMAGE"}
    worker = pods[2]["containers"][0]
    assert worker["args"][worker["args"].index("--nthreads") + 1] == "1"
    assert pods[0]["volumes"] == pods[2]["volumes"]
    assert "/shared/" in pods[0]["containers"][0]["args"][0]


def test_kubernetes_keeps_to_the_operators_schema() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    found = importlib.util.find_spec("dask_kubernetes")
    if found is None or not found.submodule_search_locations:
        pytest.skip("dask-kubernetes, which holds the schema, is not installed")
    crd = yaml.load((Path(found.submodule_search_locations[0]) / CRD).read_text(), yaml.CSafeLoader)
    version = next(version for version in crd["spec"]["versions"] if version["name"] == "v1")
    schema = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    jsonschema.validate(_manifest()["spec"], _closed(schema))


def _manifest() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((EXAMPLES / "kubernetes.yaml").read_text(encoding="utf-8"))
    return found


def _closed(schema: Any) -> Any:
    """Return the schema without room for fields that it does not know: Kubernetes would drop them silently."""
    if isinstance(schema, list):
        return [_closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    changed = {key: _closed(part) for key, part in schema.items() if not (key == "default" and part is None)}
    free = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema
    if isinstance(schema.get("properties"), dict) and not free:
        changed["additionalProperties"] = False
    return changed
