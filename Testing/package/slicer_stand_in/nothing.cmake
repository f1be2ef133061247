# Slicer puts its build settings in this place; installing Python files needs none.
