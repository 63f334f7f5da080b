import support  # noqa: F401  the parts of tests/integration
