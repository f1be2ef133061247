"""Metrics: overlap counted once, rank AUROC, block bootstrap, the presence threshold; numpy only."""
