"""The console: pages for people (design §1, §2)."""
