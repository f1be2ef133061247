"""Evaluation: a checkpoint measured on a split, with what its text does; the only source of a card's figures."""
