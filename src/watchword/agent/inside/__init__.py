"""What the commands do that scripts call inside a job."""
