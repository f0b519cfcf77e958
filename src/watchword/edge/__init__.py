"""HTTP plumbing that every surface shares: requests, answers, routes, limits, client address."""
