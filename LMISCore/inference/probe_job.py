"""Which device would compute, found by computing: what the worker's task "probe" runs before anything is segmented."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from LMISCore.inference.job_parts import Progress, check_alive
from LMISCore.inference.job_values import JobFromValues


@dataclass
class ProbeJob(JobFromValues):
    """What is to be tried.

    Attributes:
        device: auto, cpu, cuda, cuda:N, mps.
        precision: fp32, bf16, auto.
    """

    device: str = "auto"
    precision: str = "fp32"


def run_probe_job(job: ProbeJob, progress: Progress | None = None) -> dict[str, Any]:
    """Run a small kernel on the device that a segmentation with these settings would take.

    Returns:
        plain JSON values: "device" and "precision", each {"name", "reason"} as in a result's provenance, and "torch",
        the version.

    Raises:
        InputError: for an unknown device, or a named one that does not run.
        Cancelled: if ``progress`` said False.
    """
    check_alive(progress, "trying the device")
    # Imported late: a cancel before it is answered without the seconds that torch takes to load.
    import torch

    from LMISCore.inference.devices import choose_device, choose_precision

    device = choose_device(job.device)
    precision = choose_precision(job.precision, device.name)
    return {
        "device": {"name": device.name, "reason": device.reason},
        "precision": {"name": precision.name, "reason": precision.reason},
        "torch": torch.__version__,
    }
