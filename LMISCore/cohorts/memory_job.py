"""How much memory one worker will need, found by loading what it will load: the worker's task "memory"."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from LMISCore.errors import InputError
from LMISCore.inference.job_parts import Progress, check_alive
from LMISCore.inference.job_values import JobFromValues

if TYPE_CHECKING:
    from LMISCore.inference.warm import Predictors

# A report with more affirmed sentences than this is rare; each further one adds a byte a voxel.
SENTENCES = 10
# Bytes beside the file's own numbers that reading, turning and writing a volume take for each voxel, measured as the
# peak of the resident memory: see Testing/benchmarks/batch_benchmark.py.
VOXEL_BYTES = 8


@dataclass
class MemoryJob(JobFromValues):
    """What is to be planned for.

    Attributes:
        volumes: the largest ones, files or folders.
        checkpoint, device, precision, backend, batch_size, text_encoder, cache, probabilities: as in ``SegmentJob``.
    """

    volumes: tuple[str, ...] = ()
    checkpoint: str | None = None
    device: str = "auto"
    precision: str = "fp32"
    backend: str = "auto"
    batch_size: int | None = None
    text_encoder: str | None = None
    cache: str | None = None
    probabilities: bool = False


def run_memory_job(
    job: MemoryJob, progress: Progress | None = None, predictors: Predictors | None = None
) -> dict[str, Any]:
    """Load network and text encoder, and count what the largest volume adds.

    Returns:
        plain JSON values: "host" and "device" bytes that one worker needs (on a processor all is "host"), "free_host"
        and "free_device" (None where the system does not say), this worker counted as if it were not there,
        "device_name", and "voxels" of the largest volume.

    Raises:
        InputError: for a wrong checkpoint, device, precision or text encoder.
    """
    check_alive(progress, "loading the network")
    from LMISCore.inference.memory import free_bytes
    from LMISCore.inference.warm import Predictors

    predictor = (predictors or Predictors()).of(job)
    # Loads the text encoder, which every case needs.
    encoder = predictor.cache.encoder
    voxels, volume_bytes = max((_size(path) for path in job.volumes), default=(0, 0))
    estimate = predictor.estimate_memory((1, 1, voxels), SENTENCES, job.probabilities)
    batch = predictor.engine.batch_size
    on_host = predictor.engine.device.kind == "cpu"
    working = estimate.device - estimate.network
    resident = resident_bytes()
    free_host = free_bytes("cpu")
    return {
        "host": resident + volume_bytes + estimate.masks + estimate.probabilities + (working if on_host else 0),
        "device": 0 if on_host else estimate.device,
        "free_host": None if free_host is None else free_host + resident,
        "free_device": None if on_host else free_bytes(predictor.engine.device.name),
        "device_name": predictor.engine.device.name,
        "text_encoder": encoder.name,
        "batch_size": batch,
        "voxels": voxels,
    }


def resident_bytes() -> int:
    """Memory that this process holds now; where the system does not say, the most it ever held."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        pass
    try:
        import resource
    except ImportError:
        # Windows: what a process with torch and a small network was measured to hold on Linux.
        return 600_000_000
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _size(path: str) -> tuple[int, int]:
    """Voxels of a volume and bytes that working on it takes, from its header; (0, 0) where it cannot be read."""
    from LMISCore.volumes.files import GRID_SUFFIXES

    file = Path(path)
    try:
        if file.is_dir():
            # DICOM stores two bytes a voxel; a compressed series is told apart by no header of the folder's.
            voxels = sum(part.stat().st_size for part in file.rglob("*") if part.is_file()) // 2
            return voxels, voxels * (2 + VOXEL_BYTES)
        if file.name.lower().endswith(GRID_SUFFIXES):
            return _grid_size(file)
        voxels = file.stat().st_size
        return voxels, voxels * (1 + VOXEL_BYTES)
    except (OSError, InputError):
        return 0, 0


def _grid_size(path: Path) -> tuple[int, int]:
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        # Damaged: the case itself will say so.
        return 0, 0
    voxels = 1
    for count in reader.GetSize():
        voxels *= count
    bytes_each = reader.GetNumberOfComponents() * _BYTES.get(reader.GetPixelIDValue(), 8)
    return voxels, voxels * (bytes_each + VOXEL_BYTES)


# ITK's numbers for 8, 16 and 32 bits, signed and unsigned, and float32; everything else takes 8 bytes at most.
_BYTES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 8: 4}
