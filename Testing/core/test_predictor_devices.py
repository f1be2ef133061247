"""Devices, arithmetic and memory: what is chosen, why, and what gives way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from obedient import (
    SIZE,
    ObedientNetwork,
    WordEncoder,
    body,
    obedient_checkpoint,
    one_thread,  # noqa: F401
)
from predictor_makers import (
    LEFT,
    network_of,
    obedient,
    tirnet,
)

from LMISCore.errors import InputError, OutOfMemoryError, is_out_of_memory
from LMISCore.inference.devices import DeviceChoice
from LMISCore.inference.predictor import Predictor

pytestmark = pytest.mark.usefixtures("one_thread")


def test_float32_on_cuda_is_not_rounded_to_tf32(monkeypatch: pytest.MonkeyPatch) -> None:
    class Pretended(DeviceChoice):
        """The CPU in an accelerator's place."""

        @property
        def device(self) -> torch.device:
            return torch.device("cpu")

    predictor = obedient()
    network = network_of(predictor)
    encode = network.encode_image
    seen: list[tuple[bool, bool]] = []

    def watch(image: torch.Tensor) -> Any:
        seen.append((torch.backends.cudnn.allow_tf32, torch.backends.cudnn.enabled))
        return encode(image)

    monkeypatch.setattr(network, "encode_image", watch)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    picture = np.zeros((1, 3, *SIZE), dtype=np.float32)
    predictor.engine.features(picture)
    predictor.engine.device = Pretended("cuda:0", "pretended.")
    predictor.engine.features(picture)
    enabled = torch.backends.cudnn.enabled
    assert seen == [(True, enabled), (False, enabled)] and torch.backends.cudnn.allow_tf32


def test_running_out_of_memory_halves_the_batch_and_says_so() -> None:
    predictor = obedient(batch_size=8)
    network = network_of(predictor)
    network.most = 3
    result = predictor.segment(body(12), LEFT)
    assert network.encoded == [8, 4, 2, 2, 2, 2, 2, 2]
    assert [("8 slices" in w, "4 slices" in w) for w in result.warnings] == [(True, False), (False, True)]
    np.testing.assert_array_equal(result.rows[0].mask, obedient().segment(body(12), LEFT).rows[0].mask)


def test_a_slice_that_does_not_fit_the_cpu_is_an_error_of_its_own_kind() -> None:
    predictor = obedient(batch_size=2)
    network_of(predictor).most = 0
    with pytest.raises(OutOfMemoryError, match="one slice of 16 x 16"):
        predictor.segment(body(3), LEFT)


def test_an_accelerator_that_cannot_hold_one_slice_gives_way_to_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = obedient(batch_size=1)
    network = network_of(predictor)
    network.most = 0

    class Pretended(DeviceChoice):
        """The CPU in an accelerator's place."""

        @property
        def device(self) -> torch.device:
            return torch.device("cpu")

    predictor.engine.device = Pretended("cuda", "pretended.")
    moved: list[Any] = []

    def to(*args: Any, **kwargs: Any) -> ObedientNetwork:
        moved.append(args)
        network.most = None
        return network

    monkeypatch.setattr(network, "to", to)
    result = predictor.segment(body(3), LEFT)
    assert moved and result.segments
    assert any("cpu" in warning for warning in result.warnings)
    assert result.provenance["device"]["name"] == "cpu" and "memory ran out" in result.provenance["device"]["reason"]


def test_weights_that_do_not_fit_the_accelerator_stay_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(DeviceChoice):
        """An accelerator of which other programs hold all the memory."""

        @property
        def device(self) -> torch.device:
            return torch.device("meta")

    from LMISCore.inference import predictor

    plain = ObedientNetwork.to

    def to(self: ObedientNetwork, *args: Any, **kwargs: Any) -> Any:
        if torch.device("meta") in args:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 MiB.")
        return plain(self, *args, **kwargs)

    monkeypatch.setattr(ObedientNetwork, "to", to)
    monkeypatch.setattr(predictor, "choose_device", lambda name: Full("cuda:1", "pretended."))
    full = Predictor(obedient_checkpoint(), device="cuda:1", encoder=WordEncoder())
    result = full.segment(body(3), LEFT)
    np.testing.assert_array_equal(result.rows[0].mask, obedient().segment(body(3), LEFT).rows[0].mask)
    assert result.provenance["device"]["name"] == "cpu"
    assert "memory ran out on cuda:1" in result.provenance["device"]["reason"]


@pytest.mark.parametrize(
    "message",
    [
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
        "MPS backend out of memory (MPS allocated: 8.00 GB)",
        "Invalid buffer size: 14.00 GB",
    ],
)
def test_libraries_that_lack_memory_are_understood(message: str) -> None:
    assert is_out_of_memory(RuntimeError(message))
    assert not is_out_of_memory(RuntimeError("CUDA error: CUBLAS_STATUS_NOT_SUPPORTED"))


def test_other_errors_of_the_network_are_not_taken_for_missing_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = obedient()

    def fail(image: torch.Tensor) -> None:
        raise RuntimeError("sizes do not match")

    monkeypatch.setattr(predictor.engine.network, "encode_image", fail)
    with pytest.raises(RuntimeError, match="sizes do not match"):
        predictor.segment(body(3), LEFT)


def test_the_memory_estimate_covers_masks_and_grows_with_what_is_asked() -> None:
    predictor = obedient()
    shape = (200, 512, 512)
    one, five = (predictor.estimate_memory(shape, n) for n in (1, 5))
    kept = predictor.estimate_memory(shape, 5, keep_probability=True)
    voxels = 200 * 512 * 512
    assert five.masks - one.masks == 4 * voxels and five.masks >= 5 * voxels
    assert kept.total - five.total >= 5 * 2 * voxels
    assert predictor.estimate_memory((400, 512, 512), 1).working == one.working
    assert five.total == five.network + five.working + five.masks and "1.0 GB" in kept.sentence()


def test_the_networks_part_of_the_estimate_follows_batch_and_picture_size(device: torch.device) -> None:
    one, two, four = (tirnet(device, batch_size).estimate_memory((64, 32, 32), 1).working for batch_size in (1, 2, 4))
    assert four - two == 2 * (two - one)
    # Features of TIRNet at width C hold (C + 2C/4 + 4C/16 + 8C/64 + 8C/256) h w numbers.
    features = 4 * int(4 * (1 + 1 / 2 + 1 / 4 + 1 / 8 + 1 / 32) * 32 * 32)
    assert features < two - one < 40 * features


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"device": "tpu0"}, "device 'tpu0' is unknown"),
        ({"device": "abc:1"}, "unknown"),
        ({"precision": "int4"}, "precision 'int4' is unknown"),
        ({"batch_size": 0}, "batch size is 0"),
    ],
)
def test_an_unusable_option_is_one_sentence(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Predictor(obedient_checkpoint(), **{"device": "cpu", **options})


def test_auto_takes_a_device_that_really_runs_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    from LMISCore.inference import devices

    monkeypatch.setattr(devices, "_failure", lambda name: "no kernel image" if name == "cuda" else "not an Apple GPU")
    choice = devices.choose_device("auto")
    assert choice.name == "cpu" and "no kernel image" in choice.reason
    monkeypatch.setattr(devices, "_failure", lambda name: None)
    monkeypatch.setattr(devices, "_describe", lambda name: name)
    assert devices.choose_device("auto").name == "cuda"


@pytest.mark.parametrize(("threads", "words"), [(1, "cpu (1 thread), as asked."), (12, "cpu (12 threads), as asked.")])
def test_a_processor_is_named_with_its_threads(monkeypatch: pytest.MonkeyPatch, threads: int, words: str) -> None:
    from LMISCore.inference import devices

    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    assert devices.choose_device("cpu").reason == words


def test_bf16_is_taken_only_where_the_hardware_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from LMISCore.inference import devices

    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True}, raising=False)
    assert devices.choose_precision("auto", "cpu").dtype == torch.bfloat16
    assert devices.choose_precision("fp32", "cpu").dtype is None
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True}, raising=False)
    assert devices.choose_precision("auto", "cpu").dtype is None
    with pytest.raises(InputError, match="does not multiply in bfloat16"):
        devices.choose_precision("bf16", "cpu")


def test_bf16_probabilities_stay_near_those_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = np.random.default_rng(0).random((2, 3, 32, 32), dtype=np.float32)
    plain = tirnet(torch.device("cpu")).network_probability(pictures, [LEFT])
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True}, raising=False)
    rough = tirnet(torch.device("cpu"), precision="bf16").network_probability(pictures, [LEFT])
    assert 0 < np.abs(plain - rough).max() < 0.02


def test_a_device_that_computes_wrongly_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    from LMISCore.inference import devices

    assert devices.kernel_failure("cpu") is None
    monkeypatch.setattr(torch.nn.functional, "conv2d", lambda image, weight: torch.zeros(1))
    assert "instead of 324" in (devices.kernel_failure("cpu") or "")
