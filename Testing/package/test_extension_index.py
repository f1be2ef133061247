"""The rules of the Extensions Index: its entry, the lines of CMakeLists.txt that it reads, and the repository."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from checkout import ROOT, tracked_files
from PIL import Image

ENTRY = ROOT / "LanguageSegment.json"
HOMEPAGE = "https://github.com/LanguageSegment/SlicerLanguageSegment"
# Of the index's schema 1.0.1; it allows no other key.
REQUIRED = {"$schema", "category", "scm_url"}
ALLOWED = REQUIRED | {"build_dependencies", "build_subdirectory", "enabled", "scm_revision", "scm_type", "tier"}
# How the index's checker finds the lines in the text of CMakeLists.txt.
ICON = r'set\s*\(EXTENSION_ICONURL\s*"([^"]+)"[ ]*\)'
SCREENSHOTS = r'set\s*\(EXTENSION_SCREENSHOTURLS\s*"([^"]+)"\)'
PROJECT = r"project\s*\(\s*([^\s\)\n\r]+)"
MOST_BYTES = 100 * 2**20


@pytest.fixture(scope="module")
def entry() -> dict[str, object]:
    return dict(json.loads(ENTRY.read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def header() -> str:
    return (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")


def _values(header: str) -> dict[str, str]:
    return dict(re.findall(r'^set\(EXTENSION_([A-Z]+) "([^"$]+)"\)$', header, re.MULTILINE))


def test_the_entry_has_the_keys_of_the_schema_and_no_others(entry: dict[str, object]) -> None:
    assert entry.keys() >= REQUIRED and entry.keys() <= ALLOWED
    assert re.fullmatch(
        r"https://raw\.githubusercontent\.com/Slicer/Slicer/main/Schemas/"
        r"slicer-extension-catalog-entry-schema-v1\.0\.\d\.json#",
        str(entry["$schema"]),
    )
    assert isinstance(entry["tier"], int) and 1 <= entry["tier"] <= 5
    assert isinstance(entry["build_dependencies"], list)
    assert all(isinstance(entry[key], str) for key in ("category", "scm_url", "scm_revision", "build_subdirectory"))


def test_the_entry_asks_for_the_first_tier_in_the_category_segmentation(entry: dict[str, object]) -> None:
    # Higher tiers are given by Slicer's maintainers.
    assert (entry["tier"], entry["category"], entry["scm_revision"]) == (1, "Segmentation", "main")


def test_the_entry_is_a_text_with_line_feeds_alone() -> None:
    content = ENTRY.read_bytes()
    assert b"\r" not in content and content.endswith(b"}\n")


def test_the_extension_is_named_as_the_index_wants(entry: dict[str, object], header: str) -> None:
    address = urlsplit(str(entry["scm_url"]))
    repository = Path(address.path).stem
    assert address.scheme == "https" and address.netloc == "github.com"
    assert repository.startswith("Slicer") and not ENTRY.stem.lower().startswith("slicer")
    assert re.findall(PROJECT, header)[0] == ENTRY.stem == repository.removeprefix("Slicer")


def test_entry_and_build_file_agree(entry: dict[str, object], header: str) -> None:
    values = _values(header)
    assert entry["build_dependencies"] == values["DEPENDS"].split() == ["PyTorch"]
    assert str(entry["scm_url"]).removesuffix(".git") == values["HOMEPAGE"] == HOMEPAGE


def test_the_header_says_what_the_catalogue_shows(header: str) -> None:
    values = _values(header)
    assert {"HOMEPAGE", "CONTRIBUTORS", "DESCRIPTION", "ICONURL", "SCREENSHOTURLS", "DEPENDS"} <= values.keys()
    assert values["CONTRIBUTORS"] == "LanguageSegment contributors"
    assert 40 <= len(values["DESCRIPTION"]) <= 200


def test_the_pictures_are_raw_files_of_this_repository(header: str) -> None:
    icons, screenshots = re.findall(ICON, header), re.findall(SCREENSHOTS, header)
    assert len(icons) == 1 and len(screenshots) == 1
    base = HOMEPAGE.replace("github.com", "raw.githubusercontent.com") + "/main/"
    for url in (icons[0], *screenshots[0].split()):
        assert url.startswith(base), url
        with Image.open(ROOT / url.removeprefix(base)) as picture:
            assert picture.format == "PNG"
    with Image.open(ROOT / icons[0].removeprefix(base)) as picture:
        assert picture.size == (128, 128)


def test_the_module_shows_an_icon() -> None:
    with Image.open(ROOT / "LanguageSegment" / "Resources" / "Icons" / "LanguageSegment.png") as picture:
        assert picture.format == "PNG" and picture.size == (128, 128)


def test_a_licence_lies_in_the_root() -> None:
    assert "LICENSE" in tracked_files("LICENSE")
    assert "Apache License" in (ROOT / "LICENSE").read_text(encoding="utf-8")


def test_checkout_and_history_together_are_within_the_limit_of_the_index() -> None:
    git = ROOT / ".git"
    folder = git if git.is_dir() else ROOT / git.read_text(encoding="utf-8").split(":", 1)[1].strip()
    history = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    files = sum((ROOT / path).stat().st_size for path in tracked_files())
    assert history + files <= MOST_BYTES, f"{history / 2**20:.1f} MiB of history, {files / 2**20:.1f} MiB of files"
