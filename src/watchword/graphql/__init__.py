"""The GraphQL surface: the schema by hand in `schema/`, resolvers by noun, limits before execution."""
