"""Tensors on their way to the device, without waiting for it."""

from __future__ import annotations

import torch
from torch import Tensor

from LMISCore.text.states import TextStates


def sent(x: Tensor, device: torch.device) -> Tensor:
    """``x`` on the device.

    To CUDA it travels from page-locked memory while the program goes on: a copy from ordinary memory waits for all
    that the device still has to do. PyTorch keeps the locked memory until the copy is done.
    """
    if device.type != "cuda" or x.device.type != "cpu":
        return x.to(device)
    return x.contiguous().pin_memory().to(device, non_blocking=True)


def sent_text(text: TextStates, device: torch.device) -> TextStates:
    """Token states and their mask on the device."""
    return TextStates(sent(text.states, device), sent(text.mask, device))
