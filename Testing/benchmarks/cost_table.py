"""What each network costs: parameters by what they are for, and multiply-adds, beside what the papers claim.

    python Testing/benchmarks/cost_table.py

Multiply-adds (MACs) are half of what ``torch.utils.flop_counter.FlopCounterMode`` counts, which knows matrix products,
convolutions and attention and leaves out element-wise work. Text towers are counted apart: a sentence's embedding is
computed once and kept. Nothing here depends on the machine.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from LMISCore.networks import create_network, without_training_parts
from LMISCore.networks.blocks import count_parameters

COUNTER = "torch.utils.flop_counter.FlopCounterMode"


@dataclass(frozen=True)
class Setting:
    """A network as a row of the table, and what its paper says of it."""

    label: str
    network: str
    options: dict[str, Any]
    text_width: int
    claim: str
    reason: str


SETTINGS = (
    Setting(
        "TIRNet, released arithmetic",
        "tirnet",
        {"width": 64, "variant": "release"},
        512,
        "41.10 M",
        "no subset of the released network has that many parameters. The released code counts 24.10 G without its "
        "text tower: its four 1x1 convolutions work after the upsampling, ours before it, with the same result "
        "(0.39 G less); our cosines are matrix products, which are counted (0.02 G more)",
    ),
    Setting(
        "TIRNet, default", "tirnet", {"width": 64}, 384, "as above", "narrower text states; scaling and position added"
    ),
    Setting(
        "RecLMIS, released arithmetic",
        "reclmis",
        {"width": 64, "variant": "release"},
        512,
        "23.7 M, 24.1 G",
        "24.1 G are MACs with the auxiliary branches off; no convention gives 23.7 M. "
        "The 54.1 G of LViT beside it in the paper are twice its MACs",
    ),
    Setting("RecLMIS, default", "reclmis", {"width": 64}, 384, "as above", "narrower text states; mended interactor"),
    Setting(
        "TMCA (this project's reading of its abstract)",
        "tmca",
        {},
        384,
        "not known",
        "nothing but the abstract is known of the authors' network",
    ),
)


@dataclass(frozen=True)
class Cost:
    """One row: numbers of values, and MACs of one picture and of each sentence asked of it."""

    label: str
    trainable: int
    stored: int
    inference: int
    image_macs: int
    sentence_macs: int
    claim: str
    reason: str

    @property
    def macs(self) -> int:
        """MACs of one picture with one sentence."""
        return self.image_macs + self.sentence_macs


def macs(run: Callable[[], object]) -> int:
    """MACs of a call on the matrix products, convolutions and attention it makes."""
    # The fused attention kernels of some devices are not in the counter's list; this one is made of matrix products.
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        run()
    return int(counter.get_total_flops()) // 2


def measure(setting: Setting, size: int, tokens: int) -> Cost:
    """Build a network with random weights and count."""
    network: Any = create_network(setting.network, text_width=setting.text_width, **setting.options)
    stripped: Any = without_training_parts(network).eval()
    image, states = torch.rand(1, 3, size, size), torch.randn(1, tokens, setting.text_width)
    mask = torch.ones(1, tokens, dtype=torch.bool)
    with torch.no_grad():
        features = stripped.encode_image(image)
    return Cost(
        setting.label,
        count_parameters(network),
        sum(value.numel() for value in network.state_dict().values()),
        count_parameters(stripped),
        macs(lambda: stripped.encode_image(image)),
        macs(lambda: stripped.decode(features, states, mask)),
        setting.claim,
        setting.reason,
    )


def text_towers(tokens: int) -> dict[str, tuple[int, int]]:
    """Parameters and MACs of one sentence for the two usual text encoders, of random weights."""
    from transformers import BertConfig, BertModel, CLIPTextConfig, CLIPTextModelWithProjection

    minilm: nn.Module = BertModel(
        BertConfig(hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536),
        add_pooling_layer=False,
    ).eval()
    clip: Any = CLIPTextModelWithProjection(CLIPTextConfig()).eval()
    ids = torch.ones(1, tokens, dtype=torch.int64)

    def project_all() -> Tensor:
        # The releases project every position, the library's own head only the last.
        found: Tensor = clip.text_projection(clip.text_model(input_ids=ids).last_hidden_state)
        return found

    return {
        "MiniLM-L6 (the default)": (_size(minilm), macs(lambda: minilm(input_ids=ids))),
        "CLIP ViT-B/32 text tower": (_size(clip), macs(project_all)),
    }


def _size(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def markdown(costs: list[Cost], towers: dict[str, tuple[int, int]], size: int, tokens: int) -> str:
    """Two tables and a line on how they were counted."""
    lines = [
        f"| network | trainable | stored | at inference | GMACs, {size} x {size} | of it for each sentence "
        "| the paper says | why it differs |",
        "|" + " --- |" * 8,
    ]
    for cost in costs:
        lines.append(
            f"| {cost.label} | {cost.trainable:,} | {cost.stored:,} | {cost.inference:,} | {cost.macs / 1e9:.2f} | "
            f"{cost.sentence_macs / 1e9:.2f} | {cost.claim} | {cost.reason} |"
        )
    lines += ["", f"| text tower, {tokens} tokens | parameters | GMACs for each sentence |", "|" + " --- |" * 3]
    lines += [f"| {name} | {count:,} | {cost / 1e9:.2f} |" for name, (count, cost) in towers.items()]
    lines += [
        "",
        f"Counted with `{COUNTER}` (torch {torch.__version__}), one multiply-add as one: matrix products, convolutions "
        "and attention, no element-wise work. Stored: every value of a training checkpoint, running statistics and "
        "text scaling among them. At inference: without what only training needs (`lmis strip`).",
    ]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", type=int, default=224, help="pixels along the picture's side (default: 224)")
    parser.add_argument("--tokens", type=int, default=18, help="tokens of the sentence (default: 18)")
    parser.add_argument("--json", action="store_true", help="print numbers as JSON instead of Markdown")
    options = parser.parse_args()
    costs = [measure(setting, options.size, options.tokens) for setting in SETTINGS]
    towers = text_towers(options.tokens)
    if options.json:
        print(json.dumps({"networks": [asdict(cost) for cost in costs], "text_towers": towers}, indent=2))
    else:
        print(markdown(costs, towers, options.size, options.tokens))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
