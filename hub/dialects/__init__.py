"""The doors customers come in by: one file or folder per API, each exporting `DIALECT`. They never import each other."""
