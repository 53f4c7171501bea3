"""The worlds that listeners live in: catalog, taste vectors, how they are made and kept on disk."""
