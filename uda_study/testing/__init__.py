"""Contract suites that find plugins by themselves, and fakes."""
