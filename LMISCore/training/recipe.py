"""Training recipes: YAML files checked key by key, with errors that name the line.

A recipe names data, network, sentences, augmentation and optimisation; ``key=value`` on the command line overrides
single keys (``training.steps=200``). What is left out keeps the default shown in the classes below.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import yaml

from LMISCore.errors import InputError
from LMISCore.resources import resource
from LMISCore.training.augment import Augmentation
from LMISCore.training.recipe_files import RecipeFiles, problem, where
from LMISCore.training.recipe_rules import rules_of


@dataclass(frozen=True)
class DataRecipe:
    """Where the pairs are. ``train`` and ``val`` are shell-style patterns on the case names.

    ``pairs`` are the numbers of pairs that the published splits have; a set with others is refused. ``obtain`` says
    what to put where when the set is not there.
    """

    source: str = ""
    train: tuple[str, ...] = ("*",)
    val: tuple[str, ...] = ("*",)
    case_pattern: str = ""
    name: str = ""
    licence: str = ""
    pairs: dict[str, int] = field(default_factory=dict)
    obtain: str = ""


@dataclass(frozen=True)
class NetworkRecipe:
    """Network by name and its options; ``text_width`` is the encoder's and set by itself.

    ``initial`` is where the first weights come from: a checkpoint of the same network to train on ("bundled": the
    package's own); or, for networks that take released ones, their image encoder's: a folder, or a name that is fetched
    from huggingface.co. Left empty they are random and nothing is fetched.
    """

    name: str = "tirnet"
    options: dict[str, Any] = field(default_factory=dict)
    initial: str = ""


@dataclass(frozen=True)
class TextRecipe:
    """Encoder (a name or a folder), rewriting of place words, and whether text is withheld (image-only training).

    ``append_eof`` lengthens short sentences by " EOF XXX" as RecLMIS's release does; CLIP encoders only.
    """

    encoder: str = "minilm"
    append_eof: bool = False
    rewrite: Literal["none", "lvit_axial"] = "none"
    ignore: bool = False


@dataclass(frozen=True)
class ImageRecipe:
    """Picture size [h, w], intensity convention, plane, and how many degraded variants of each slice are prepared.

    ``context`` 1 feeds the slice before and the slice after beside each slice, in place of three equal channels.
    Prepared pictures are kept in ``memory`` MB; more of them lie in a file that is gone with the run.
    """

    size: tuple[int, ...] = (224, 224)
    convention: str = "percentile"
    plane: Literal["axial", "coronal", "sagittal", "picture"] = "picture"
    variants: int = 1
    context: int = 0
    memory: int = 4000


@dataclass(frozen=True)
class PairsRecipe:
    """Sentences per slice and step, shares of their kinds (see training/pairs.py), and the words they are made of.

    ``zones`` names the thirds of a lung from the picture's top down: anterior to posterior on axial slices, upper to
    lower on frontal pictures, or none.
    """

    sentences: int = 1
    shares: dict[str, float] = field(default_factory=lambda: {"report": 1.0})
    names: tuple[str, ...] = ("finding",)
    others: tuple[str, ...] = ()
    zones: Literal["axial", "frontal", "none"] = "axial"


@dataclass(frozen=True)
class TrainingRecipe:
    """Optimisation. ``ema`` is the decay of the exponential average of the weights that is validated and kept.

    ``schedule`` is described at ``rate_at`` in ``training/parts.py``; ``period`` is counted in steps. A step takes
    ``accumulate`` batches and the mean of their gradients. The state is saved after each validation and besides every
    ``save_every`` steps and every ``save_seconds`` seconds (0: never). Under torchrun the processes share each
    ``batch``, and ``sync_batch_norm`` normalises over all of it instead of over each process's share. ``fused`` updates
    the weights in one pass over each tensor, which rounds otherwise than PyTorch's plain loop does. ``recompute`` makes
    cheap maps again on the way back instead of keeping them: less memory, the same gradients but for rounding; "auto"
    does so for RecLMIS on the CPU, where it was measured. ``compile`` lets PyTorch's compiler rewrite the network,
    which takes minutes at the first step and rounds otherwise.
    """

    steps: int = 1000
    batch: int = 8
    accumulate: int = 1
    optimiser: Literal["adamw", "adam"] = "adamw"
    fused: bool = True
    learning_rate: float = 3e-4
    schedule: Literal["cosine", "restarts", "decay"] = "cosine"
    period: int = 1
    decay: float = 1.0
    final_rate: float = 1e-6
    warmup: int = 50
    weight_decay: float = 1e-5
    clip_norm: float = 0.0
    ema: float = 0.0
    validate_every: int = 100
    patience: int = 1000
    save_every: int = 0
    save_seconds: float = 300.0
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    sync_batch_norm: bool = True
    recompute: Literal["auto", "always", "never"] = "auto"
    compile: Literal["always", "never"] = "never"
    seed: int = 3407


@dataclass(frozen=True)
class CardRecipe:
    """What the checkpoint's card says in words, and the findings its weights know: canonical name to synonyms.

    ``calibrate`` fits the probabilities' calibration on Val at the end and moves the mask threshold with it.
    """

    modality: str = ""
    orientation: str = "patient's right on the picture's left, anterior up"
    licence: str = ""
    intended_use: str = ""
    limits: tuple[str, ...] = ()
    findings: dict[str, list[str]] = field(default_factory=dict)
    places: tuple[str, ...] = ()
    dtype: Literal["float32", "float16"] = "float32"
    calibrate: bool = True


@dataclass(frozen=True)
class Recipe:
    """A whole training run."""

    name: str
    data: DataRecipe = field(default_factory=DataRecipe)
    network: NetworkRecipe = field(default_factory=NetworkRecipe)
    text: TextRecipe = field(default_factory=TextRecipe)
    image: ImageRecipe = field(default_factory=ImageRecipe)
    pairs: PairsRecipe = field(default_factory=PairsRecipe)
    loss: dict[str, float] = field(default_factory=dict)
    augment: Augmentation = field(default_factory=Augmentation)
    training: TrainingRecipe = field(default_factory=TrainingRecipe)
    card: CardRecipe = field(default_factory=CardRecipe)

    @property
    def sentences(self) -> int:
        """Sentences asked of one slice in a step; one where text is ignored, since all of them are the same."""
        return 1 if self.text.ignore else self.pairs.sentences

    def as_dict(self) -> dict[str, Any]:
        """Plain values, tuples as lists, for the card and the log."""
        plain: dict[str, Any] = _plain(dataclasses.asdict(self))
        return plain


def load_recipe(name: str | Path, overrides: typing.Sequence[str] = ()) -> Recipe:
    """Read a recipe by path, or by the name of a bundled one, and apply ``key=value`` overrides.

    ``base``, ``variants`` and ``variant`` are described in ``recipe_files``.

    Raises:
        InputError: naming the file, the line and what was expected.
    """
    path = _find(str(name), None)
    if not path.is_file():
        raise InputError(f"There is no recipe file {path}; give a .yaml file or one of: {', '.join(recipe_names())}.")
    sections = frozenset(f.name for f in dataclasses.fields(Recipe)) - {"name", "loss"}
    node = RecipeFiles(sections, _find).read(path, overrides)
    recipe = _build(Recipe, node, path.name, "")
    assert isinstance(recipe, Recipe)
    for rule in rules_of(recipe):
        if not rule.holds:
            raise InputError(f"{_place(node, rule.key, path.name)}: {rule.got}, expected {rule.expected}.")
    return recipe


def recipe_of(values: dict[str, Any], where_from: str) -> Recipe:
    """The recipe that a card keeps as plain values, see ``Recipe.as_dict``.

    Args:
        values: of the card.
        where_from: what to call the card in an error.

    Raises:
        InputError: if the card has none, or one of another release of the package.
    """
    if not values.get("name"):
        raise InputError(f"{where_from} names no recipe that made its weights; expected weights of lmis train.")
    node = yaml.compose(yaml.safe_dump(values), Loader=yaml.SafeLoader)
    assert node is not None, "a card's recipe has at least a name"
    recipe = _build(Recipe, node, where_from, "")
    assert isinstance(recipe, Recipe)
    return recipe


def recipe_names() -> list[str]:
    """Names of the bundled recipes."""
    return sorted(path.stem for path in resource("recipes").glob("*.yaml"))


def _find(name: str, beside: Path | None) -> Path:
    """The file of a recipe given by path, of a base beside the file that names it, or the bundled one of that name."""
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        return path if beside is None else beside / path
    if beside is None and path.is_file():
        return path
    bundled = resource("recipes") / f"{name}.yaml"
    if beside is None and not bundled.is_file():
        raise InputError(f"There is no recipe {name}; give a .yaml file or one of: {', '.join(recipe_names())}.")
    return bundled


def _place(node: yaml.Node, key: str, file: str) -> str:
    """Where a key's value stands, or the nearest part of the recipe that holds it; the file for a default."""
    place = file
    for part in key.split("."):
        found = (
            next((v for k, v in node.value if k.value == part), None) if isinstance(node, yaml.MappingNode) else None
        )
        if found is None:
            break
        node, place = found, where(found, file)
    return place


def _build(kind: type, node: yaml.Node, file: str, prefix: str) -> Any:
    """Turn a mapping node into a dataclass, complaining about unknown, missing and repeated keys."""
    if not isinstance(node, yaml.MappingNode):
        raise InputError(f"{where(node, file)}: {prefix or 'recipe'} must hold keys, one to a line.")
    hints = typing.get_type_hints(kind)
    values: dict[str, Any] = {}
    for key_node, value_node in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            raise InputError(
                f"{where(key_node, file)}: a key of {prefix or 'the recipe'} is no word; expected 'key: value'."
            )
        key = str(key_node.value)
        if key not in hints:
            close = get_close_matches(key, list(hints), n=1)
            hint = f"did you mean {close[0]}?" if close else f"expected one of {', '.join(hints)}."
            raise InputError(f"{where(key_node, file)}: unknown key {prefix}{key}; {hint}")
        if key in values:
            raise InputError(f"{where(key_node, file)}: {prefix}{key} appears twice; keep one.")
        values[key] = _value(hints[key], value_node, file, prefix + key)
    missing = [
        f.name
        for f in dataclasses.fields(kind)
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING and f.name not in values
    ]
    if missing:
        raise InputError(f"{file}: the key {prefix}{missing[0]} is missing; add it.")
    return kind(**values)


def _value(hint: Any, node: yaml.Node, file: str, key: str) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _build(hint, node, file, f"{key}.")
    loader = yaml.SafeLoader("")
    try:
        value = loader.construct_object(node, deep=True)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InputError(f"{where(node, file)}: {key} cannot be read: {problem(error)}; give plain values.") from error
    expected, converted = _convert(hint, value)
    if expected:
        raise InputError(f"{where(node, file)}: {key} is {value!r}, expected {expected}.")
    return converted


def _convert(hint: Any, value: Any) -> tuple[str, Any]:
    """Return what was expected (empty when the value fits) and the value in its own type."""
    origin = get_origin(hint)
    if hint is Any:
        return "", value
    if origin is Literal:
        return ("" if value in get_args(hint) else f"one of {', '.join(map(str, get_args(hint)))}"), value
    if origin is tuple:
        items = value if isinstance(value, list) else [value]
        parts = [_convert(get_args(hint)[0], item) for item in items]
        wrong = next((expected for expected, _ in parts if expected), "")
        return (f"a list, each {wrong}" if wrong else ""), tuple(item for _, item in parts)
    if origin in (dict, list):
        if not isinstance(value, origin):
            return ("keys with values" if origin is dict else "a list"), value
        if origin is dict and not all(isinstance(key, str) for key in value):
            return "keys that are text", value
        inner = get_args(hint)[-1]
        parts = [_convert(inner, item) for item in (value.values() if origin is dict else value)]
        wrong = next((expected for expected, _ in parts if expected), "")
        if wrong:
            return f"each value {wrong}", value
        items = [item for _, item in parts]
        return "", dict(zip(value, items, strict=True)) if origin is dict else items
    if hint is float and isinstance(value, str):
        # YAML 1.1 reads 3e-4 as text because it lacks a point.
        try:
            value = float(value)
        except ValueError:
            return "a number", value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return "", float(value)
    if hint is float and isinstance(value, float) and not math.isfinite(value):
        return "a finite number", value
    if isinstance(hint, type) and not isinstance(hint, types.GenericAlias):
        fits = isinstance(value, hint) and not (hint is int and isinstance(value, bool))
        names = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
        return ("" if fits else names.get(hint, hint.__name__)), value
    return f"a value of type {hint}", value


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
