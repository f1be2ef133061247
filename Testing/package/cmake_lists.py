"""Write the CMakeLists.txt of both folders that Slicer installs: run ``python Testing/package/cmake_lists.py``.

Slicer's build installs only what these lists name, so a forgotten file is absent from users' installs.
"""

from __future__ import annotations

from checkout import ROOT, shipped_files

PACKAGE = "LMISCore"
MODULE = "LanguageSegment"
FOLDERS = (PACKAGE, MODULE)

# The package lands in a folder of its own beside the module, whose files land in the folder of modules itself.
_OPTION = {PACKAGE: "WITH_SUBDIR", MODULE: "WITH_GENERIC_TESTS"}
_AFTER = {
    PACKAGE: [],
    MODULE: ["", "if(BUILD_TESTING)", f"  slicer_add_python_unittest(SCRIPT {MODULE}.py)", "endif()"],
}


def cmake_text(folder: str, paths: list[str]) -> str:
    """Return the CMake file of ``folder`` for ``paths`` (from the root, as ``shipped_files`` gives them).

    Raises:
        ValueError: if a name holds a character that CMake lists cannot.
    """
    bad = [path for path in paths if set(path) & set(' ;"$()#\\')]
    if bad:
        raise ValueError(f"CMake lists cannot hold these names, rename them: {', '.join(bad)}")
    names = [path.removeprefix(f"{folder}/") for path in paths]
    scripts = [name for name in names if name.endswith(".py")]
    resources = [name for name in names if not name.endswith(".py")]
    return "\n".join(
        [
            "# Written by Testing/package/cmake_lists.py; run it after adding, moving or deleting a file.",
            "slicerMacroBuildScriptedModule(",
            f"  NAME {folder}",
            "  SCRIPTS",
            *(f"    {name}" for name in scripts),
            "  RESOURCES",
            *(f"    {name}" for name in resources),
            f"  {_OPTION[folder]}",
            "  )",
            *_AFTER[folder],
            "",
        ]
    )


if __name__ == "__main__":
    for each in FOLDERS:
        target = ROOT / each / "CMakeLists.txt"
        target.write_text(cmake_text(each, shipped_files(each)), encoding="utf-8", newline="\n")
        print(f"wrote {target.relative_to(ROOT)}")
