"""OAuth endpoints: introspection (RFC 7662)."""
