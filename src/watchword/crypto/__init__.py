"""One small wrapper per algorithm."""
