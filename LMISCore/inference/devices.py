"""Which device and which arithmetic: chosen by trying, with the reason as a sentence for the user."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from LMISCore.errors import InputError

DEVICE_NAMES = "auto, cpu, cuda, cuda:N or mps"
PRECISIONS = ("fp32", "bf16", "auto")


@dataclass(frozen=True)
class DeviceChoice:
    """A usable device and why it was taken."""

    name: str
    reason: str

    @property
    def device(self) -> torch.device:
        """The same for PyTorch."""
        return torch.device(self.name)

    @property
    def kind(self) -> str:
        """The name without a number: cpu, cuda or mps."""
        return self.name.partition(":")[0]


@dataclass(frozen=True)
class PrecisionChoice:
    """``dtype`` None means plain float32, else the type given to autocast."""

    name: str
    dtype: torch.dtype | None
    reason: str


def kernel_failure(name: str) -> str | None:
    """Run a 3x3 convolution on the device and compare it with its known result; None if it is right.

    A driver that is listed may still lack kernels for the card, or hold no free memory, so listing is not enough.
    """
    try:
        image = torch.ones(1, 1, 8, 8, device=name)
        weight = torch.ones(1, 1, 3, 3, device=name)
        found = torch.nn.functional.conv2d(image, weight).sum().item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        return _first_line(error)
    return None if found == 36 * 9.0 else f"a 3x3 convolution gave {found} instead of 324"


def choose_device(name: str = "auto") -> DeviceChoice:
    """Return cuda if a small kernel really runs, else mps, else cpu; or the named device if it runs.

    Raises:
        InputError: for an unknown name, or a named device that does not run.
    """
    if name == "auto":
        return _automatic()
    try:
        kind = torch.device(name).type
    except RuntimeError:
        kind = ""
    if kind not in ("cpu", "cuda", "mps"):
        raise InputError(f"The device {name!r} is unknown; choose {DEVICE_NAMES}.")
    failure = _failure(name)
    if failure:
        raise InputError(f"The device {name} was asked for but does not run ({failure}); choose auto or cpu.")
    return DeviceChoice(name, f"{_describe(name)}, as asked.")


def _automatic() -> DeviceChoice:
    tried = []
    for name in ("cuda", "mps"):
        failure = _failure(name)
        if failure is None:
            return DeviceChoice(name, f"{_describe(name)}: a test kernel ran on it.")
        tried.append(f"{name}: {failure}")
    return DeviceChoice("cpu", f"{_describe('cpu')}, as no accelerator runs ({'; '.join(tried)}).")


def _failure(name: str) -> str | None:
    kind = torch.device(name).type
    if kind == "cuda" and not torch.cuda.is_available():
        return "this PyTorch has no CUDA" if torch.version.cuda is None else "no CUDA device was found"
    if kind == "mps" and not torch.backends.mps.is_available():
        return "not an Apple GPU" if torch.backends.mps.is_built() else "this PyTorch has no MPS"
    return kernel_failure(name)


def _describe(name: str) -> str:
    device = torch.device(name)
    if device.type == "cuda":
        return f"{name} ({torch.cuda.get_device_name(device)})"
    if device.type == "mps":
        return "mps (Apple GPU)"
    threads = torch.get_num_threads()
    return f"cpu ({threads} thread{'s' * (threads != 1)})"


def choose_precision(name: str, device: str) -> PrecisionChoice:
    """Return the arithmetic for ``name`` in ``PRECISIONS`` on a device.

    fp32 is the default elsewhere because masks then agree between machines to within rounding. bf16 moves
    probabilities by up to about 0.01; "auto" takes it only where the hardware multiplies in bfloat16.

    Raises:
        InputError: for an unknown name, or bf16 where the device lacks it.
    """
    if name not in PRECISIONS:
        raise InputError(f"The precision {name!r} is unknown; choose {', '.join(PRECISIONS)}.")
    if name == "fp32":
        return PrecisionChoice("fp32", None, "float32 throughout.")
    reason = _bf16_hardware(device)
    if reason:
        return PrecisionChoice("bf16", torch.bfloat16, f"bfloat16: {reason}.")
    if name == "bf16":
        raise InputError(f"The precision bf16 was asked for but {device} does not multiply in bfloat16; choose fp32.")
    return PrecisionChoice("fp32", None, f"float32 throughout, as {device} does not multiply in bfloat16.")


def _bf16_hardware(device: str) -> str | None:
    """Name what multiplies in bfloat16 on the device; None if nothing does."""
    kind = torch.device(device).type
    if kind == "cuda":
        return "the GPU has it" if torch.cuda.is_bf16_supported(including_emulation=False) else None
    if kind != "cpu":
        return None
    # PyTorch before 2.11 has no public question for this; without an answer float32 is the safe choice.
    ask = getattr(torch.cpu, "get_capabilities", None)
    found = ask() if ask is not None else {}
    names = [key for key in ("amx_bf16", "avx512_bf16", "sve_bf16") if found.get(key)]
    return f"the processor has {' and '.join(names)}" if names else None


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
