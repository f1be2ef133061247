"""Annotate in Slicer, train on it: what the module saves becomes sentence-mask pairs that a training takes."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
import pytest
import slicer.util
from binding_makers import mask_of, record, script
from session import SlicerSession

from LanguageSegmentLib.binding import bind, createReportNode, putSegments, sentencesOf
from LMISCore.cli.main import main
from LMISCore.data.check import check_data
from LMISCore.data.manifest import read_pairs
from LMISCore.data.slices import read_slice
from LMISCore.training.recipe import load_recipe
from LMISCore.training.trainer import train

TEXT = "FINDINGS: Infection in the lower zone of the left lung. Infection in the right lung. No effusion.\n"
SENT = ["Infection in the left lung.", "Infection in the right lung."]
SHAPE = (6, 32, 32)
RECIPE = """
name: annotated
data: {{source: '{source}'}}
network: {{options: {{width: 4}}}}
text: {{encoder: '{encoder}'}}
image: {{size: [32, 32], convention: lung, plane: axial}}
pairs: {{names: [infection]}}
training: {{steps: 2, batch: 2, validate_every: 2, precision: fp32, warmup: 0}}
card: {{findings: {{infection: []}}}}
"""


def blob(first: int, column: int) -> np.ndarray:
    mask = np.zeros(SHAPE, dtype=bool)
    mask[first : first + 2, 10:20, column : column + 8] = True
    return mask


def annotate(session: SlicerSession, folder: Path, axes: np.ndarray | None) -> list[np.ndarray]:
    """Put two sentences' segments, correct the second by hand, save the scene; returns the masks (K, J, I)."""
    volume = session.volume(SHAPE, axes)
    values = np.random.default_rng(len(folder.name)).integers(-900, 400, SHAPE).astype(np.int16)
    slicer.util.updateVolumeFromArray(volume, values)
    report = createReportNode(TEXT)
    segmentation = session.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Segments")
    bind(segmentation, report)
    keys = [sentence.key for sentence in sentencesOf(report)]
    ids = putSegments(segmentation, volume, [record(keys[0], blob(0, 4)), record(keys[1], blob(3, 18))])
    corrected = blob(3, 17)
    script(segmentation, str(ids[1]), volume, corrected)
    masks = [mask_of(segmentation, str(each), volume) for each in ids]
    assert np.array_equal(masks[1], corrected)
    session.save(folder / "scene.mrml")
    session.scene.Clear(False)
    return masks


@pytest.mark.parametrize("axes", [None, np.diag([-1.0, -1, 1]), np.diag([1.0, 1, -1])], ids=["RAS", "LPS", "IS"])
def test_segments_saved_by_the_module_become_pairs_and_are_trained_on(
    slicer_session: SlicerSession, tmp_path: Path, axes: np.ndarray | None
) -> None:
    masks = [annotate(slicer_session, tmp_path / "saved" / name, axes) for name in ("anna", "ben")]
    assert main(["data", "import", str(tmp_path / "saved"), str(tmp_path / "set"), "--empty", "0"]) == 0
    manifest = tmp_path / "set" / "manifest.csv"
    assert main(["data", "split", str(manifest), "--shares", "0.5", "0.5", "0"]) == 0
    assert check_data(manifest).stopping == []
    with manifest.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 8 and {row["patient"]: row["split"] for row in rows}.keys() == {"anna", "ben"}
    pairs = [pair for split in ("Train", "Val") for pair in read_pairs(manifest, split)]
    assert sorted({pair.text for pair in pairs}) == SENT
    for number, text in enumerate(SENT):
        sizes = [np.count_nonzero(read_slice(pair).truth) for pair in pairs if pair.text == text]
        assert sum(sizes) == 2 * np.count_nonzero(masks[0][number]) and min(sizes) > 0
    assert {(row["text"], row["origin"]) for row in rows} == {
        (SENT[0], "as the network made it"),
        (SENT[1], "edited by hand"),
    }
    _train_two_steps(manifest, tmp_path)


def _train_two_steps(manifest: Path, tmp_path: Path) -> None:
    core = Path(__file__).resolve().parents[1] / "core"
    if str(core) not in sys.path:
        sys.path.append(str(core))
    from tiny_checkpoint import save_tiny_encoder

    encoder = save_tiny_encoder(tmp_path / "encoder")
    path = tmp_path / "annotated.yaml"
    path.write_text(RECIPE.format(source=manifest, encoder=encoder), encoding="utf-8")
    result = train(load_recipe(path), tmp_path / "run", "cpu")
    assert result.steps == 2 and result.checkpoint.is_file()
