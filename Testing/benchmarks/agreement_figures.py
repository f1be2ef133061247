"""How often the second, place-free mask catches a wrong side, and how often it cries out falsely.

``python Testing/benchmarks/agreement_figures.py DATA --split Val``: for every slice of a set in LViT layout with lung
masks, the network is asked with the finding's name alone. Printed with the numbers of slices and patients:

- false alarms: the slice's own sentence is called contradicted in its side;
- caught: the sentence with its sides mirrored is, among slices whose true mask lies in one lung;
- true masks: agreement of the slice's own sentence with its true mask, measured the same way.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from LMISCore.checkpoints.store import load_checkpoint
from LMISCore.data.manifest import read_pairs
from LMISCore.data.slices import case_normalisers, read_slice
from LMISCore.evaluation.asking import Asker
from LMISCore.inference.agreement import CUT, MaskFacts, Verdict, compare, measure
from LMISCore.inference.landmarks import find_landmarks
from LMISCore.text.findings import Vocabulary
from LMISCore.text.places import mirror_sides
from LMISCore.text.prompts import asked_findings, place_free_prompt
from LMISCore.text.report import Sentence, parse_report
from LMISCore.volumes.orientation import Canonical


@dataclass(frozen=True)
class Case:
    """One slice: its sentence and what its masks measure."""

    patient: str
    sentence: Sentence
    mirrored: Sentence
    predicted: MaskFacts
    truth: MaskFacts
    one_lung: bool


def read_cases(data: Path, split: str, checkpoint: str | None, organ: bool, device: str) -> list[Case]:
    """Ask every slice of a split; ``organ`` takes midline and thirds from its lung mask instead of its body."""
    asker = Asker(load_checkpoint(checkpoint), device)
    vocabulary = Vocabulary.from_card(asker.card.vocabulary)
    pairs = read_pairs(data, split)
    fits = case_normalisers(pairs, asker.card.image["convention"])
    cases = []
    for pair in pairs:
        item = read_slice(pair)
        own, mirrored = (_sentence(asker.rule(text), vocabulary) for text in (pair.text, mirror_sides(pair.text)))
        canonical = Canonical(item.volume, plane="auto")
        lungs = None if item.lungs is None else canonical.to_native(item.lungs[None])
        marks = find_landmarks(canonical, lungs if organ else None)
        prepared = asker.prepare(item.volume, fits.get(pair.case))
        features = asker.features([prepared])
        (probability,) = asker.ask(features, [(0, place_free_prompt(asked_findings(own)[0]))])
        seen = prepared.frame.restore(probability.numpy()) >= CUT * asker.threshold
        predicted = measure(seen[None], marks, canonical, spacing_known=False)
        truth = measure(item.truth[None], marks, canonical, spacing_known=False)
        by_lungs = measure(item.truth[None], find_landmarks(canonical, lungs), canonical, spacing_known=False)
        one_lung = max(by_lungs.sides.values(), default=0.0) == 1.0
        cases.append(Case(pair.patient, own, mirrored, predicted, truth, one_lung))
    return cases


def figures(cases: Sequence[Case]) -> dict[str, Any]:
    """The figures as plain JSON values: numbers of slices, of patients, and shares."""
    sided = [case for case in cases if _sides(case.sentence)]
    one = [case for case in sided if case.one_lung and len(_sides(case.sentence)) == 1]
    return {
        "false_alarms_of_side": _share(sided, [_contradicts(case.sentence, case.predicted, "side") for case in sided]),
        "mirrored_side_caught": _share(one, [_contradicts(case.mirrored, case.predicted, "side") for case in one]),
        "nothing_seen": _share(sided, [case.predicted.voxels == 0 for case in sided]),
        "false_alarms_of_place": _share(
            cases, [_contradicts(case.sentence, case.predicted, "place") for case in cases]
        ),
        "true_masks_agree": _share(
            cases,
            [
                not _contradicts(c.sentence, c.truth, "side") and not _contradicts(c.sentence, c.truth, "place")
                for c in cases
            ],
        ),
    }


def _sentence(text: str, vocabulary: Vocabulary) -> Sentence:
    return next(iter(parse_report(text, vocabulary, "en").sentences))


def _sides(sentence: Sentence) -> frozenset[str]:
    return frozenset[str]().union(*(finding.side for finding in asked_findings(sentence)))


def _contradicts(sentence: Sentence, facts: MaskFacts, aspect: str) -> bool:
    compared = (compare(finding, facts, "") for finding in asked_findings(sentence))
    return any(one.name == aspect and one.verdict is Verdict.CONTRADICTS for each in compared for one in each.aspects)


def _share(cases: Sequence[Case], hits: Iterable[bool]) -> dict[str, Any]:
    found = list(hits)
    return {
        "share": round(float(np.mean(found)), 4) if found else None,
        "slices": len(found),
        "of_them": sum(found),
        "patients": len({case.patient for case in cases}),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder in LViT layout")
    parser.add_argument("--split", default="Val", choices=("Train", "Val", "Test"))
    parser.add_argument("--checkpoint", help="folder or .safetensors file (default: the bundled weights)")
    parser.add_argument(
        "--organ", action="store_true", help="midline and thirds from the lung masks, not from the body"
    )
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args(arguments)
    cases = read_cases(given.data, given.split, given.checkpoint, given.organ, given.device)
    print(
        json.dumps({"split": given.split, "landmarks": "lungs" if given.organ else "body", **figures(cases)}, indent=2)
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
