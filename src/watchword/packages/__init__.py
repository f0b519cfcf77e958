"""Package registries as installers and uploaders know them: the simple index, files and uploads of PyPI."""
