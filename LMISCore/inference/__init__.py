"""Inference: a volume and a report in, one segment per affirmed and present sentence out."""
