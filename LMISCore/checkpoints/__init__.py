"""Checkpoints: weights in safetensors and a card that says what they are, how to use them and what they reach.

``card`` and ``files`` need no torch; ``store`` saves and loads; ``released`` converts the authors' own files.
Nothing is ever unpickled on loading: a checkpoint is numbers and JSON.
"""
