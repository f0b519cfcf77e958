"""The leak scanner: finds token values in files, archives, git histories and streams, offline."""
