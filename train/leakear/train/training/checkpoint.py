"""The checkpoint from which an interrupted training continues with the same result: one file, replaced atomically."""

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from leakear.edge import files
from leakear.edge.errors import InputDataError
from leakear.train.arrays import DAMAGED, reason

FILE = "checkpoint.npz"


def save(folder: Path, variables: Sequence[Any], state: dict[str, Any]) -> None:
    """Write all variables (network, optimiser, random states) and the state."""
    write(folder / FILE, variables, state=np.array(json.dumps(state)))


def write(path: Path, variables: Sequence[Any], **others: npt.NDArray[Any]) -> None:
    """Write arrays as v0, v1, … of a NumPy archive, whole or not at all."""
    with files.replacing(path) as part, zipfile.ZipFile(part, "w") as archive:
        # one variable at a time: savez would hold a copy of all of them
        for name, array in others.items():
            _add(archive, name, array)
        for number, variable in enumerate(variables):
            _add(archive, f"v{number}", np.asarray(variable))


def read(path: Path) -> list[npt.NDArray[Any]]:
    """Read what `write` wrote. InputDataError when it is damaged."""
    try:
        with np.load(path) as arrays:
            return [arrays[f"v{number}"] for number in range(len(arrays.files))]
    except DAMAGED as error:
        raise InputDataError(f"{path} is damaged ({reason(error)}): give --fresh to start again") from error


def _add(archive: zipfile.ZipFile, name: str, array: npt.NDArray[Any]) -> None:
    with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
        np.lib.format.write_array(file, array, allow_pickle=False)


def restore(folder: Path, variables: Sequence[Any], signature: str) -> dict[str, Any] | None:
    """Load the variables and return the state; None when there is no checkpoint.

    InputDataError when the checkpoint belongs to a run of another `signature`, or is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        with np.load(path) as arrays:
            state: dict[str, Any] = json.loads(str(arrays["state"]))
            if state["signature"] != signature:
                raise InputDataError(
                    f"{folder} holds an interrupted run of other recordings or options: "
                    "give another --output, or --fresh to start again there"
                )
            for number, variable in enumerate(variables):
                variable.assign(arrays[f"v{number}"])
    except DAMAGED as error:
        if isinstance(error, InputDataError):
            raise
        raise InputDataError(f"{path} is damaged ({reason(error)}): give --fresh to start again") from error
    return state
