"""Train a recipe: the same as ``lmis train``, for those who work from a checkout.

python Training/train.py RECIPE [KEY=VALUE ...] [--out FOLDER] [--device DEVICE]
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from LMISCore.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
