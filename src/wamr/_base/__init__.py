"""The ground: immutable values, checks, and names for annotations. It knows no other package."""
