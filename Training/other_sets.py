"""Other sets from their files to their figures: chest X-rays, brain volumes with 3-D masks, and one chest CT volume.

    python Training/other_sets.py chest_xray|brain_flair|chest_ct_volume --data FOLDER

FOLDER holds covid_cxr_opacity and volumes_3d. The recipe is Training/sets/NAME.yaml, the checkpoint goes to
runs/other_sets/NAME (an interrupted run goes on there), figures and plot to Training/sets/, and the page
Training/RESULTS_other_sets.md is written anew from the figures of all sets. The CT volume is measured with the bundled
weights. A look at a Test split is added to Training/sets/test_runs.jsonl.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from LMISCore.atomic import write_json
from LMISCore.errors import InputError, LMISError
from Training.other_sets_page import FOLDER, figures_of, write_page

PATIENTS = {"ms_patient19": "Train", "ms_patient07": "Val"}


@dataclass(frozen=True)
class OtherSet:
    """How one set is had and what it is measured on.

    Attributes:
        prepare: called with the folder of data and one to work in, gives what ``lmis train`` takes.
        split: that the figures are of.
        trains: by a recipe of its own; else the bundled weights are measured.
    """

    prepare: Callable[[Path, Path], Path]
    split: str
    trains: bool = True


def xrays(data: Path, work: Path) -> Path:
    """The folder as it is."""
    return data / "covid_cxr_opacity"


def brain_volumes(data: Path, work: Path) -> Path:
    """Two patients' FLAIR volumes with their masks and reports: all slices of the brain, split by patient."""
    files: dict[str, tuple[str, str | None]] = {patient: (f"{patient}_FLAIR.nii.gz", None) for patient in PATIENTS}
    return import_scans(data / "volumes_3d", work, files, PATIENTS)


def chest_volume(data: Path, work: Path) -> Path:
    """One patient's chest CT with lesions and lungs, whom the bundled weights have not seen: a patient of Test."""
    name = "coronacases_008"
    files: dict[str, tuple[str, str | None]] = {name: (f"{name}_ct8bit.nii.gz", f"{name}_lungs.nii.gz")}
    return import_scans(data / "volumes_3d", work, files, {name: "Test"})


def import_scans(source: Path, work: Path, files: dict[str, tuple[str, str | None]], splits: dict[str, str]) -> Path:
    """Lay volumes out as ``lmis data import`` takes them, cut them into slices and give each patient a split.

    Args:
        source: folder with volumes.csv.
        work: folder to write into; what an earlier run left is replaced.
        files: by patient, the volume and its lung mask; volumes.csv names mask and report.
        splits: by patient.

    Raises:
        InputError: if a volume is not in volumes.csv or cannot be read.
    """
    from LMISCore.data.manifest_files import read_manifest, write_manifest
    from LMISCore.data.volume_import import import_volumes
    from LMISCore.volumes.files import read_volume

    scans, out = work / "scans", work / "slices"
    if not (source / "volumes.csv").is_file():
        raise InputError(f"There is no {source / 'volumes.csv'}; give the folder that holds volumes_3d.")
    with (source / "volumes.csv").open(encoding="utf-8", newline="") as stream:
        rows = {row["Image"]: row for row in csv.DictReader(stream)}
    shutil.rmtree(scans, ignore_errors=True)
    shutil.rmtree(out, ignore_errors=True)
    for patient, (image, lungs) in files.items():
        if image not in rows:
            raise InputError(f"{source / 'volumes.csv'} has no row {image}; give the whole folder volumes_3d.")
        row, folder = rows[image], scans / patient
        folder.mkdir(parents=True)
        shutil.copyfile(source / image, folder / image.removeprefix(f"{patient}_"))
        shutil.copyfile(source / row["Mask"], folder / "lesions_mask.nii.gz")
        if lungs is not None:
            shutil.copyfile(source / lungs, folder / "lungs.nii.gz")
        (folder / "report.txt").write_text(row["Description"] + "\n", encoding="utf-8")
    # As many empty slices for each one with a lesion as a volume can have: all of them.
    found = import_volumes(scans, out, empty=1000.0)
    manifest = read_manifest(found.manifest)
    for record in manifest.records.values():
        record["split"] = splits[str(record["patient"])]
    # Black slices above and below a head are the same picture in all patients.
    seen = [each for each in manifest.records.values() if read_volume(out / str(each["image"])).array.any()]
    write_manifest(found.manifest, seen, manifest.columns)
    return found.manifest


SETS = {
    "chest_xray": OtherSet(xrays, "Test"),
    "brain_flair": OtherSet(brain_volumes, "Val"),
    "chest_ct_volume": OtherSet(chest_volume, "Test", trains=False),
}


def run(name: str, data: Path, work: Path) -> dict[str, Any]:
    """Prepare, train, measure and write figures, plot and page.

    Raises:
        InputError: if the data are not there or not as expected.
    """
    from LMISCore.evaluation.evaluate import evaluate
    from LMISCore.evaluation.plots import listening_plot, save
    from LMISCore.training.recipe import load_recipe
    from LMISCore.training.trainer import TrainingResult, train

    chosen = SETS[name]
    source = chosen.prepare(data, work / name)
    trained: TrainingResult | None = None
    if chosen.trains:
        trained = train(load_recipe(FOLDER / f"{name}.yaml", [f"data.source={source}"]), work / name / "run")
    checkpoint = None if trained is None else trained.checkpoint
    result = evaluate(checkpoint, source, chosen.split, robustness=False, log=FOLDER / "test_runs.jsonl")
    figures = figures_of(result, trained)
    write_json(FOLDER / f"{name}.json", figures)
    save(listening_plot(result), FOLDER / f"{name}.png")
    write_page([each for each in SETS if (FOLDER / f"{each}.json").is_file()])
    return figures


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("name", metavar="SET", choices=sorted(SETS), help=" or ".join(SETS))
    parser.add_argument("--data", metavar="FOLDER", type=Path, required=True, help="holds the sets")
    parser.add_argument("--work", metavar="FOLDER", type=Path, default=Path("runs/other_sets"), help="for checkpoints")
    options = parser.parse_args(arguments)
    try:
        figures = run(options.name, options.data, options.work)
    except LMISError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{options.name}: {figures['rows'][0]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
