"""REST v2: what people, Terraform and scripts call."""
