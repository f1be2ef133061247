"""Volumes: an array with its place in the patient, read from and written to the formats of the field."""
