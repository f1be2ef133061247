"""Write LMISCore/CMakeLists.txt from the files that git sees: run ``python Testing/package/cmake_lists.py``.

Slicer's build installs only what this list names, so a forgotten file is absent from users' installs.
"""

from __future__ import annotations

from checkout import ROOT, shipped_files

LIST_FILE = ROOT / "LMISCore" / "CMakeLists.txt"


def cmake_text(paths: list[str]) -> str:
    """Return the CMake file for ``paths`` (from the root, as ``shipped_files`` gives them).

    Raises:
        ValueError: if a name holds a character that CMake lists cannot.
    """
    bad = [path for path in paths if set(path) & set(' ;"$()#\\')]
    if bad:
        raise ValueError(f"CMake lists cannot hold these names, rename them: {', '.join(bad)}")
    names = [path.removeprefix("LMISCore/") for path in paths]
    scripts = [name for name in names if name.endswith(".py")]
    resources = [name for name in names if not name.endswith(".py")]
    return "\n".join(
        [
            "# Written by Testing/package/cmake_lists.py; run it after adding, moving or deleting a file.",
            "slicerMacroBuildScriptedModule(",
            "  NAME LMISCore",
            "  SCRIPTS",
            *(f"    {name}" for name in scripts),
            "  RESOURCES",
            *(f"    {name}" for name in resources),
            "  WITH_SUBDIR",
            "  )",
            "",
        ]
    )


if __name__ == "__main__":
    LIST_FILE.write_text(cmake_text(shipped_files()), encoding="utf-8", newline="\n")
    print(f"wrote {LIST_FILE.relative_to(ROOT)}")
