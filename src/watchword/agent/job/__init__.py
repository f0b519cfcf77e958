"""What happens for one job: environment, hooks, plugins, checkout, command, artifacts."""
