"""One UDA method or baseline per file; the file name is the key used in YAML."""
